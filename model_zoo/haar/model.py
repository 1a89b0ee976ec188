"""The Haar cascade that OpenCV brings along: upright frontal faces, boxes and scores, no points, no download.

A frame whose longer edge exceeds 480 pixels is first scaled down to 480 (bilinear, antialiased). The cascade
runs on the CPU: of frames on another device the small grey ones come to the host. It refuses another cascade
file than the one it was measured with.
Source: Viola, Jones, "Rapid object detection using a boosted cascade of simple features", CVPR 2001;
Lienhart, Maydt, "An extended set of Haar-like features for rapid object detection", ICIP 2002 (the trained
cascade).
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from _parts.detection import portions, shrink
from _parts.opencv_pixels import grey

from bench.errors import UserError
from bench.predict.faces import Faces
from bench.predict.pipeline import Build

FILE = "haarcascade_frontalface_default.xml"
# The same in OpenCV 4.10 and 4.14. Written here, it enters the key of a cell with this file.
SHA256 = "0f7d4527844eb514d4a4948e822da90fbb16a34a0bbbbc6adc6498747a5aafb0"
LONGEST = 480
# Windows grow by STEP; OpenCV keeps a face on which more than NEIGHBOURS of them agree.
STEP, NEIGHBOURS = 1.2, 5


def build(_: Build) -> Haar:
    """The detector; it needs no weights, and device and precision mean nothing to it."""
    path = Path(cv2.data.haarcascades) / FILE
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "none: there is no such file"
    if found != SHA256:
        raise UserError(
            str(path), f"sha256 {found}", f"The cascade of OpenCV 4.10 and 4.14, {SHA256}",
            "Install opencv-python-headless>=4.10,<5",
        )  # fmt: skip
    return Haar(path)


@dataclass(frozen=True)
class Haar:
    """Frames to faces by the cascade in the file."""

    file: Path
    version: int = 1
    _own: threading.local = field(default_factory=threading.local, compare=False, repr=False)

    @torch.inference_mode()
    def __call__(self, frames: torch.Tensor) -> list[Faces]:
        """The faces of each frame of uint8 [T, 3, H, W] RGB, best first; their points are NaN.

        A score is 1 - 1/n for n windows that agree: 5/6 for six, the fewest that are enough.
        """
        found: list[Faces] = []
        for part in portions(frames):
            small, scale = shrink(grey(part)[:, None], LONGEST, LONGEST)
            images = small[:, 0].round().to(torch.uint8).cpu().numpy()
            found += [self._detect(image, scale) for image in images]
        return found

    def _detect(self, image: np.ndarray, scale: np.ndarray) -> Faces:
        boxes, agreeing = self._cascade.detectMultiScale2(image, scaleFactor=STEP, minNeighbors=NEIGHBOURS)
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        counts = np.asarray(agreeing, dtype=np.float64).reshape(-1)
        # OpenCV's threads find windows in any order.
        order = np.lexsort((*boxes.T, -counts))
        boxes, counts = boxes[order] * np.tile(scale, 2), counts[order]
        return Faces(boxes, np.full((len(boxes), 5, 2), np.nan), 1 - 1 / counts)

    @property
    def _cascade(self) -> cv2.CascadeClassifier:
        """The cascade of this thread: it remembers the image it looks at."""
        if not hasattr(self._own, "cascade"):
            self._own.cascade = cv2.CascadeClassifier(str(self.file))
        return self._own.cascade
