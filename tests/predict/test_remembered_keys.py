"""What is the same medium, condition and detector, and what another, of which nothing is remembered."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from bench.predict import remembered
from bench.predict.cell import CLEAN, Harm
from bench.predict.clip import Sampling
from bench.tables import Targets
from tests.predict.made import targets_of
from tests.predict.remembering import ALL, DESCRIBED, FRAMES, NAMES, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.of(tmp_path)


def test_conditions_on_crops_share_what_clean_media_show(bench: Bench) -> None:
    assert bench.run(CLEAN)[0] == ALL
    assert bench.run(Harm("gamma", 3, "crop"))[0] == 0
    assert bench.recalled == [ALL]
    assert bench.run(Harm("gamma", 3, "crop"), CLEAN, Harm("gamma", 5, "crop"))[0] == 0


def test_conditions_on_frames_have_their_own(bench: Bench) -> None:
    gamma = [Harm("gamma", severity, "frame") for severity in (3, 4)]
    assert bench.run(CLEAN, gamma[0])[0] == 2 * ALL
    assert bench.run(CLEAN, *gamma)[0] == ALL
    assert bench.run(*gamma, CLEAN)[0] == 0
    assert bench.run(Harm("contrast", 3, "frame"))[0] == ALL
    bench.seed = 1
    assert bench.run(gamma[0])[0] == ALL
    assert bench.run(CLEAN)[0] == 0  # nothing is drawn for clean media


def test_conditions_on_films_have_their_own(bench: Bench) -> None:
    slow, slower = (Harm("frame_rate", severity, "frame") for severity in (3, 4))
    assert bench.run(CLEAN, slow)[0] == 2 * ALL
    assert bench.run(slow, slower, CLEAN)[0] == ALL
    assert bench.run(slower, slow)[0] == 0


def test_conditions_on_faces_also_go_by_what_fits_them(bench: Bench) -> None:
    lit = Harm("side_light", 3, "frame")
    assert bench.run(lit)[0] == 2 * ALL  # to fit the surface, then in the lit frames
    assert bench.run(lit)[0] == 0
    bench.meshes = {"version": 2}
    assert bench.run(lit)[0] == ALL


def change_time(bench: Bench) -> None:
    os.utime(bench.folder / NAMES[0], ns=(0, 0))


def change_size(bench: Bench) -> None:
    with (bench.folder / NAMES[0]).open("ab") as file:
        file.write(b"\0")


def change_target(bench: Bench) -> None:
    names = pa.array(["x", *NAMES[1:]])
    table = bench.targets.table.set_column(0, "target", names)
    bench.targets = replace(bench.targets, table=table)


def change_every(bench: Bench) -> None:
    bench.front = replace(bench.front, every=2)


def change_sampling(bench: Bench) -> None:
    bench.sampling = Sampling(count=FRAMES)


def change_checkpoint(bench: Bench) -> None:
    bench.described = {**DESCRIBED, "weights": ["1" * 64]}


FIRST_BATCH = 2 * FRAMES
CHANGES = {
    change_time: FIRST_BATCH,
    change_size: FIRST_BATCH,
    change_target: FIRST_BATCH,
    change_checkpoint: ALL,
    change_sampling: ALL,
    change_every: 4 * len(NAMES),  # frames 0, 2, 4 and the last
}


@pytest.mark.parametrize(("change", "missed"), CHANGES.items(), ids=lambda one: getattr(one, "__name__", ""))
def test_what_changes_what_is_found_is_a_miss(
    bench: Bench, change: Callable[[Bench], None], missed: int
) -> None:
    assert bench.run()[0] == ALL
    change(bench)
    _, fresh = bench.run(cached=False)
    assert bench.run() == (missed, fresh)
    assert bench.run() == (0, fresh)


def test_other_bytes_of_the_same_size_and_time_are_a_miss(bench: Bench) -> None:
    path, seen = bench.folder / NAMES[0], []
    whole = path.read_bytes()
    for end in (b"\0", b"\1"):  # behind the film, which stays as it is
        path.write_bytes(whole + end)
        os.utime(path, ns=(0, 0))
        bench.targets = targets_of(bench.folder, NAMES)
        seen.append(bench.run()[0])
    assert seen == [ALL, FIRST_BATCH]


@pytest.mark.parametrize("name", ["DECODE_VERSION", "VERSION", "_software"])
def test_another_version_is_a_miss(bench: Bench, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()
    other = (lambda: {"torch": "1"}) if name == "_software" else -1
    monkeypatch.setattr(remembered, name, other)
    assert bench.run()[0] == ALL


def test_the_place_in_the_run_the_folder_and_the_crop_do_not_matter(bench: Bench, tmp_path: Path) -> None:
    bench.batch = 1
    assert bench.run()[0] == ALL
    bench.targets = targets_of(bench.folder, NAMES[::-1])
    assert bench.run()[0] == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in NAMES:
        shutil.copy2(bench.folder / name, elsewhere)
    bench.targets, bench.front = targets_of(elsewhere, NAMES), replace(bench.front, size=48, margin=0.5)
    assert bench.run()[0] == 0
    bench.batch = 3  # other targets together
    assert bench.run()[0] == ALL
    assert bench.run()[0] == 0


def test_without_digests_the_same_path_is_the_same_medium(bench: Bench, tmp_path: Path) -> None:
    bench.targets = replace(bench.targets, table=bench.targets.table.drop_columns(["sha256"]))
    assert [bench.run()[0] for _ in range(2)] == [ALL, 0]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in NAMES:
        shutil.copy2(bench.folder / name, elsewhere)
    bench.targets = replace(bench.targets, root=elsewhere)
    assert bench.run()[0] == ALL


@pytest.mark.parametrize("digest", [True, False])
def test_media_in_bytes_are_known_by_them(bench: Bench, digest: bool) -> None:
    def held(order: Sequence[str]) -> Targets:
        data = pa.array([(bench.folder / name).read_bytes() for name in order], pa.binary())
        table = plain.table.append_column("media_bytes", data)
        return replace(plain, table=table if digest else table.drop_columns(["sha256"]), root=None)

    plain = bench.targets
    bench.targets = held(NAMES)
    assert [bench.run()[0] for _ in range(2)] == [ALL, 0]
    if not digest:  # as digest_media would find it out
        bench.targets = held((NAMES[0], NAMES[2], NAMES[1]))
        assert bench.run()[0] == ALL


def test_conditions_on_the_sound_share_what_clean_media_show(bench: Bench, film: Callable[..., Path]) -> None:
    for number, name in enumerate(NAMES):
        film(name, frames=30, tone=300.0 * (number + 1))
    looked = 30 * len(NAMES)
    bench.targets, bench.sound_rate = targets_of(bench.folder, NAMES), 16_000
    noise, voice = Harm("background_noise", 3, "sound"), Harm("mismatched_voice", 5, "sound")
    _, without = bench.run(CLEAN, noise, voice, cached=False)
    assert bench.run(CLEAN, noise, voice) == (looked, without)  # though each has a decoding of its own
    assert sorted(bench.recalled) == [0, looked, looked]
    bench.sound_rate = None  # the same windows are detected together
    assert bench.run()[0] == 0
