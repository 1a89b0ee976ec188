"""Conditions that act on the sound, from the plan to the rows: once a medium, for models that listen alone."""

from __future__ import annotations

import wave
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from bench.errors import UserError
from bench.folder import RunFolder
from bench.predict import reader
from bench.predict.cell import CLEAN, Cell, Harm, Store
from bench.predict.clip import Clip, Sampling, Scores, Sound
from bench.predict.datasets.media import digest_media
from bench.predict.perturb import SOUND_PERTURBATIONS, Perturbation
from bench.predict.perturb.level import active_power
from bench.predict.plan import plan_cells
from bench.predict.run import Options, predict_cells
from bench.predict.sound import Recording, has_sound, load_sound
from bench.predict.zoo import Zoo, parse_choice
from bench.question import Question
from bench.spec import Condition, DataSource, Facts, Suite
from bench.tables import Targets, validate_targets
from tests.predict.made import CPU, LABELS, model_of, targets_of, write_picture

RATE = 8000
SILENT = Harm("missing_sound", 5, "sound")
LATE = Harm("desynchronisation", 5, "sound")
OTHER = Harm("mismatched_voice", 5, "sound")


def by_loudness(clips: Sequence[Clip]) -> list[Scores]:
    """Valence: the RMS of the sound; arousal: its strongest frequency over 1,000; labels: how bright each frame is."""
    scores = []
    for clip in clips:
        assert clip.sound is not None
        assert clip.sound.rate == RATE
        loud = clip.sound.samples.double().square().mean().sqrt()
        power = torch.fft.rfft(clip.sound.samples.double()).abs()
        pitch = power.argmax() / len(clip.sound.samples) * RATE / 1000
        bright = clip.frames.double().mean((1, 2, 3)) / 255
        outputs = {"labels": torch.stack([bright, 1 - bright], dim=1)}
        outputs |= {"valence": loud.expand(len(clip)), "arousal": pitch.expand(len(clip))}
        scores.append(Scores(clip.times, outputs))
    return scores


def listener(**fields: object) -> object:
    return model_of(
        by_loudness, **{"outputs": ("labels", "valence", "arousal"), "sound_rate": RATE, **fields}
    )


def stores_of(
    folder: Path, targets: Targets, harms: Sequence[Harm], batch: int = 1, **fields: object
) -> list[Store]:
    run, model = RunFolder(folder / "run"), listener(**fields)
    return [Store(run, Cell(model, "t", targets, harm, 0, "fp32"), batch) for harm in harms]


def rows(store: Store) -> dict[str, dict[str, object]]:
    return {row["target"]: row for row in pq.read_table(store.folder.predictions).to_pylist()}


