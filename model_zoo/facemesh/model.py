"""MediaPipe's face mesh: 468 points in space on one face, from 0.6 million weights.

It refuses nothing: a crop without a face gets points too, with a low score. Source: Kartynnik, Ablavatski,
Grishchenko, Grundmann, "Real-time facial surface geometry from monocular video on mobile GPUs", CVPR
workshop 2019; weights converted to PyTorch: github.com/thepowerfuldeez/facemesh.pytorch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from bench.predict.pipeline import Build

POINTS = 468
_SIDE, _MIDDLE = 192, 127.5
# Trained in TensorFlow, which pads an even edge behind alone. The conversion mirrors the first layer's input
# in front instead; its points then lie a quarter further from OpenFace's: CARD.md.
_BEHIND = (0, 1, 0, 1)


def build(request: Build) -> FaceMesh:
    """The network of the checkpoint, ready on the device."""
    if request.weights is None:
        raise ValueError("facemesh is built from a weight file")
    network = Network()
    network.load_state_dict(torch.load(request.weights, map_location="cpu", weights_only=True))
    network.eval().requires_grad_(requires_grad=False)
    network.to(request.device, request.dtype, memory_format=torch.channels_last)
    return FaceMesh(network, request.dtype)


@dataclass(frozen=True)
class FaceMesh:
    """Crops to points, as ``bench.predict.mesh.Mesh`` has them."""

    network: Network
    dtype: torch.dtype
    size: int = _SIDE
    margin: float = 0.25
    version: int = 1

    @torch.inference_mode()
    def __call__(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Points float32 [N, 468, 3] in edges of the crop, and scores [N] in [0, 1], of uint8 crops RGB."""
        pixels = crops.float() / _MIDDLE - 1
        points, logits = self.network(pixels.to(self.dtype, memory_format=torch.channels_last))
        return points.float().view(-1, POINTS, 3) / _SIDE, logits.float().view(-1).sigmoid()


class Block(nn.Module):
    """A residual block: each channel by itself, then all together; narrower inputs are filled with zeros."""

    def __init__(self, width: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.stride, self.more = stride, out - width
        self.convs = nn.Sequential(
            nn.Conv2d(width, width, 3, stride, padding=2 - stride, groups=width), nn.Conv2d(width, out, 1)
        )
        self.act = nn.PReLU(out)

    def forward(self, plane: torch.Tensor) -> torch.Tensor:
        """A plane of ``out`` channels, ``stride`` times smaller."""
        short = plane
        if self.stride == 2:
            short, plane = F.max_pool2d(plane, 2), F.pad(plane, _BEHIND)
        found: torch.Tensor = self.act(self.convs(plane) + F.pad(short, (0, 0, 0, 0, 0, self.more)))
        return found


class Network(nn.Module):
    """All of it; the modules have the names that the file gives them."""

    def __init__(self) -> None:
        super().__init__()
        stages = [(16, 16), (16, 32), (32, 64), (64, 128), (128, 128)]
        blocks = [Block(width, out, 2 if place else 1) for place, (width, out) in enumerate(stages)]
        rest = [[Block(out, out) for _ in range(2 if place else 1)] for place, (_, out) in enumerate(stages)]
        body = [block for first, others in zip(blocks, rest, strict=True) for block in (first, *others)]
        self.backbone = nn.Sequential(nn.Conv2d(3, 16, 3, 2), nn.PReLU(16), *body)
        self.coord_head = nn.Sequential(
            Block(128, 128, 2), Block(128, 128), Block(128, 128), nn.Conv2d(128, 32, 1), nn.PReLU(32),
            Block(32, 32), nn.Conv2d(32, 3 * POINTS, 3),
        )  # fmt: skip
        self.conf_head = nn.Sequential(
            Block(128, 128, 2), nn.Conv2d(128, 32, 1), nn.PReLU(32), Block(32, 32), nn.Conv2d(32, 1, 3)
        )

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Coordinates [N, 1404, 1, 1] in pixels of the crop, and the logit of a face [N, 1, 1, 1]."""
        features = self.backbone(F.pad(pixels, _BEHIND))
        return self.coord_head(features), self.conf_head(features)
