"""FSA-Net, head pose of one face crop: two small networks of 0.3 million weights each, meant to be averaged.

It refuses nothing: a crop without a face gets angles too. Source: Yang, Chen, Lin, Chuang, "FSA-Net: learning
fine-grained structure aggregation for head pose estimation from a single image", CVPR 2019; weights and the
way they are fed: github.com/omasaht/headpose-fsanet-pytorch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from _parts.onnx_graph import OnnxGraph

from bench.predict.pipeline import Build

# Training cut the box around 68 points, widened by .6 of its edges on every side. OpenFace's 68 points, on 62
# frames of two talking heads, fill YuNet's box from a quarter of its height downwards: CARD.md.
_POINTS_FROM, _WIDENED = 0.25, 0.6
EDGE, DOWN = (1 - _POINTS_FROM) * (1 + 2 * _WIDENED), (1 + _POINTS_FROM) / 2
_MIDDLE, _SCALE = 127.5, 128.0
# The networks count a face that turns to the picture's left as positive; bench.predict.pose, to its right.
_SIGNS = (-1.0, 1.0, 1.0)


def build(request: Build) -> FsaNet:
    """The network of the checkpoint, ready on the device."""
    if request.weights is None:
        raise ValueError("fsanet is built from a weight file")
    graph = OnnxGraph(request.weights)
    graph.to(request.device, request.dtype, memory_format=torch.channels_last)
    return FsaNet(graph, request.dtype)


@dataclass(frozen=True)
class FsaNet:
    """Crops to angles, as ``bench.predict.pose.Pose`` has them."""

    graph: OnnxGraph
    dtype: torch.dtype
    size: int = 64
    version: int = 1

    def squares(self, boxes: np.ndarray) -> np.ndarray:
        """The square to cut for each box of a detector, complex128 [N, 2], upright."""
        centre = boxes[:, 0] + boxes[:, 2] / 2 + 1j * (boxes[:, 1] + boxes[:, 3] * DOWN)
        edge = boxes[:, 3] * EDGE
        return np.stack([centre - edge * (0.5 + 0.5j), edge.astype(np.complex128)], 1)

    @torch.inference_mode()
    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        """Yaw, pitch and roll in degrees, float32 [N, 3], of uint8 crops [N, 3, 64, 64] RGB."""
        pixels = (crops.flip(1).float() - _MIDDLE) / _SCALE
        (angles,) = self.graph(pixels.to(self.dtype, memory_format=torch.channels_last)).values()
        return angles.float() * torch.tensor(_SIGNS, device=angles.device)
