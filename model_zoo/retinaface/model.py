"""RetinaFace with a quarter-width MobileNet: boxes, five points, scores from 426,608 weights.

A frame whose longer edge exceeds 640 pixels is first scaled down to 640 (bilinear, antialiased): what is then
smaller than about 28 pixels is mostly not found. It refuses nothing: a frame of any size gets an answer.
Source: Deng, Guo, Ververas, Kotsia, Zafeiriou, "RetinaFace: single-shot multi-level face localisation in the
wild", CVPR 2020; Howard et al., "MobileNets", arXiv 1704.04861; the context modules: Najibi et al., "SSH:
single stage headless face detector", ICCV 2017. Weights: github.com/biubug6/Pytorch_Retinaface.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from _parts.detection import find_faces, portions, priors, shrink
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

from bench.predict.faces import Faces
from bench.predict.pipeline import Build

# At 0.9 every real face of the clips measured is kept and no false one is: CARD.md has the counts.
SCORE, OVERLAP = 0.9, 0.4
LONGEST = 640
# The edges of the prior squares of each stride, and how the network's numbers are scaled (SSD's variances).
_EDGES = {8: (16, 32), 16: (64, 128), 32: (256, 512)}
_SHIFT, _GROWTH = 0.1, 0.2
_MEAN_BGR = (104.0, 117.0, 123.0)
_LEAK, _WIDTH = 0.1, 64


def build(request: Build) -> RetinaFace:
    """The detector of the checkpoint, ready on the device."""
    if request.weights is None:
        raise ValueError("retinaface is built from a weight file")
    network = Network()
    network.load_state_dict(torch.load(request.weights, map_location="cpu", weights_only=True))
    fuse(network.eval().requires_grad_(requires_grad=False))
    network.to(request.device, request.dtype, memory_format=torch.channels_last)
    return RetinaFace(network, request.dtype)


@dataclass(frozen=True)
class RetinaFace:
    """Frames to faces; only what is a face leaves the device."""

    network: Network
    dtype: torch.dtype
    version: int = 1

    @torch.inference_mode()
    def __call__(self, frames: torch.Tensor) -> list[Faces]:
        """The faces of each frame of uint8 [T, 3, H, W] RGB, best first."""
        found: list[Faces] = []
        for part in portions(frames):
            rows, scale = self.rows(part)
            found += find_faces(rows, scale, SCORE, OVERLAP)
        return found

    def rows(self, frames: torch.Tensor) -> tuple[torch.Tensor, np.ndarray]:
        """Score, box and points of every prior, float32 [T, cells, 15]; and what x and y are to be times."""
        pixels, scale = prepare(frames)
        outputs = self.network(pixels.to(self.dtype, memory_format=torch.channels_last)).float()
        return decode(outputs, priors(*pixels.shape[-2:], _EDGES, pixels.device)), scale


def prepare(frames: torch.Tensor) -> tuple[torch.Tensor, np.ndarray]:
    """BGR floats less their mean, padded by that below and right to multiples of 32; and the scale."""
    small, scale = shrink(frames.flip(1), LONGEST, LONGEST)
    height, width = small.shape[-2:]
    centred = small - torch.tensor(_MEAN_BGR, device=small.device)[:, None, None]
    return F.pad(centred, (0, -width % 32, 0, -height % 32)), scale


def decode(outputs: torch.Tensor, squares: torch.Tensor) -> torch.Tensor:
    """Score, x, y, width, height and five points of every prior, in pixels of the padded frame.

    ``outputs`` [T, cells, 16] as the network gives them, ``squares`` [cells, 3] as ``priors`` does.
    """
    centre, edge = squares[:, :2], squares[:, 2:]
    score = outputs[..., :2].softmax(-1)[..., 1:]
    size = (outputs[..., 4:6] * _GROWTH).exp() * edge
    corner = centre + outputs[..., 2:4] * _SHIFT * edge - size / 2
    points = centre.repeat(1, 5) + outputs[..., 6:] * _SHIFT * edge
    return torch.cat([score, corner, size, points], -1)


def _convolution(
    channels: int, width: int, kernel: int = 3, *, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    plain = nn.Conv2d(channels, width, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [plain, nn.BatchNorm2d(width)]


def _active(channels: int, width: int, kernel: int = 3, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(*_convolution(channels, width, kernel, stride=stride), nn.LeakyReLU(_LEAK))


def _separable(channels: int, width: int, *, stride: int = 1) -> nn.Sequential:
    """3x3 over each channel, then 1x1 across channels."""
    depthwise = _convolution(channels, channels, stride=stride, groups=channels)
    return nn.Sequential(
        *depthwise, nn.LeakyReLU(_LEAK), *_convolution(channels, width, 1), nn.LeakyReLU(_LEAK)
    )


class Body(nn.Module):
    """MobileNet of a quarter of the width, without its classifier: planes at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stage1 = nn.Sequential(
            _active(3, 8, stride=2), _separable(8, 16), _separable(16, 32, stride=2), _separable(32, 32),
            _separable(32, 64, stride=2), _separable(64, 64),
        )  # fmt: skip
        self.stage2 = nn.Sequential(_separable(64, 128, stride=2), *(_separable(128, 128) for _ in range(5)))
        self.stage3 = nn.Sequential(_separable(128, 256, stride=2), _separable(256, 256))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Planes of 64, 128 and 256 channels."""
        fine = self.stage1(pixels)
        middle = self.stage2(fine)
        return fine, middle, self.stage3(middle)


class Pyramid(nn.Module):
    """The coarser plane, repeated, is added to each finer one."""

    def __init__(self) -> None:
        super().__init__()
        self.output1, self.output2, self.output3 = (_active(width, _WIDTH, 1) for width in (64, 128, 256))
        self.merge1, self.merge2 = _active(_WIDTH, _WIDTH), _active(_WIDTH, _WIDTH)

    def forward(
        self, fine: torch.Tensor, middle: torch.Tensor, coarse: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Planes of 64 channels, of the sizes given."""
        fine, middle, coarse = self.output1(fine), self.output2(middle), self.output3(coarse)
        middle = self.merge2(middle + F.interpolate(coarse, middle.shape[-2:], mode="nearest"))
        fine = self.merge1(fine + F.interpolate(middle, fine.shape[-2:], mode="nearest"))
        return fine, middle, coarse


