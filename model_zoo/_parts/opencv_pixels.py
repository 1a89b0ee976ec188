"""OpenCV's grey and its default resize, bit for bit, in torch on any device.

Networks trained behind ``cv2.cvtColor`` and ``cv2.resize`` get the pixels they were trained on. All
arithmetic is OpenCV's own integer arithmetic, so every device returns the same bytes.
"""

from __future__ import annotations

import torch

__all__ = ["grey", "resize"]


def grey(frames: torch.Tensor) -> torch.Tensor:
    """ITU-R BT.601 luma of uint8 RGB [T, 3, H, W] as uint8 [T, H, W]: ``cv2.COLOR_RGB2GRAY``."""
    red, green, blue = frames.int().unbind(1)
    return ((red * 9798 + green * 19235 + blue * 3735 + (1 << 14)) >> 15).to(torch.uint8)


def resize(images: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Bilinear resize of uint8 [..., H, W], half-pixel centres, no antialias: ``cv2.INTER_LINEAR``.

    OpenCV weighs with 11 bits, drops 4 after the rows' pass and 16 after the columns', and rounds last.
    """
    old_height, old_width = images.shape[-2:]
    if (old_height, old_width) == (height, width):
        return images
    left, share = _taps(old_width, width, images.device)
    # Beyond the first and last column OpenCV drops the weight; beyond rows it repeats the row (below). The
    # two round differently.
    share = share.masked_fill((left < 0) | (left >= old_width - 1), 0)
    pixels = images.int()
    first, second = left.clamp(0, old_width - 1), (left + 1).clamp(0, old_width - 1)
    rows = (pixels[..., first] * (2048 - share) + pixels[..., second] * share) >> 4

    top, share = _taps(old_height, height, images.device)
    first, second = top.clamp(0, old_height - 1), (top + 1).clamp(0, old_height - 1)
    share = share[:, None]
    upper, lower = (rows[..., first, :] * (2048 - share)) >> 16, (rows[..., second, :] * share) >> 16
    return ((upper + lower + 2) >> 2).to(torch.uint8)


def _taps(old: int, new: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """The pixel before each new pixel's centre (int64 [new]) and the weight of the next (of 2,048)."""
    centres = (torch.arange(new, dtype=torch.float64, device=device) + 0.5) * (old / new) - 0.5
    centres = centres.float()  # as OpenCV does
    before = centres.floor()
    return before.long(), ((centres - before) * 2048).round().int()
