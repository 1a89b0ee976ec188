"""RetinaFace written a second time: layer by layer from the file's names, prior by prior in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bench.predict.pipeline import Build

FILE = "retinaface_mnet025/mobilenet0.25_Final.pth"


@pytest.fixture(scope="module")
def module(load_entry):
    return load_entry("retinaface")


@pytest.fixture(scope="module")
def tensors(weights):
    return torch.load(weights / FILE, map_location="cpu", weights_only=True)


@pytest.fixture(scope="module")
def detector(build_entry):
    return build_entry("retinaface", FILE)


class Plain:
    """The network as functions of named tensors, normalisation apart from convolution."""

    def __init__(self, tensors):
        self.tensors = tensors

    def conv(self, x, name, place=0, stride=1, leak=0.1):
        kernel = self.tensors[f"{name}.{place}.weight"]
        groups = x.shape[1] // kernel.shape[1]
        x = F.conv2d(x, kernel, None, stride, kernel.shape[-1] // 2, groups=groups)
        norm = [
            self.tensors[f"{name}.{place + 1}.{part}"]
            for part in ("running_mean", "running_var", "weight", "bias")
        ]
        x = F.batch_norm(x, *norm, eps=1e-5)
        return x if leak is None else F.leaky_relu(x, leak)

    def separable(self, x, name, stride):
        return self.conv(self.conv(x, name, 0, stride), name, 3)

    def body(self, x):
        x = self.conv(x, "body.stage1.0", stride=2)
        planes = []
        for stage, strides in {
            "stage1": (1, 2, 1, 2, 1),
            "stage2": (2, 1, 1, 1, 1, 1),
            "stage3": (2, 1),
        }.items():
            for place, stride in enumerate(strides):
                x = self.separable(x, f"body.{stage}.{place + (stage == 'stage1')}", stride)
            planes.append(x)
        return planes

    def fpn(self, planes):
        low, middle, high = (self.conv(x, f"fpn.output{i + 1}") for i, x in enumerate(planes))
        middle = self.conv(middle + high.repeat_interleave(2, 2).repeat_interleave(2, 3), "fpn.merge2")
        low = self.conv(low + middle.repeat_interleave(2, 2).repeat_interleave(2, 3), "fpn.merge1")
        return low, middle, high

    def ssh(self, x, name):
        five = self.conv(x, f"{name}.conv5X5_1")
        seven = self.conv(five, f"{name}.conv7X7_2")
        views = [
            self.conv(x, f"{name}.conv3X3", leak=None),
            self.conv(five, f"{name}.conv5X5_2", leak=None),
            self.conv(seven, f"{name}.conv7x7_3", leak=None),
        ]
        return torch.cat(views, 1).clamp(min=0)

    def head(self, x, name, numbers):
        kernel, bias = (self.tensors[f"{name}.conv1x1.{part}"] for part in ("weight", "bias"))
        found = torch.einsum("tchw,oc->thwo", x, kernel[:, :, 0, 0]) + bias
        return found.reshape(len(x), -1, numbers)

    def __call__(self, pixels):
        views = [self.ssh(x, f"ssh{i + 1}") for i, x in enumerate(self.fpn(self.body(pixels)))]
        heads = {"ClassHead": 2, "BboxHead": 4, "LandmarkHead": 10}
        return [
            torch.cat([self.head(x, f"{name}.{i}", numbers) for i, x in enumerate(views)], 1)
            for name, numbers in heads.items()
        ]


def test_the_network_is_the_files(detector, tensors):
    pixels = torch.from_numpy(np.random.default_rng(0).uniform(-120, 150, (2, 3, 96, 160)).astype(np.float32))
    with torch.inference_mode():
        found = detector.network(pixels)
        expected = torch.cat(Plain(tensors)(pixels), 2)
    assert found.shape == (2, 2 * (12 * 20 + 6 * 10 + 3 * 5), 16)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_every_tensor_of_the_file_is_used(module, tensors):
    assert set(module.Network().state_dict()) == set(tensors)
    assert sum(weight.numel() for weight in module.Network().parameters()) == 426_608


def test_rows_are_the_papers_decoding(detector, module):
    """SSD's decoding, prior by prior: centres and sizes with variances .1 and .2, as for the points."""
    frames = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (1, 3, 70, 90), dtype=np.uint8))
    rows, scale = detector.rows(frames)
    pixels, _ = module.prepare(frames)
    assert pixels.shape == (1, 3, 96, 96)
    assert scale.tolist() == [1, 1]
    with torch.inference_mode():
        outputs = detector.network(pixels)[0].double().numpy()
    place = 0
    for stride, edges in {8: (16, 32), 16: (64, 128), 32: (256, 512)}.items():
        for cell in range((96 // stride) ** 2):
            y, x = divmod(cell, 96 // stride)
            centre = np.array([x + 0.5, y + 0.5]) * stride
            for edge in edges:
                none, face, *rest = outputs[place]
                moved = centre + np.array(rest[:2]) * 0.1 * edge
                size = edge * np.exp(np.array(rest[2:4]) * 0.2)
                points = (centre + np.array(rest[4:]).reshape(5, 2) * 0.1 * edge).ravel()
                expected = [1 / (1 + np.exp(none - face)), *(moved - size / 2), *size, *points]
                np.testing.assert_allclose(rows[0, place].numpy(), expected, atol=2e-3, rtol=1e-4)
                place += 1
    assert place == rows.shape[1]


def test_pixels_are_blue_first_less_their_mean_and_padded_by_it(module):
    frames = torch.zeros(1, 3, 40, 50, dtype=torch.uint8)
    frames[:, 0], frames[:, 2] = 200, 10  # red and blue
    pixels, _ = module.prepare(frames)
    assert pixels.shape == (1, 3, 64, 64)
    assert pixels[0, :, 0, 0].tolist() == [10 - 104, 0 - 117, 200 - 123]
    assert pixels[0, :, 40:, :].abs().max() == 0
    assert pixels[0, :, :, 50:].abs().max() == 0


def test_another_network_is_refused(module, tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(RuntimeError, match="Missing key"):
        module.build(Build(torch.device("cpu"), torch.float32, tmp_path / "other.pth"))