class Context(nn.Module):
    """SSH: views of 3, 5 and 7 pixels' width side by side, made of 3x3 convolutions."""

    def __init__(self) -> None:
        super().__init__()
        half, quarter = _WIDTH // 2, _WIDTH // 4
        self.conv3X3 = nn.Sequential(*_convolution(_WIDTH, half))
        self.conv5X5_1 = _active(_WIDTH, quarter)
        self.conv5X5_2 = nn.Sequential(*_convolution(quarter, quarter))
        self.conv7X7_2 = _active(quarter, quarter)
        self.conv7x7_3 = nn.Sequential(*_convolution(quarter, quarter))

    def forward(self, plane: torch.Tensor) -> torch.Tensor:
        """A plane of the same size and channels."""
        shared = self.conv5X5_1(plane)
        views = [self.conv3X3(plane), self.conv5X5_2(shared), self.conv7x7_3(self.conv7X7_2(shared))]
        return F.relu(torch.cat(views, 1))


class Head(nn.Module):
    """So many numbers for each of the two priors of a cell."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.numbers = numbers
        self.conv1x1 = nn.Conv2d(_WIDTH, 2 * numbers, 1)

    def forward(self, plane: torch.Tensor) -> torch.Tensor:
        """[T, rows * columns * 2, numbers]."""
        found: torch.Tensor = self.conv1x1(plane)
        return found.permute(0, 2, 3, 1).reshape(len(plane), -1, self.numbers)


class Network(nn.Module):
    """All of it; the modules have the names that the file gives them."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.fpn = Body(), Pyramid()
        self.ssh1, self.ssh2, self.ssh3 = Context(), Context(), Context()
        self.ClassHead, self.BboxHead, self.LandmarkHead = (
            nn.ModuleList(Head(numbers) for _ in _EDGES) for numbers in (2, 4, 10)
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """[T, cells, 16]: logits of none and face, shift and growth of the box, shifts of the points."""
        planes = self.fpn(*self.body(pixels))
        views = [
            context(plane) for context, plane in zip((self.ssh1, self.ssh2, self.ssh3), planes, strict=True)
        ]
        heads = zip(views, self.ClassHead, self.BboxHead, self.LandmarkHead, strict=True)
        return torch.cat([torch.cat([head(view) for head in own], 2) for view, *own in heads], 1)


def fuse(network: nn.Module) -> None:
    """Put each normalisation into the convolution before it."""
    for layers in network.modules():
        for place in range(len(layers) - 1) if isinstance(layers, nn.Sequential) else ():
            first, second = layers[place], layers[place + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                layers[place], layers[place + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
