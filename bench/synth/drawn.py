"""Simple drawn faces as short videos: enough to carry the path, no evidence about any model of people.

An ellipse with eyes, brows and a mouth that follows a label, swaying a little, one file per person and label.
Attributes are drawn into the picture: ``tint`` (warm, cool) and ``shape`` (round, long). Valence and arousal
are defined per label, not perceived.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from bench.labels import EKMAN_7

__all__ = ["AFFECT", "draw_face", "draw_set"]

AFFECT = {
    "neutral": (0.0, 0.0), "happiness": (0.76, 0.48), "sadness": (-0.63, -0.27), "surprise": (0.40, 0.67),
    "fear": (-0.64, 0.60), "disgust": (-0.60, 0.35), "anger": (-0.51, 0.59),
}  # fmt: skip
"""(valence, arousal) of each label: values commonly attributed to Russell and Mehrabian 1977."""

_TINTS = {"warm": (224, 172, 138), "cool": (150, 164, 206)}
_WIDTHS = {"round": 0.34, "long": 0.26}
# Mouth: curve (up is happy) and opening; brows: height and slope; eyes: opening. In units of the face.
_LOOKS = {
    "neutral": (0.0, 0.02, 0.0, 0.0, 0.05), "happiness": (0.10, 0.05, 0.02, 0.0, 0.04),
    "sadness": (-0.08, 0.02, 0.02, 0.25, 0.035), "surprise": (0.0, 0.14, 0.07, 0.0, 0.075),
    "fear": (-0.03, 0.08, 0.05, 0.2, 0.07), "disgust": (-0.05, 0.04, -0.02, -0.1, 0.03),
    "anger": (-0.04, 0.03, -0.04, -0.3, 0.04),
}  # fmt: skip


def draw_face(label: str, tint: str, shape: str, size: int = 96, sway: float = 0.0) -> np.ndarray:
    """One frame, uint8 [size, size, 3] RGB; ``sway`` shifts the head sideways by that share of the frame."""
    curve, opening, brow, slope, eye = _LOOKS[label]
    y, x = np.mgrid[0:size, 0:size] / (size - 1)
    x = x - 0.5 - sway
    frame = np.empty((size, size, 3))
    frame[:] = 70 + 40 * y[..., None]
    frame[(x / _WIDTHS[shape]) ** 2 + ((y - 0.5) / 0.42) ** 2 <= 1] = _TINTS[tint]
    for side in (-1, 1):
        across = x - side * 0.13
        frame[(across / 0.055) ** 2 + ((y - 0.42) / eye) ** 2 <= 1] = 245
        frame[across**2 + (y - 0.42) ** 2 <= min(eye, 0.03) ** 2] = 30
        line = 0.33 - brow + slope * side * across
        frame[(abs(across) <= 0.08) & (abs(y - line) <= 0.012)] = 50
    lips = 0.70 + curve * (1 - (x / 0.14) ** 2) - curve
    frame[(abs(x) <= 0.14) & (abs(y - lips) <= opening / 2 + 0.008)] = (150, 60, 70)
    return frame.round().astype(np.uint8)


def draw_set(folder: Path, subjects: int = 48, frames: int = 8, seed: int = 0) -> Path:
    """Draw one video per subject and label into ``folder``; returns the table ``folder/targets.csv``."""
    draw = np.random.default_rng(seed)
    rows = []
    for subject in range(subjects):
        tint, shape = list(_TINTS)[subject % 2], list(_WIDTHS)[(subject // 2) % 2]
        phase = draw.random()
        for label in EKMAN_7.labels:
            media = f"clips/s{subject:03d}_{label}.mp4"
            sway = 0.05 * np.sin(2 * np.pi * (phase + np.arange(frames) / frames))
            _write_video(folder / media, np.stack([draw_face(label, tint, shape, sway=s) for s in sway]))
            valence, arousal = AFFECT[label]
            rows.append(
                {
                    "target": f"s{subject:03d}_{label}", "media": media, "subject": f"s{subject:03d}",
                    "label": label, "valence": valence, "arousal": arousal, "tint": tint, "shape": shape,
                }
            )  # fmt: skip
    pyarrow.csv.write_csv(pa.Table.from_pylist(rows), folder / "targets.csv")
    return folder / "targets.csv"


def _write_video(path: Path, frames: np.ndarray) -> None:
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "threads": "1"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
