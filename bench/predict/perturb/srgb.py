"""sRGB (IEC 61966-2-1): from encoded values to linear light and back.

Pixels are taken as sRGB, whatever made them: no medium here says more. Its curve is close to that of video
(BT.1886), not the same.
"""

from __future__ import annotations

from functools import cache

import torch

from bench.predict.perturb.lookup import look_up

__all__ = ["WHITE", "count_light", "encode_counts", "encode_light", "encoded", "linear", "to_bytes"]

WHITE = 65535  # linear light is counted in 16 bits, as by a converter finer than any camera's


@cache
def linear(device: torch.device) -> torch.Tensor:
    """Give the linear light in [0, 1] of each byte, float64 [256]."""
    codes = torch.arange(256, dtype=torch.float64, device=device) / 255
    return torch.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


@cache
def encoded(device: torch.device) -> torch.Tensor:
    """Give the byte of each count of linear light from 0 to ``WHITE``, uint8 [65536]."""
    return to_bytes(encode_light(torch.arange(WHITE + 1, dtype=torch.float64, device=device) / WHITE))


def count_light(frames: torch.Tensor) -> torch.Tensor:
    """Counts of linear light, 0 to ``WHITE``, not rounded, of bytes of any shape; float32, contiguous."""
    counts = (linear(frames.device) * WHITE).to(torch.float32)
    return look_up(counts, frames)


def encode_counts(counts: torch.Tensor) -> torch.Tensor:
    """Give the bytes of float counts, which are used up: halves round to even, 0 and ``WHITE`` clamp."""
    whole = counts.round_().clamp_(0, WHITE).to(torch.uint16)
    return look_up(encoded(counts.device), whole.view(torch.int16))


def encode_light(light: torch.Tensor) -> torch.Tensor:
    """Encoded values of linear light, both in [0, 1]."""
    bright = 1.055 * light ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, light * 12.92, bright)


def to_bytes(values: torch.Tensor) -> torch.Tensor:
    """The nearest bytes of encoded values, clamped to [0, 1]; halves round to even."""
    return (values.clamp(0, 1) * 255).round().to(torch.uint8)
