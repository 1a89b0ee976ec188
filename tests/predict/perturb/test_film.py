"""Laws that every perturbation of whole videos keeps, by table over FILM_PERTURBATIONS."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from bench.errors import UserError
from bench.predict.clip import Sampling
from bench.predict.decode import windows
from bench.predict.film import Film, Window, shown
from bench.predict.perturb import FILM_PERTURBATIONS, PERTURBATIONS, Perturbation
from bench.synth.drawn import draw_face

SEVERITIES = range(1, 6)
CODECS = ("h264", "packet_loss", "vp9")
EVERY = Sampling()


@pytest.fixture(params=sorted(FILM_PERTURBATIONS))
def perturbation(request: pytest.FixtureRequest) -> Perturbation[Film]:
    return FILM_PERTURBATIONS[request.param]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of noise that moves before a still one, where every frame differs from all others."""
    path = tmp_path_factory.mktemp("scene") / "a.mp4"
    rng = np.random.default_rng(0)
    ground = np.kron(rng.integers(0, 256, (12, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    thing = rng.integers(0, 256, (40, 40, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"qp": "8", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(120):
            pixels = ground.copy()
            pixels[:8] = 2 * number
            pixels[20 + number // 5 : 60 + number // 5, number // 2 : number // 2 + 40] = thing
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def altered(
    path: Path, perturbation: Perturbation[Film], severity: int, seed: int = 0, target: str = "x",
    sampling: Sampling = EVERY, window: int = 32,
) -> Window:  # fmt: skip
    alter = partial(perturbation, severity=severity, seed=seed)
    parts = list(windows(path, target, sampling, window, alter))
    return torch.cat([p for p, _, _ in parts]), *(np.concatenate([w[i] for w in parts]) for i in (1, 2))


def untouched(path: Path, sampling: Sampling = EVERY) -> Window:
    parts = list(windows(path, "x", sampling, 32))
    return torch.cat([p for p, _, _ in parts]), *(np.concatenate([w[i] for w in parts]) for i in (1, 2))


def same(one: Window, other: Window) -> bool:
    return torch.equal(one[0], other[0]) and all(np.array_equal(one[i], other[i]) for i in (1, 2))


def distance(one: Window, other: Window) -> float:
    return float((one[0].double() - other[0].double()).abs().mean())


def test_the_registry_is_named_by_hand() -> None:
    assert sorted(FILM_PERTURBATIONS) == [
        "dropped_frames", "frame_rate", "frozen", "h264", "jitter", "low_light_h264", "packet_loss", "reversed",
        "shuffled", "speed", "vp9",
    ]  # fmt: skip
    assert all(name == perturbation.name for name, perturbation in FILM_PERTURBATIONS.items())
    assert not set(FILM_PERTURBATIONS) & set(PERTURBATIONS)


def test_five_rising_levels_with_unit_and_source(perturbation: Perturbation[Film]) -> None:
    assert len(perturbation.levels) == 5
    assert list(perturbation.levels) == sorted(set(perturbation.levels))
    assert perturbation.unit
    assert len(perturbation.source) > 20
    assert perturbation.version >= 1


def test_severity_zero_is_the_film_itself(perturbation: Perturbation[Film], scene: Path) -> None:
    film = Film("x", np.zeros(1), np.zeros(1, np.int64), iter(()))
    assert perturbation(film, 0, 0) is film
    assert same(altered(scene, perturbation, 0), untouched(scene))


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_the_same_bytes_again(perturbation: Perturbation[Film], scene: Path, severity: int) -> None:
    once = altered(scene, perturbation, severity, seed=7)
    assert same(altered(scene, perturbation, severity, seed=7), once)
    assert not same(once, untouched(scene))
    if severity == 3:
        others = [
            altered(scene, perturbation, severity, seed=6),
            altered(scene, perturbation, severity, 7, "y"),
        ]
        assert [same(other, once) for other in others] == [not perturbation.random] * 2


def test_number_size_and_order_stay(perturbation: Perturbation[Film], scene: Path) -> None:
    pixels, index, times = altered(scene, perturbation, 5)
    assert pixels.shape == (120, 3, 96, 128)
    assert pixels.dtype == torch.uint8
    assert index.tolist() == list(range(120))
    assert times[0] == 0
    assert (np.diff(times) >= 0).all()
    if perturbation.name not in ("jitter", "speed"):
        assert np.array_equal(times, untouched(scene)[2])


def test_windows_do_not_matter(perturbation: Perturbation[Film], scene: Path) -> None:
    whole = altered(scene, perturbation, 4, window=200)
    for size in (1, 7):
        assert same(altered(scene, perturbation, 4, window=size), whole)


@pytest.mark.parametrize("sampling", [Sampling(rate=5), Sampling(count=7)])
def test_what_is_sampled_is_what_is_shown(
    perturbation: Perturbation[Film], scene: Path, sampling: Sampling
) -> None:
    pixels, _, times = altered(scene, perturbation, 4)
    some = altered(scene, perturbation, 4, sampling=sampling, window=3)
    assert 1 < len(some[1]) < 40
    assert same(some, (pixels[some[1]], some[1], times[some[1]]))


def test_a_video_of_one_frame(perturbation: Perturbation[Film], film: Callable[..., Path]) -> None:
    path = film("a.mp4", frames=1)
    for severity in SEVERITIES:
        pixels, index, times = altered(path, perturbation, severity)
        assert (pixels.shape, index.tolist(), times.tolist()) == ((1, 3, 48, 64), [0], [0.0])
        if perturbation.name != "low_light_h264":  # whose light is lost on one frame as on many
            assert distance((pixels, index, times), untouched(path)) < 8  # at 1 kbit/s, the least there is


def test_a_still_image_is_refused(perturbation: Perturbation[Film], tmp_path: Path) -> None:
    for name, codec in (("a.png", "png"), ("a.jpg", "mjpeg"), ("a.bmp", "bmp")):
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        with av.open(str(tmp_path / name), "w", format="image2") as container:
            stream = container.add_stream(codec)
            stream.width = stream.height = 16
            stream.pix_fmt = {"png": "rgb24", "mjpeg": "yuvj420p", "bmp": "bgr24"}[codec]
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
        with pytest.raises(UserError, match="x: this is a still image, and a condition acts on whole videos"):
            altered(tmp_path / name, perturbation, 1)


@pytest.mark.parametrize("name", CODECS)
def test_harm_grows_with_severity(name: str, tmp_path: Path) -> None:
    path = tmp_path / "face.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"qp": "8", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
        for number in range(60):
            face = draw_face("happiness", "warm", "long", size=256, sway=0.1 * np.sin(number / 5))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(face, format="rgb24")))
        container.mux(stream.encode())
    perturbation, before = FILM_PERTURBATIONS[name], untouched(path)
    seeds = range(3) if perturbation.random else range(1)  # in a short clip no packet may be lost
    harms = [
        np.mean([distance(altered(path, perturbation, severity, seed), before) for seed in seeds])
        for severity in (0, 1, 3, 5)
    ]
    assert harms[0] == 0
    assert harms[1] > 0.2
    assert all(less < more for less, more in pairwise(harms)), harms


@pytest.mark.parametrize("name", CODECS)
def test_harm_grows_on_a_real_clip(name: str, shared: Path) -> None:
    path = shared / "data" / "intel_samples" / "milk.mkv"
    before = untouched(path, Sampling(rate=3))
    found = [altered(path, FILM_PERTURBATIONS[name], s, sampling=Sampling(rate=3)) for s in (1, 4, 5)]
    harms = [distance(each, before) for each in found]
    assert harms[0] > 0.3
    assert all(less < more for less, more in pairwise(harms)), harms


def test_where_no_later_frame_decodes_the_last_is_shown() -> None:
    frames = [(0, "a"), (1, "b"), (3, "d")]  # number 2 and 4 do not decode
    film = Film("x", np.arange(5) / 5, np.array([4, 3, 2, 1, 0]), iter(frames))  # type: ignore[arg-type]
    assert sorted(shown(film, np.array([0, 2, 4]))) == [(0, "d"), (2, "d"), (4, "a")]
    nothing = Film("x", np.arange(2) / 5, np.arange(2), iter([]))
    assert list(shown(nothing, np.arange(2))) == []
