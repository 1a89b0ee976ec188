"""Media as people have them, under every condition of a suite: one row each, whatever they are.

Corrupt, tiny, grey, see-through, huge, upright, turned, of one frame and silent: a face is found where one is
to be seen, a status says why where not, and no condition stops the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from bench.predict.perturb import FILM_PERTURBATIONS
from bench.suite import find_suite, read_suite
from tests.e2e.conftest import Affectbench

STATUS_OF_STILLS = {
    "corrupt.jpg": "decode_error", "empty.png": "decode_error", "tiny.png": "no_face", "grey.png": "ok",
    "alpha.png": "ok", "huge.png": "ok", "upright.jpg": "ok", "depth.png": "ok",
}  # fmt: skip
STATUS_OF_VIDEOS = {
    "corrupt.mp4": "decode_error", "tiny.mp4": "no_face", "one.mp4": "ok", "silent.mp4": "ok",
    "upright.mp4": "ok", "grey.mkv": "ok", "odd.mkv": "ok",
}  # fmt: skip


@pytest.fixture(scope="module")
def face(shared: Path) -> np.ndarray:
    """A real face, BGR, 480 x 640."""
    with av.open(str(shared / "data" / "opendbm_av" / "subj01_timepoint01.mp4")) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="bgr24")
    return cv2.resize(frame, (640, 480), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def stills(face: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stills")
    coded = cv2.imencode(".jpg", face)[1].tobytes()
    (folder / "corrupt.jpg").write_bytes(coded[: len(coded) // 2])
    (folder / "empty.png").write_bytes(b"")
    alpha = np.dstack([face, np.tile(np.linspace(0, 255, 640).astype(np.uint8), (480, 1))])
    made = {
        "tiny.png": cv2.resize(face, (8, 8)), "grey.png": cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), "alpha.png": alpha,
        "huge.png": cv2.resize(face, (3840, 2160)), "upright.jpg": upright(face),
        "depth.png": face.astype(np.uint16) * 257,
    }  # fmt: skip
    for name, pixels in made.items():
        assert cv2.imwrite(str(folder / name), pixels)
    return folder


@pytest.fixture(scope="module")
def videos(face: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    small = cv2.resize(face, (320, 240), interpolation=cv2.INTER_AREA)
    write(folder / "tiny.mp4", [cv2.resize(face, (8, 8))] * 10)
    write(folder / "one.mp4", [small])
    write(folder / "silent.mp4", [small] * 25)
    write(folder / "upright.mp4", [upright(small)] * 10)
    write(folder / "grey.mkv", [small] * 10, "ffv1", "gray")
    write(folder / "odd.mkv", [small[:239, :319]] * 10, "ffv1", "bgr0")
    coded = (folder / "silent.mp4").read_bytes()
    (folder / "corrupt.mp4").write_bytes(coded[: len(coded) // 2])
    return folder


def upright(face: np.ndarray) -> np.ndarray:
    """The face in a picture that is higher than wide."""
    height, width = face.shape[:2]
    return cv2.copyMakeBorder(face, width, width // 2, 0, 0, cv2.BORDER_REPLICATE)[: 2 * height + width]


def write(path: Path, frames: list[np.ndarray], codec: str = "libx264", pix_fmt: str = "yuv420p") -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(stream.encode())


def statuses(run: Path) -> Iterator[tuple[str, dict[str, str]]]:
    for path in sorted(run.rglob("predictions.parquet")):
        rows = pq.read_table(path).to_pylist()
        yield path.parent.name, {row["target"]: row["status"] for row in rows}


def predict(affectbench: Affectbench, shared: Path, folder: Path, names: dict[str, str], suite: str) -> Path:
    lines = [f"{name},{name},s{place},neutral" for place, name in enumerate(names)]
    (folder / "T.csv").write_text("\n".join(["target,media,subject,label", *lines, ""]))
    done = affectbench(
        "run", "--model", "mini-xception", "--targets", "T.csv", "--root", ".", "--out", "RUN", "--suite", suite,
        "--tracking-uri", "off", "--quiet", cwd=folder, env={"AFFECTBENCH_WEIGHTS": str(shared / "weights")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "RUN"


def test_stills_under_robustness_core(affectbench: Affectbench, shared: Path, stills: Path) -> None:
    run = predict(affectbench, shared, stills, STATUS_OF_STILLS, "robustness-core")
    found = dict(statuses(run))
    assert len(found) == 1 + len(read_suite(find_suite("robustness-core")).suite.conditions)
    assert found.pop("clean") == STATUS_OF_STILLS
    for condition, rows in found.items():
        assert set(rows) == set(STATUS_OF_STILLS), condition
        assert [rows["corrupt.jpg"], rows["empty.png"], rows["tiny.png"]] == ["decode_error"] * 2 + [
            "no_face"
        ]
        assert set(rows.values()) <= {"ok", "no_face", "decode_error"}, condition
    audit = affectbench("audit", "RUN", cwd=stills)
    assert audit.returncode == 0, audit.stdout + audit.stderr


def test_videos_under_every_harm_of_whole_videos(
    affectbench: Affectbench, shared: Path, videos: Path
) -> None:
    lines = [f"  - {{perturb: {name}, severities: [3]}}" for name in FILM_PERTURBATIONS]
    (videos / "S.yaml").write_text("\n".join(["suite: odd", "conditions:", *lines, "draws: 999", ""]))
    found = dict(statuses(predict(affectbench, shared, videos, STATUS_OF_VIDEOS, "S.yaml")))
    assert len(found) == 1 + len(FILM_PERTURBATIONS)
    assert found.pop("clean") == STATUS_OF_VIDEOS
    for condition, rows in found.items():
        assert set(rows) == set(STATUS_OF_VIDEOS), condition
        assert [rows["corrupt.mp4"], rows["tiny.mp4"]] == ["decode_error", "no_face"], condition
        assert set(rows.values()) <= {"ok", "no_face", "decode_error"}, condition
