"""UltraFace, a very small face detector: boxes and scores, no points.

A frame larger than 320 x 240 pixels is first scaled down into them (bilinear, antialiased): what is then
smaller than about 15 pixels is not found. It refuses nothing: a frame of any size gets an answer.
Source: github.com/Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB; the enlarged views of checkpoint RFB:
Liu, Huang, Wang, "Receptive field block net for accurate and fast object detection", ECCV 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from _parts.detection import find_faces, portions, priors, shrink
from _parts.onnx_graph import OnnxGraph

from bench.predict.faces import Faces
from bench.predict.pipeline import Build

# At 0.9 every real face of the clips measured is kept and, with rfb, no false one is: CARD.md has the counts.
SCORE, OVERLAP = 0.9, 0.3
WIDTH, HEIGHT = 320, 240
# The edges of the prior boxes of each stride, and how the network's numbers are scaled (SSD's variances).
_EDGES = {8: (10, 16, 24), 16: (32, 48), 32: (64, 96), 64: (128, 192, 256)}
_SHIFT, _GROWTH = 0.1, 0.2
# What the files go on from to boxes, one frame at a time and in the precision of the network: logits of none
# and face, shift and growth of the box.
_RAW = {"rfb": ("459", "460"), "slim": ("374", "375")}


def build(request: Build) -> UltraFace:
    """The detector of the checkpoint, ready on the device."""
    if request.weights is None or request.checkpoint is None:
        raise ValueError("ultraface is built from a checkpoint")
    raw = _RAW[request.checkpoint]
    graph = OnnxGraph(request.weights, raw)
    graph.to(request.device, request.dtype, memory_format=torch.channels_last)
    return UltraFace(graph, raw, request.dtype)


@dataclass(frozen=True)
class UltraFace:
    """Frames to faces; only what is a face leaves the device. ``raw``: what the graph returns, by name."""

    graph: OnnxGraph
    raw: tuple[str, str]
    dtype: torch.dtype
    version: int = 1

    @torch.inference_mode()
    def __call__(self, frames: torch.Tensor) -> list[Faces]:
        """The faces of each frame of uint8 [T, 3, H, W] RGB, best first; their points are NaN."""
        found: list[Faces] = []
        for part in portions(frames):
            rows, scale = self.rows(part)
            found += find_faces(rows, scale, SCORE, OVERLAP)
        return found

    def rows(self, frames: torch.Tensor) -> tuple[torch.Tensor, np.ndarray]:
        """Score and box of every prior, float32 [T, cells, 5]; and what x and y are to be times."""
        pixels, scale = prepare(frames)
        outputs = self.graph(pixels.to(self.dtype, memory_format=torch.channels_last))
        logits, boxes = (outputs[name].float() for name in self.raw)
        return decode(logits, boxes, priors(HEIGHT, WIDTH, _EDGES, pixels.device)), scale


def prepare(frames: torch.Tensor) -> tuple[torch.Tensor, np.ndarray]:
    """RGB floats in -1 .. 1, padded by grey below and right to the size of training; and the scale."""
    small, scale = shrink(frames, HEIGHT, WIDTH)
    height, width = small.shape[-2:]
    return F.pad((small - 127) / 128, (0, WIDTH - width, 0, HEIGHT - height)), scale


def decode(logits: torch.Tensor, boxes: torch.Tensor, squares: torch.Tensor) -> torch.Tensor:
    """Score, x, y, width and height of every prior, [T, cells, 5] in pixels of the padded frame.

    ``logits`` [T, cells, 2] and ``boxes`` [T, cells, 4] as the graph gives them, ``squares`` [cells, 3] as
    ``priors`` does.
    """
    centre = squares[:, :2]
    # Training clipped its boxes to the frame.
    prior = torch.stack([squares[:, 2].clamp(max=WIDTH), squares[:, 2].clamp(max=HEIGHT)], 1)
    size = (boxes[..., 2:] * _GROWTH).exp() * prior
    corner = centre + boxes[..., :2] * _SHIFT * prior - size / 2
    return torch.cat([logits.softmax(-1)[..., 1:], corner, size], -1)
