"""Laws that every perturbation of fitted faces keeps, by table over FACE_PERTURBATIONS, on a made face."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from bench.predict.perturb import FACE_PERTURBATIONS, FILM_PERTURBATIONS, PERTURBATIONS, Perturbation
from bench.predict.perturb.face import FaceClip
from tests.laws.test_perturbations import SEVERITIES, Devices, difference, draw
from tests.predict.faces import faces_in


def scene(frames: int = 4, height: int = 96, width: int = 112, name: str = "clip") -> FaceClip:
    """A moving scene with one made face in every frame but the second."""
    return faces_in(draw(frames, height, width, name), *(n for n in range(frames) if n != 1))


def rows_of(faces: FaceClip, rows: np.ndarray) -> FaceClip:
    """The faces of some frames, as another window would have them."""
    clip = faces.clip
    clip = replace(clip, frames=clip.frames[rows], index=clip.index[rows], times=clip.times[rows])
    kept = np.isin(faces.which, rows)
    which = np.searchsorted(rows, faces.which[kept])
    return FaceClip(clip, which, faces.meshes[kept], faces.scores[kept])


def apart(one: FaceClip, other: FaceClip) -> float:
    return difference(one.clip, other.clip)


@pytest.fixture(params=sorted(FACE_PERTURBATIONS))
def perturbation(request: pytest.FixtureRequest) -> Perturbation[FaceClip]:
    return FACE_PERTURBATIONS[request.param]


def test_the_registry_is_named_by_hand() -> None:
    assert sorted(FACE_PERTURBATIONS) == [
        "mask", "phone", "pitch", "shadow_edge", "side_light", "sunglasses", "yaw",
    ]  # fmt: skip
    assert all(name == perturbation.name for name, perturbation in FACE_PERTURBATIONS.items())
    assert not set(FACE_PERTURBATIONS) & {*PERTURBATIONS, *FILM_PERTURBATIONS}


def test_five_rising_levels_with_unit_and_source(perturbation: Perturbation[FaceClip]) -> None:
    assert list(perturbation.levels) == sorted(set(perturbation.levels))
    assert len(perturbation.levels) == 5
    assert perturbation.unit
    assert len(perturbation.source) > 20
    assert perturbation.version >= 1


def test_severity_zero_is_the_clip_itself(perturbation: Perturbation[FaceClip]) -> None:
    faces = scene()
    assert perturbation(faces, 0, 0) is faces


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_same_bytes_again(perturbation: Perturbation[FaceClip], severity: int) -> None:
    faces = scene()
    before = faces.clip.frames.clone()
    once, again = perturbation(faces, severity, 5), perturbation(faces, severity, 5)
    assert torch.equal(once.clip.frames, again.clip.frames)
    assert torch.equal(faces.clip.frames, before)
    others = [perturbation(faces, severity, seed) for seed in range(6, 12)]
    assert any(apart(once, other) > 0.1 for other in others) == perturbation.random


def test_a_frame_without_a_face_stays_as_it_is(perturbation: Perturbation[FaceClip]) -> None:
    faces = scene()
    found = perturbation(faces, 5, 0).clip.frames
    assert torch.equal(found[1], faces.clip.frames[1])
    assert all(not torch.equal(found[n], faces.clip.frames[n]) for n in (0, 2, 3))
    none = FaceClip(faces.clip, *(part[:0] for part in (faces.which, faces.meshes, faces.scores)))
    assert torch.equal(perturbation(none, 5, 0).clip.frames, faces.clip.frames)
    assert (faces.unfitted, none.unfitted) == (1, 4)


def test_windows_do_not_matter(perturbation: Perturbation[FaceClip]) -> None:
    faces = scene(frames=7)
    whole = perturbation(faces, 3, 0).clip.frames
    for size in (1, 2, 5):
        windows = [np.arange(at, min(at + size, 7)) for at in range(0, 7, size)]
        parts = [perturbation(rows_of(faces, rows), 3, 0).clip.frames for rows in windows]
        assert torch.equal(torch.cat(parts), whole)


def test_clips_differ_and_persons_share(perturbation: Perturbation[FaceClip]) -> None:
    one, *others = (perturbation(scene(name=f"clip {number}"), 2, 0) for number in range(6))
    found = [apart(one, other) for other in others]
    assert max(found) > 0.1 if perturbation.random else max(found) == 0
    other = scene(name="clip 0")
    other = replace(other, clip=replace(other.clip, track=3))
    assert torch.equal(perturbation(other, 2, 0).clip.frames, one.clip.frames)


def test_harm_grows_with_severity(perturbation: Perturbation[FaceClip]) -> None:
    faces = scene(frames=1, height=128, width=128)
    harms = [apart(perturbation(faces, severity, 0), faces) for severity in range(6)]
    assert all(before * 1.05 < after for before, after in pairwise(harms[1:])), harms
    assert harms[1] > 1


@pytest.mark.parametrize(("frames", "height", "width"), [(1, 8, 8), (3, 8, 8), (1, 1, 1), (2, 33, 47)])
def test_shape_type_and_device_are_kept(
    perturbation: Perturbation[FaceClip], frames: int, height: int, width: int
) -> None:
    faces = scene(frames, height, width)
    strided = faces.with_frames(faces.clip.frames.to(memory_format=torch.channels_last))
    for severity in SEVERITIES:
        found = perturbation(faces, severity, 0)
        assert found.clip.frames.shape == faces.clip.frames.shape
        assert found.clip.frames.dtype == torch.uint8
        assert found.clip.frames.is_contiguous()
        assert (found.id, found.clip.track) == (faces.id, faces.clip.track)
        assert found.clip.times is faces.clip.times
        assert np.array_equal(found.which, faces.which)
        assert np.array_equal(found.meshes, faces.meshes)
        other = perturbation(strided, severity, 0).clip.frames
        assert other.is_contiguous()
        assert torch.equal(other, found.clip.frames)


def test_a_face_beyond_the_frame(perturbation: Perturbation[FaceClip]) -> None:
    """Half out of it, around it, or not in it at all."""
    faces = scene()
    height, width = faces.clip.frames.shape[-2:]
    for shift, scale in ((width / 2, 1.0), (9 * width, 1.0), (0.0, 8.0), (0.0, 0.02)):
        meshes = (faces.meshes - [width / 2, height / 2, 0]) * scale + [width / 2 + shift, height / 2, 0]
        found = perturbation(replace(faces, meshes=meshes), 5, 0).clip.frames
        assert found.shape == faces.clip.frames.shape


def test_no_tensor_is_made_off_the_device(perturbation: Perturbation[FaceClip]) -> None:
    faces = scene()
    elsewhere = faces.with_frames(faces.clip.frames.to("meta"))
    with Devices() as devices:
        found = perturbation(elsewhere, 4, 0).clip.frames
    assert found.device.type == "meta"
    # Numbers of the host, as of a mesh, may come over; nothing is computed there.
    assert devices.seen.pop("cpu", set()) <= {"aten.lift_fresh.default"}
    assert set(devices.seen) == {"meta"}, devices.seen


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("severity", SEVERITIES)
def test_cuda_agrees(perturbation: Perturbation[FaceClip], severity: int) -> None:
    faces = scene(height=224, width=224)
    here = perturbation(faces, severity, 0).clip.frames.int()
    there = perturbation(faces.with_frames(faces.clip.frames.cuda()), severity, 0).clip.frames
    assert there.is_cuda
    assert ((there.cpu().int() - here).abs() <= 1).double().mean() >= 0.999


@pytest.mark.parametrize("severity", SEVERITIES)
def test_golden_signature(perturbation: Perturbation[FaceClip], severity: int) -> None:
    """Pixels that move without a new version fail here: mean and deviation of each channel."""
    frames = perturbation(scene(), severity, 0).clip.frames.double()
    found = [*frames.mean((0, 2, 3)).tolist(), *frames.std((0, 2, 3)).tolist()]
    expected = GOLDEN[perturbation.name, perturbation.version, severity]
    assert np.abs(np.array(found) - expected).max() <= 1e-3 * 255, found


GOLDEN: dict[tuple[str, int, int], list[float]] = {
    ("mask", 1, 1): [138.485, 132.62, 141.115, 73.078, 75.188, 73.451],
    ("mask", 1, 2): [138.605, 131.924, 141.953, 72.798, 74.729, 71.134],
    ("mask", 1, 3): [138.979, 132.401, 142.474, 72.202, 75.008, 68.283],
    ("mask", 1, 4): [139.338, 133.974, 142.581, 71.606, 75.615, 66.387],
    ("mask", 1, 5): [139.454, 136.159, 142.391, 71.013, 76.026, 64.964],
    ("phone", 1, 1): [118.685, 115.048, 118.542, 58.782, 79.27, 77.888],
    ("phone", 1, 2): [116.88, 109.94, 113.184, 57.913, 79.056, 77.453],
    ("phone", 1, 3): [116.284, 105.323, 108.134, 57.716, 78.578, 76.763],
    ("phone", 1, 4): [116.653, 100.801, 103.001, 57.796, 77.845, 75.808],
    ("phone", 1, 5): [119.675, 96.336, 98.678, 59.778, 76.78, 75.2],
    ("pitch", 1, 1): [138.628, 135.194, 138.471, 73.066, 77.049, 75.745],
    ("pitch", 1, 2): [138.562, 135.551, 138.528, 73.074, 77.521, 75.293],
    ("pitch", 1, 3): [138.446, 135.95, 138.389, 73.095, 78.316, 74.87],
    ("pitch", 1, 4): [138.286, 136.389, 138.056, 73.139, 79.42, 74.403],
    ("pitch", 1, 5): [138.076, 136.832, 137.499, 73.191, 80.783, 73.981],
    ("shadow_edge", 1, 1): [116.256, 118.941, 120.444, 62.491, 75.111, 71.505],
    ("shadow_edge", 1, 2): [99.465, 107.09, 107.306, 60.094, 77.309, 72.195],
    ("shadow_edge", 1, 3): [86.924, 98.306, 97.502, 62.054, 80.808, 75.257],
    ("shadow_edge", 1, 4): [77.558, 91.855, 90.251, 65.419, 84.29, 78.763],
    ("shadow_edge", 1, 5): [70.543, 87.078, 84.921, 68.868, 87.316, 81.941],
    ("side_light", 1, 1): [121.866, 115.15, 118.847, 69.436, 66.49, 68.912],
    ("side_light", 1, 2): [110.8, 101.727, 105.669, 69.416, 62.433, 66.771],
    ("side_light", 1, 3): [103.668, 92.792, 96.898, 70.788, 61.826, 67.246],
    ("side_light", 1, 4): [99.193, 86.985, 91.199, 72.379, 62.653, 68.584],
    ("side_light", 1, 5): [96.443, 83.282, 87.551, 73.714, 63.824, 69.996],
    ("sunglasses", 1, 1): [135.904, 132.885, 134.608, 73.714, 77.845, 75.802],
    ("sunglasses", 1, 2): [133.694, 131.216, 131.685, 74.269, 78.842, 75.188],
    ("sunglasses", 1, 3): [131.422, 129.512, 128.68, 75.781, 80.349, 76.116],
    ("sunglasses", 1, 4): [129.947, 128.4, 126.726, 77.253, 81.592, 77.548],
    ("sunglasses", 1, 5): [128.731, 127.498, 125.106, 78.741, 82.747, 79.209],
    ("yaw", 1, 1): [138.402, 134.865, 137.721, 73.221, 76.911, 76.571],
    ("yaw", 1, 2): [138.279, 134.952, 137.091, 73.771, 76.947, 77.014],
    ("yaw", 1, 3): [138.288, 135.106, 136.373, 74.581, 76.973, 77.415],
    ("yaw", 1, 4): [138.399, 135.279, 135.495, 75.752, 77.019, 77.817],
    ("yaw", 1, 5): [138.651, 135.514, 134.556, 77.139, 77.076, 78.103],
}
