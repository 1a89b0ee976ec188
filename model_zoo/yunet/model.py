"""YuNet, a face detector of 73,840 weights (53,104 as checkpoint s): boxes, five points, scores.

A frame whose longer edge exceeds 640 pixels is first scaled down to 640 (bilinear, antialiased): faces under
about 10 pixels of what remains are not found. It refuses nothing: a frame of any size gets an answer.
Source: Wu, Peng, Yu, "YuNet: a tiny millisecond-level face detector", Machine Intelligence Research 20
(2023); weights: github.com/ShiqiYu/libfacedetection.train. The decoding is that of OpenCV's FaceDetectorYN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from _parts.detection import find_faces, portions, shrink
from _parts.onnx_graph import OnnxGraph

from bench.predict.faces import Faces
from bench.predict.pipeline import Build

# At 0.7 every real face of the clips measured is kept and no false one is: CARD.md has the counts.
SCORE, OVERLAP = 0.7, 0.3
LONGEST = 640
_STRIDES = (8, 16, 32)


def build(request: Build) -> Yunet:
    """The detector of the checkpoint, ready on the device."""
    if request.weights is None:
        raise ValueError("yunet is built from a weight file")
    graph = OnnxGraph(request.weights)
    graph.to(request.device, request.dtype, memory_format=torch.channels_last)
    return Yunet(graph, request.dtype)


@dataclass(frozen=True)
class Yunet:
    """Frames to faces; only what is a face leaves the device."""

    graph: OnnxGraph
    dtype: torch.dtype
    version: int = 1

    @torch.inference_mode()
    def __call__(self, frames: torch.Tensor) -> list[Faces]:
        """The faces of each frame of uint8 [T, 3, H, W] RGB, best first."""
        found: list[Faces] = []
        for part in portions(frames, self.graph.batch):
            rows, scale = self.rows(part)
            found += find_faces(rows, scale, SCORE, OVERLAP)
        return found

    def rows(self, frames: torch.Tensor) -> tuple[torch.Tensor, np.ndarray]:
        """Score, box and points of every cell, float32 [T, cells, 15]; and what x and y are to be times."""
        pixels, scale = prepare(frames)
        outputs = {name: value.float() for name, value in self.graph(pixels.to(self.dtype)).items()}
        columns = pixels.shape[-1]
        return torch.cat([decode(outputs, stride, columns // stride) for stride in _STRIDES], dim=1), scale


def prepare(frames: torch.Tensor) -> tuple[torch.Tensor, np.ndarray]:
    """BGR floats in 0 .. 255, padded below and right to multiples of 32; and what x and y are to be times."""
    small, scale = shrink(frames.flip(1), LONGEST, LONGEST)
    height, width = small.shape[-2:]
    return F.pad(small, (0, -width % 32, 0, -height % 32)), scale


def decode(outputs: dict[str, torch.Tensor], stride: int, columns: int) -> torch.Tensor:
    """Score, box and points of every cell of one stride: [T, cells, 15] in pixels of the padded frame."""
    classes, objects, boxes, points = (outputs[f"{name}_{stride}"] for name in ("cls", "obj", "bbox", "kps"))
    cells = torch.arange(boxes.shape[1], device=boxes.device)
    corner = torch.stack([cells % columns, cells // columns], 1).float()
    score = (classes.clamp(0, 1) * objects.clamp(0, 1)).sqrt()
    size = boxes[..., 2:].exp() * stride
    origin = (corner + boxes[..., :2]) * stride - size / 2
    marks = (corner.repeat(1, 5) + points) * stride
    return torch.cat([score, origin, size, marks], 2)
