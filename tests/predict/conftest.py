"""Videos drawn for a test: every frame is one grey level, so that a decoded frame says which one it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest


@dataclass(frozen=True)
class Film:
    """What to draw: ``stamps`` in ms, one a frame; ``tone`` in Hz, mono at 16 kHz, from ``onset`` seconds."""

    frames: int = 30
    size: tuple[int, int] = (64, 48)
    codec: str = "libx264"
    stamps: Sequence[int] = ()
    tone: float | None = None
    onset: float = 0.0
    options: dict[str, str] = field(default_factory=lambda: {"bf": "2", "g": "12", "qp": "4"})
    muxing: dict[str, str] = field(default_factory=dict)

    def level(self, number: int) -> int:
        """The grey level of a frame."""
        return 20 + number * 8 % 216

    def draw(self, path: Path) -> Path:
        with av.open(str(path), "w", options=self.muxing) as container:
            video = container.add_stream(self.codec, rate=30)
            video.width, video.height = self.size
            video.pix_fmt = "yuv420p"
            video.options = self.options
            if self.stamps:
                video.codec_context.time_base = Fraction(1, 1000)
            sound = None if self.tone is None else container.add_stream("aac", rate=16000, layout="mono")
            for number in range(self.frames):
                container.mux(video.encode(self._frame(number)))
            container.start_encoding()
            container.mux(video.encode())
            if sound is not None:
                for piece in self._tone():
                    container.mux(sound.encode(piece))
                container.mux(sound.encode())
        return path

    def _frame(self, number: int) -> av.VideoFrame:
        grey = np.full((self.size[1], self.size[0]), self.level(number), np.uint8)
        frame = av.VideoFrame.from_ndarray(np.dstack([grey] * 3), format="rgb24")
        if self.stamps:
            frame.pts, frame.time_base = self.stamps[number], Fraction(1, 1000)
        return frame

    def _tone(self) -> list[av.AudioFrame]:
        times = np.arange(round(16000 * self.frames / 30)) / 16000
        wave = (0.5 * np.sin(2 * np.pi * self.tone * times)).astype(np.float32)
        pieces = []
        for start in range(0, len(wave), 1024):
            piece = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="fltp", layout="mono")
            piece.rate, piece.pts = 16000, start + round(16000 * self.onset)
            piece.time_base = Fraction(1, 16000)
            pieces.append(piece)
        return pieces


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., Path]:
    """Draw a film under a name: ``film("a.mp4", frames=5)``."""

    def draw(name: str, **what: object) -> Path:
        return Film(**what).draw(tmp_path / name)

    return draw