def frames(store: Store, name: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in pq.read_table(store.folder.frames).to_pylist():
        found.setdefault(row["target"], []).append(row[name])
    return found


@pytest.fixture
def media(film: Callable[..., Path]) -> list[str]:
    """Three films of two seconds, each with a tone of its own."""
    for name, tone in (("a.mp4", 300.0), ("b.mp4", 700.0), ("c.mp4", 1100.0)):
        film(name, frames=60, tone=tone)
    return ["a.mp4", "b.mp4", "c.mp4"]


def test_the_sound_is_harmed_once_a_medium_and_the_pictures_are_as_they_were(
    tmp_path: Path, media: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    harmed, plain = [], SOUND_PERTURBATIONS["desynchronisation"]

    def counted(recording: Recording, amount: float, stream: object) -> Recording:
        harmed.append(recording.id)
        return plain.apply(recording, amount, stream)  # type: ignore[arg-type]

    monkeypatch.setitem(SOUND_PERTURBATIONS, "desynchronisation", replace(plain, apply=counted))
    harms = [LATE, CLEAN, Harm("gamma", 2, "frame"), SILENT]
    stores = stores_of(tmp_path, targets_of(tmp_path, media), harms)
    predict_cells(RunFolder(tmp_path / "run"), stores, Options(CPU, workers=2))
    assert sorted(harmed) == media  # of two windows each
    late, clean, gamma, silent = stores
    for name in media:
        samples = load_sound(tmp_path / name, RATE).astype(float)
        loud = np.sqrt(np.square(samples).mean())
        shifted = np.concatenate([np.zeros(round(1.4 * RATE)), samples])[: len(samples)]
        assert frames(clean, "valence")[name] == pytest.approx([loud] * 60, rel=1e-6)
        assert frames(gamma, "valence")[name] == frames(clean, "valence")[name]
        assert frames(late, "valence")[name] == pytest.approx(
            [np.sqrt(np.square(shifted).mean())] * 60, rel=1e-6
        )
        assert frames(silent, "valence")[name] == [0.0] * 60
        assert frames(late, "p_happiness")[name] == frames(clean, "p_happiness")[name]
        assert frames(gamma, "p_happiness")[name] != frames(clean, "p_happiness")[name]


def test_the_voice_of_another_is_anothers(tmp_path: Path, media: list[str]) -> None:
    (store,) = stores_of(tmp_path, targets_of(tmp_path, media), [OTHER])
    predict_cells(RunFolder(tmp_path / "run"), [store], Options(CPU))
    own = dict(zip(media, (0.3, 0.7, 1.1), strict=True))
    for name, row in rows(store).items():
        assert min(abs(row["arousal"] - own[other]) for other in media if other != name) < 0.01
        loud = np.sqrt(float(active_power(Sound(torch.from_numpy(load_sound(tmp_path / name, RATE)), RATE))))
        assert row["valence"] == pytest.approx(loud, rel=0.1)


@pytest.mark.parametrize("name", ["background_noise", "mismatched_voice", "reverberation", "telephone"])
def test_the_same_cells_end_in_the_same_bytes(tmp_path: Path, media: list[str], name: str) -> None:
    tables = []
    for number, (workers, batch) in enumerate([(1, 1), (3, 3)]):
        folder = tmp_path / str(number)
        stores = stores_of(folder, targets_of(tmp_path, media), [Harm(name, 4, "sound")], batch)
        predict_cells(RunFolder(folder / "run"), stores, Options(CPU, workers=workers))
        tables.append([(store.key, rows(store)) for store in stores])
    assert tables[0] == tables[1]


def test_a_video_without_sound_costs_its_row_and_never_anothers(
    tmp_path: Path, film: Callable[..., Path], media: list[str]
) -> None:
    film("mute.mp4", frames=10)
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    names = ["mute.mp4", *media, "broken.mp4"]
    harms = [CLEAN, *(Harm(name, 3, "sound") for name in SOUND_PERTURBATIONS)]
    stores = stores_of(tmp_path, targets_of(tmp_path, names), harms)
    predict_cells(RunFolder(tmp_path / "run"), stores, Options(CPU))
    for store in stores:
        found = rows(store)
        assert {name: row["status"] for name, row in found.items()} == {
            **dict.fromkeys(media, "ok"), "mute.mp4": "decode_error", "broken.mp4": "decode_error"
        }  # fmt: skip
        assert found["mute.mp4"]["fault"] == (
            "no sound. Allowed: a medium with sound, for a model that listens. Add its sound track."
        )


def test_where_no_other_has_a_sound(tmp_path: Path, film: Callable[..., Path]) -> None:
    film("a.mp4", frames=10, tone=440.0)
    for number in range(3):
        film(f"mute{number}.mp4", frames=10 + number)
    names = ["a.mp4", *(f"mute{number}.mp4" for number in range(3))]
    (store,) = stores_of(tmp_path, targets_of(tmp_path, names), [OTHER])
    predict_cells(RunFolder(tmp_path / "run"), [store], Options(CPU))
    assert rows(store)["a.mp4"]["fault"] == (
        "none of the others whose sound could stand for its own has one. Allowed: data whose media have sound. Leave the condition out."
    )


def test_a_sound_file_of_its_own_is_harmed_and_stands_for_others(tmp_path: Path) -> None:
    """Pictures with sound files beside them: the other's file is heard, not the other's picture."""
    names = ["a", "b"]
    for number, name in enumerate(names):
        write_picture(tmp_path / f"{name}.png", LABELS[number])
        with wave.open(str(tmp_path / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            times = np.arange(RATE) / RATE
            tone = 8000 * np.sin(2 * np.pi * (400 + 300 * number) * times)
            file.writeframes(tone.astype("<i2").tobytes())
    table = pa.table({
        "target": names, "subject": ["s", "t"], "label": list(LABELS),
        "media": [f"{name}.png" for name in names], "audio": [f"{name}.wav" for name in names],
    })  # fmt: skip
    targets = digest_media(validate_targets(table, Facts(name="t", media_kind="aligned"), "T.csv", tmp_path))
    clean, other, silent = stores_of(tmp_path, targets, [CLEAN, OTHER, SILENT])
    predict_cells(RunFolder(tmp_path / "run"), [clean, other, silent], Options(CPU))
    assert [rows(clean)[name]["arousal"] for name in names] == pytest.approx([0.4, 0.7])
    assert [rows(other)[name]["arousal"] for name in names] == pytest.approx([0.7, 0.4])
    assert [rows(silent)[name]["valence"] for name in names] == [0, 0]
    assert plan(tmp_path, targets, "sound")[1] == ("telephone-1-sound", "sound")


def test_a_model_that_does_not_listen_is_decoded_with_the_rest(
    tmp_path: Path, film: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As doubles are, which look at nothing: one decoding, and no sound is loaded."""
    film("a.mp4", frames=5)
    decoded = []
    plain = reader.windows

    def counted(*words: object) -> object:
        decoded.append(words[1])
        return plain(*words)  # type: ignore[arg-type]

    def labels(clips: Sequence[Clip]) -> list[Scores]:
        assert all(clip.sound is None for clip in clips)
        return [Scores(clip.times, {"labels": torch.full((len(clip), 2), 0.5)}) for clip in clips]

    monkeypatch.setattr(reader, "windows", counted)
    run, model, targets = RunFolder(tmp_path / "run"), model_of(labels), targets_of(tmp_path, ["a.mp4"])
    stores = [Store(run, Cell(model, "t", targets, harm, 0, "fp32"), 1) for harm in (CLEAN, SILENT, LATE)]
    predict_cells(run, stores, Options(CPU))
    assert decoded == ["a.mp4"]
    assert all(store.done for store in stores)


def test_what_enters_the_key() -> None:
    assert LATE.describe() == {"name": "desynchronisation", "version": 1, "amount": 1400.0, "where": "sound"}
    assert LATE.label == "desynchronisation-5-sound"
    assert [harm.of_sound for harm in (CLEAN, LATE, Harm("missing_picture", 5, "frame"))] == [
        False,
        True,
        False,
    ]
    assert not any((LATE.of_film, LATE.of_picture, LATE.of_face))


def test_has_sound(tmp_path: Path, film: Callable[..., Path]) -> None:
    write_picture(tmp_path / "a.png")
    (tmp_path / "b.mp4").write_bytes(b"no video")
    assert has_sound(film("sound.mp4", frames=5, tone=440.0))
    assert not has_sound(film("mute.mp4", frames=5))
    assert not has_sound((tmp_path / "a.png").read_bytes())
    assert has_sound(tmp_path / "b.mp4")  # nothing is known of it
    assert has_sound(tmp_path / "none.mp4")


def test_a_recording_alone_has_no_other() -> None:
    own = Recording("x", Sound(torch.ones(5), RATE))
    with pytest.raises(ValueError, match="no other medium"):
        SOUND_PERTURBATIONS["mismatched_voice"](own, 1, 0)


LISTENER = """
from bench.predict.pipeline import Pipeline

def build(request):
    return Pipeline(predict=lambda clips: [], labels=("happiness", "fear"), sound_rate=RATE)
"""


def plan(
    folder: Path, targets: Targets, where: str | None, name: str = "telephone", model: str = "ears",
) -> list[tuple[str, str | None]]:  # fmt: skip
    for entry, rate in (("ears", "16000"), ("eyes", "None")):
        path = folder / "zoo" / entry
        path.mkdir(parents=True)
        (path / "model.py").write_text(LISTENER.replace("RATE", rate))
        (path / "CARD.md").write_text(f"# {entry}\n\nMade for a test.\n")
    condition = Condition(perturb=name, severities=(1,), where=where)  # type: ignore[arg-type]
    suite = Suite(suite="s", data=(DataSource(adapter="manifest"),), conditions=(condition,))
    question = Question(suite, {"t": targets}, lambda kind, name: f"{kind} {name}")
    cells = plan_cells(question, [parse_choice(model)], Zoo([folder / "zoo"]), CPU, "fp32")
    return [(cell.harm.label, cell.harm.where) for cell in cells]


@pytest.mark.parametrize("model", ["ears", "chance"])
@pytest.mark.parametrize("kind", ["frame", "aligned"])
def test_sounds_are_planned(tmp_path: Path, media: list[str], model: str, kind: str) -> None:
    planned = plan(tmp_path, targets_of(tmp_path, media, media_kind=kind), "sound", model=model)
    assert planned == [("clean", None), ("telephone-1-sound", "sound")]


@pytest.mark.parametrize("where", [None, "frame", "crop"])
def test_where_sound_is_said(tmp_path: Path, media: list[str], where: str | None) -> None:
    with pytest.raises(UserError) as refused:
        plan(tmp_path, targets_of(tmp_path, media), where)
    assert str(refused.value) == (
        "perturbation telephone: telephone acts on the sound, and the condition does not say so. Allowed: 'where: sound'. "
        "Write 'where: sound'."
    )


@pytest.mark.parametrize("name", ["missing_picture", "frame_rate"])
def test_where_sound_is_said_of_pictures(tmp_path: Path, media: list[str], name: str) -> None:
    with pytest.raises(UserError) as refused:
        plan(tmp_path, targets_of(tmp_path, media), "sound", name)
    assert str(refused.value) == (
        f"perturbation {name}: {name} acts on pictures, and the condition says 'where: sound'. Only what acts on the sound "
        "says so. Leave 'where: sound' out."
    )


def test_a_model_that_does_not_listen_is_refused(tmp_path: Path, media: list[str]) -> None:
    with pytest.raises(UserError) as refused:
        plan(tmp_path, targets_of(tmp_path, media), "sound", model="eyes")
    assert str(refused.value) == (
        "perturbation telephone: telephone acts on the sound, and eyes does not listen. A model that asks for sound at a "
        "rate. Leave the condition out, or the model."
    )


def test_media_without_sound_are_refused(tmp_path: Path, film: Callable[..., Path]) -> None:
    film("mute.mp4", frames=5)
    for model in ("ears", "chance"):
        with pytest.raises(UserError) as refused:
            plan(tmp_path / model, targets_of(tmp_path, ["mute.mp4"]), "sound", model=model)
        assert str(refused.value) == (
            "perturbation telephone: telephone acts on the sound, and the media of t have none. Media with a sound track, "
            "or a column 'audio' that names their sound files. Leave the condition out."
        )


def test_another_voice_needs_another(tmp_path: Path, media: list[str]) -> None:
    both = targets_of(tmp_path, media)
    assert plan(tmp_path / "1", both, "sound", "mismatched_voice")[1][0] == "mismatched_voice-1-sound"
    alone = replace(both, table=both.table.set_column(2, "subject", pa.array(["s"] * 3)))
    with pytest.raises(UserError) as refused:
        plan(tmp_path / "2", alone, "sound", "mismatched_voice")
    assert str(refused.value) == (
        "perturbation mismatched_voice: mismatched_voice takes the voice of another, and there is none for a.mp4. For each "
        "target another of another subject, clip and medium. Leave the condition out."
    )


def test_the_window_hears_the_whole_sound(film: Callable[..., Path]) -> None:
    path = film("a.mp4", frames=60, tone=440.0)
    late: Perturbation[Recording] = SOUND_PERTURBATIONS["desynchronisation"]
    medium = reader.Medium("x", path, Sampling(), RATE, hear=lambda recording: late(recording, 1, 0))
    found = list(reader.read_medium(medium, CPU))
    assert len(found) == 2
    assert found[0].sound is found[1].sound
    samples = load_sound(path, RATE)
    assert found[0].sound is not None
    assert np.array_equal(found[0].sound.samples[1000:].numpy(), samples[:-1000])
