"""Chains: what each link does alone, one after the other, through a file between them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from bench.predict.clip import Clip, Sampling
from bench.predict.decode import windows
from bench.predict.film import Film
from bench.predict.perturb import FILM_PERTURBATIONS, PERTURBATIONS
from bench.predict.perturb.chains import LOW_LIGHT_H264, chained
from bench.predict.perturb.codec import H264
from bench.predict.perturb.light import EXPOSURE, LOW_LIGHT
from bench.predict.perturb.stream import Stream
from bench.synth.drawn import draw_face

FRAMES = 20


def write(path: Path, frames: np.ndarray) -> Path:
    """Lossless RGB, so that the file holds what it was given."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def shown(path: Path, alter: object = None) -> torch.Tensor:
    return torch.cat([pixels for pixels, _, _ in windows(path, "x", Sampling(), 32, alter)])  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    drawn = [draw_face("fear", "warm", "long", size=160, sway=0.1 * np.sin(i / 5)) for i in range(FRAMES)]
    return write(tmp_path_factory.mktemp("faces") / "a.mkv", np.stack(drawn))


@pytest.mark.parametrize("severity", [1, 4])
def test_a_chain_is_its_links_with_a_lossless_file_between(
    faces: Path, tmp_path: Path, severity: int
) -> None:
    clean = shown(faces)
    seen = Clip("x", clean, np.arange(FRAMES), np.arange(FRAMES) / 30)
    stream = Stream.of(5, "x", "low_light_h264", LOW_LIGHT_H264.version)
    dark = LOW_LIGHT.apply(seen, LOW_LIGHT.levels[severity - 1], stream).frames
    between = write(tmp_path / "dark.mkv", dark.permute(0, 2, 3, 1).contiguous().numpy())
    assert torch.equal(shown(between), dark)
    expected = shown(between, partial(FILM_PERTURBATIONS["h264"], severity=severity, seed=0))
    found = shown(faces, partial(LOW_LIGHT_H264, severity=severity, seed=5))
    # The file holds BGR and the chain RGB, which FFmpeg takes to YUV by other sums.
    apart = (found.double() - expected.double()).abs()
    assert apart.mean() < 0.5
    assert apart.mean() < 0.1 * (expected.double() - clean.double()).abs().mean()


def test_batches_of_frames_do_not_matter(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = shown(faces, partial(LOW_LIGHT_H264, severity=3, seed=1))
    monkeypatch.setattr("bench.predict.perturb.chains._TOGETHER", 3)
    assert torch.equal(shown(faces, partial(LOW_LIGHT_H264, severity=3, seed=1)), whole)


@pytest.mark.parametrize(
    ("room", "sizes"), [(1 << 26, [8, 8, 4]), (3 * 160**2 * 3, [3] * 6 + [2]), (1, [1] * 20)]
)
def test_large_frames_are_fewer_at_once(
    faces: Path, monkeypatch: pytest.MonkeyPatch, room: int, sizes: list[int]
) -> None:
    monkeypatch.setattr("bench.predict.rgb._BYTES", room)
    seen: list[int] = []

    def note(clip: Clip, level: float, stream: Stream) -> Clip:
        seen.append(len(clip))
        return clip

    shown(faces, partial(chained("noted_h264", replace(EXPOSURE, apply=note), H264), severity=1, seed=0))
    assert seen == sizes


def test_what_a_chain_says_of_itself_follows_its_links() -> None:
    assert LOW_LIGHT_H264.version == 100 * LOW_LIGHT.version + H264.version
    assert LOW_LIGHT_H264.random
    assert all(link.source in LOW_LIGHT_H264.source for link in (LOW_LIGHT, H264))
    assert "low_light" in LOW_LIGHT_H264.unit
    bright = chained("exposure_h264", EXPOSURE, H264)
    assert bright.destroys_label_from == EXPOSURE.destroys_label_from
    assert not bright.random
    assert set(PERTURBATIONS).isdisjoint(FILM_PERTURBATIONS)


def test_severity_zero_does_nothing() -> None:
    film = Film("x", np.zeros(1), np.zeros(1, np.int64), iter(()))
    assert LOW_LIGHT_H264(film, 0, 0) is film
