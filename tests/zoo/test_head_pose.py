"""Real heads, turned and nodded, as two networks see them that took no part in it: FSA-Net, and the mesh found anew."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from bench.predict.clip import Clip, Sampling
from bench.predict.decode import decode
from bench.predict.mesh import mesh_angles
from bench.predict.meshes import MeshFinder, load_mesh_finder
from bench.predict.perturb import FACE_PERTURBATIONS
from bench.predict.pipeline import Build
from bench.predict.pose import Pose, mean_angles
from bench.predict.zoo import Zoo

CPU = torch.device("cpu")
CLIPS = ["opendbm_av/subj01_timepoint01.mp4", "opendbm_av/subj02_timepoint01.mp4"]


@pytest.fixture(scope="module")
def instruments(weights):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
        request = Build(CPU, torch.float32)
        names = ("fsanet@1x1", "fsanet@var")
        poses = [Zoo().load_part(name, "pose", request, ("", "")).built for name in names]
        return load_mesh_finder(Zoo(), CPU, "here"), poses


def angles(finder: MeshFinder, poses: list[Pose], clip: Clip) -> tuple[float, float, float, float]:
    """FSA-Net's yaw and pitch, and those of the mesh's lines between the eyes and from brow to chin; degrees."""
    boxes = np.stack([faces.boxes[0] for faces in finder.finder.detect([clip])[0]])
    squares = np.stack([boxes[:, 0] + 1j * boxes[:, 1], boxes[:, 2:].max(1)], 1)
    squares[:, 0] += (boxes[:, 2] - squares[:, 1].real) / 2 + 1j * (boxes[:, 3] - squares[:, 1].real) / 2
    yaw, pitch, _ = mean_angles(poses, [(clip.frames, np.arange(len(clip)), squares)]).mean(0)
    (found,) = finder.find([clip], aligned=False)
    assert found.which.tolist() == list(range(len(clip)))
    line = found.meshes[:, 152] - found.meshes[:, 10]
    nod = np.degrees(np.arctan2(line[:, 2], line[:, 1])).mean()
    return yaw, pitch, mesh_angles(found.meshes)[:, 0].mean(), -nod


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize(
    ("harm", "seen", "least"), [("yaw", (0, 2), (0.6, 0.4)), ("pitch", (1, 3), (0.2, 0.4))]
)
def test_a_turned_head_is_seen_as_turned(shared, instruments, name, harm, seen, least):
    """FSA-Net sees about .8 of a turn and .4 of a nod, the mesh network .65 and .7 of them."""
    finder, poses = instruments
    (clip,) = decode(shared / "data" / name, name, Sampling(count=2), CPU)
    (faces,) = finder.find([clip], aligned=False)
    perturbation = FACE_PERTURBATIONS[harm]
    for seed in (0, 1) if harm == "yaw" else (0,):
        before = np.array(angles(finder, poses, clip))
        found = [perturbation(faces, severity, seed).clip for severity in (2, 4)]
        moved = [np.array(angles(finder, poses, one)) - before for one in found]
        asked = [perturbation.levels[severity - 1] for severity in (2, 4)]
        for network, share in zip(seen, least, strict=True):
            sizes = [0.0, *(abs(change[network]) for change in moved)]
            assert all(small + 1 < large for small, large in pairwise(sizes)), moved
            assert all(share < size / want < 1.25 for size, want in zip(sizes[1:], asked, strict=True)), moved
        # Both see it to the same side.
        assert len({np.sign(change[network]) for change in moved for network in seen}) == 1
        across = {0, 1} - set(seen)  # what it was not asked to change
        assert all(abs(change[network]) < 7 for change in moved for network in across)
