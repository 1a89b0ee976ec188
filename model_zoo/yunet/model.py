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
from _parts.onnx_graph import OnnxGraph

from bench.predict.faces import Faces, overlap
from bench.predict.pipeline import Build

# At 0.7 every real face of the clips measured is kept and no false one is: CARD.md has the counts.
SCORE, OVERLAP = 0.7, 0.3
LONGEST, MOST = 640, 5000
_STRIDES = (8, 16, 32)
# A CPU is fastest while one frame stays in its caches.
_FRAMES_AT_ONCE = {"cpu": 1}
_FRAMES_ELSEWHERE, _PIXELS_ELSEWHERE = 32, 1 << 26


def build(request: Build) -> Yunet:
    """The detector of the checkpoint, ready on the device."""
    if request.weights is None:
        raise ValueError("yunet is built from a weight file")
    graph = OnnxGraph(request.weights)
    graph.to(request.device, request.dtype, memory_format=torch.channels_last)
    return Yunet(graph, request.dtype)


@dataclass(frozen=True)
class Yunet:
    """Frames to faces; only what scores at least ``SCORE`` leaves the device."""

    graph: OnnxGraph
    dtype: torch.dtype
    version: int = 1

    @torch.inference_mode()
    def __call__(self, frames: torch.Tensor) -> list[Faces]:
        """The faces of each frame of uint8 [T, 3, H, W] RGB, best first."""
        found: list[Faces] = []
        for part in frames.split(self._frames_at_once(frames)):
            found += self._detect(part)
        return found

    def _frames_at_once(self, frames: torch.Tensor) -> int:
        height, width = frames.shape[-2:]
        fitting = max(1, min(_FRAMES_ELSEWHERE, _PIXELS_ELSEWHERE // (height * width)))
        return self.graph.batch or _FRAMES_AT_ONCE.get(frames.device.type, fitting)

    def _detect(self, frames: torch.Tensor) -> list[Faces]:
        pixels, scale = _prepare(frames)
        columns = pixels.shape[-1]
        outputs = {name: value.float() for name, value in self.graph(pixels.to(self.dtype)).items()}
        rows = torch.cat([_decode(outputs, stride, columns // stride) for stride in _STRIDES], dim=1)
        frame, place = torch.nonzero(rows[..., 0] >= SCORE, as_tuple=True)
        kept = torch.cat([frame[:, None].float(), rows[frame, place]], 1).cpu().double().numpy()
        return [_suppress(kept[kept[:, 0] == number, 1:], scale) for number in range(len(frames))]


def _prepare(frames: torch.Tensor) -> tuple[torch.Tensor, np.ndarray]:
    """BGR floats in 0 .. 255, padded below and right to multiples of 32; and what x and y are to be times."""
    height, width = frames.shape[-2:]
    pixels = frames.flip(1).float()
    shrink = min(1.0, LONGEST / max(height, width))
    new_height, new_width = max(1, round(height * shrink)), max(1, round(width * shrink))
    if shrink < 1:
        pixels = F.interpolate(pixels, (new_height, new_width), mode="bilinear", antialias=True)
    padded = F.pad(pixels, (0, -new_width % 32, 0, -new_height % 32))
    return padded, np.array([width / new_width, height / new_height])


def _decode(outputs: dict[str, torch.Tensor], stride: int, columns: int) -> torch.Tensor:
    """Score, box and points of every cell of one stride: [T, cells, 15] in pixels of the padded frame."""
    classes, objects, boxes, points = (outputs[f"{name}_{stride}"] for name in ("cls", "obj", "bbox", "kps"))
    cells = torch.arange(boxes.shape[1], device=boxes.device)
    corner = torch.stack([cells % columns, cells // columns], 1).float()
    score = (classes.clamp(0, 1) * objects.clamp(0, 1)).sqrt()
    size = boxes[..., 2:].exp() * stride
    origin = (corner + boxes[..., :2]) * stride - size / 2
    marks = (corner.repeat(1, 5) + points) * stride
    return torch.cat([score, origin, size, marks], 2)


def _suppress(rows: np.ndarray, scale: np.ndarray) -> Faces:
    """Greedy non-maximum suppression of rows [N, 15], best first; equal scores in the order of the cells."""
    rows = rows[np.argsort(-rows[:, 0], kind="stable")][:MOST]
    boxes = rows[:, 1:5] * np.tile(scale, 2)
    kept: list[int] = []
    left = np.arange(len(rows))
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[overlap(boxes[best][None], boxes[left])[0] <= OVERLAP]
    return Faces(boxes[kept], rows[kept, 5:].reshape(-1, 5, 2) * scale, rows[kept, 0])
