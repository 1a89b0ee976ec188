"""The face mesh against OpenFace's published landmarks, turned and mirrored pictures, and FSA-Net's yaw."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest
import torch

from bench.predict.align import cut, squares
from bench.predict.clip import Sampling
from bench.predict.decode import decode
from bench.predict.mesh import EYES, find_meshes, mesh_angles
from bench.predict.pipeline import Build
from bench.predict.zoo import Zoo

CPU = torch.device("cpu")
FILE = "facemesh_torch/facemesh.pth"
# Outer and inner corners of both eyes, nose tip, corners of the mouth, chin: in OpenFace's 68 points and here.
OPENFACE, HERE = (36, 39, 42, 45, 30, 48, 54, 8), (33, 133, 362, 263, 1, 61, 291, 152)
PHOTOGRAPHS = {"0-f1-su-ph.jpg": 0, "0-f15-hao-ph.jpg": 0, "15-f13-anc-ph.jpg": 15, "45-m7-di-ph.jpg": 45}


@pytest.fixture(scope="module")
def detector(weights):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
        return Zoo().load_part("yunet", "detector", Build(CPU, torch.float32), ("", "")).built


@pytest.fixture(scope="module")
def network(build_entry):
    return build_entry("facemesh", FILE)


@pytest.fixture(scope="module")
def photographs(shared):
    folder = shared / "data/pyfeat/tests_data"
    return {name: cv2.imread(str(folder / name))[..., ::-1] for name in PHOTOGRAPHS}


def meshes(network, detector, frames):
    faces = detector(frames)
    boxes, points = np.stack([f.boxes[0] for f in faces]), np.stack([f.points[0] for f in faces])
    return find_meshes(network, frames, np.arange(len(frames)), boxes, points)


def mesh_of(network, detector, picture):
    frame = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    points, scores = meshes(network, detector, frame)
    assert scores[0] > 0.9
    return points


@pytest.mark.parametrize("video", ["subj01_timepoint01", "subj02_timepoint01"])
def test_points_are_where_openface_has_them(shared, network, detector, video):
    folder = shared / "data/opendbm_av"
    with (folder / video / f"{video}_openface" / f"{video}.csv").open() as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    clips = list(decode(folder / f"{video}.mp4", "c", Sampling(rate=3), CPU))
    frames, numbers = torch.cat([c.frames for c in clips]), np.concatenate([c.index for c in clips])
    theirs = np.array([[[float(rows[i][f"{axis}_{k}"]) for axis in "xy"] for k in OPENFACE] for i in numbers])
    ours, scores = meshes(network, detector, frames)
    between = np.linalg.norm(theirs[:, 0] - theirs[:, 3], axis=1)
    apart = np.linalg.norm(ours[:, HERE, :2] - theirs, axis=2) / between[:, None]
    assert len(apart) > 10
    assert scores.min() > 0.99
    assert apart.mean() < 0.06  # of the distance between the eyes' outer corners; .048 and .042 measured
    assert apart.mean(0).max() < 0.12


def test_the_nose_is_in_front_and_the_ears_are_behind(network, detector, photographs):
    (points,) = mesh_of(network, detector, photographs["0-f15-hao-ph.jpg"])
    nose, eyes, sides = points[1, 2], points[list(EYES), 2], points[[234, 454], 2]
    assert nose < eyes.min() < eyes.max() < sides.min()


def test_yaw_is_the_angle_in_the_names(network, detector, photographs):
    for name, said in PHOTOGRAPHS.items():
        yaw = mesh_angles(mesh_of(network, detector, photographs[name]))[0, 0]
        assert -yaw == pytest.approx(said, abs=12), name  # where it is not 0, to the picture's left


@pytest.mark.parametrize("degrees", [-30, 15])
def test_roll_follows_a_turned_picture_clockwise(network, detector, photographs, degrees):
    picture = photographs["0-f15-hao-ph.jpg"]
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    turned = cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    before, after = (mesh_angles(mesh_of(network, detector, each))[0, 1] for each in (picture, turned))
    assert after - before == pytest.approx(degrees, abs=2)


def test_a_mirrored_picture_gives_the_mirrored_mesh(network, detector, photographs):
    for name, picture in photographs.items():
        before, after = (mesh_of(network, detector, each) for each in (picture, picture[:, ::-1]))
        np.testing.assert_allclose(mesh_angles(after), -mesh_angles(before), atol=6, err_msg=name)
        nose = picture.shape[1] - after[0, 1, 0]
        assert nose == pytest.approx(before[0, 1, 0], abs=8)


def test_a_batch_and_one_by_one_agree_and_no_face_scores_low(network, detector, photographs):
    frames = torch.from_numpy(np.stack(list(photographs.values()))).permute(0, 3, 1, 2)
    points, scores = meshes(network, detector, frames)
    for place, name in enumerate(photographs):
        np.testing.assert_allclose(mesh_of(network, detector, photographs[name])[0], points[place], atol=0.01)
    draw = np.random.default_rng(0)
    nothing = torch.from_numpy(draw.integers(0, 256, (4, 3, 192, 192), dtype=np.uint8))
    assert scores.min() > 0.9 > 0.5 > network(nothing)[1].max()


def test_points_come_back_through_the_crop_s_square():
    """A network that says corners and middle of its crop: they are the square's, wherever it lies."""

    class Corners:
        size, margin, version = 8, 0.25, 1

        def __call__(self, crops):
            assert crops.shape[1:] == (3, 8, 8)
            said = torch.tensor([[0.0, 0, 0], [1, 0, 0.5], [0, 1, 0], [0.5, 0.5, 0]])
            return said.expand(len(crops), 4, 3), torch.ones(len(crops))

    boxes = np.array([[40.0, 30.0, 20.0, 20.0]])
    marks = (np.array([[0.2, 0.3], [0.6, 0.1], [0.5, 0.4], [0.4, 0.7], [0.7, 0.6]]) * 30 + 20)[None]
    frames = torch.zeros(1, 3, 90, 90, dtype=torch.uint8)
    ((corner, edge),) = squares(boxes, marks, 0.25)
    points, _ = find_meshes(Corners(), frames, np.zeros(1, int), boxes, marks)
    there = points[0, :, 0] + 1j * points[0, :, 1]
    np.testing.assert_allclose(there, corner + edge * np.array([0, 1, 1j, 0.5 + 0.5j]))
    np.testing.assert_allclose(points[0, :, 2], [0, abs(edge) / 2, 0, 0])
    assert cut(frames, np.zeros(1, int), squares(boxes, marks, 0.25), 8).shape == (1, 3, 8, 8)


def test_runs_without_a_device(build_entry):
    network = build_entry("facemesh", FILE, torch.bfloat16, "meta")
    points, scores = network(torch.empty(3, 3, 192, 192, dtype=torch.uint8, device="meta"))
    assert (points.shape, scores.shape, points.device.type) == ((3, 468, 3), (3,), "meta")
