"""JPEG: each frame is compressed by itself, as a camera or a web site does to stills.

On the host OpenCV's libjpeg-turbo does it. On any other device, what a quality throws away is thrown away in
integers, step by step as libjpeg does by default: colours to BT.601, chroma at half the size, the "islow"
DCT, Annex K's tables scaled by quality, and back with smooth chroma; entropy coding loses nothing and is left
out. So the bytes are the same on every device, and those of cv2, Pillow and ImageNet-C.
"""

from __future__ import annotations

from functools import cache

import torch
from torch.nn.functional import pad

from bench.predict.clip import Clip
from bench.predict.perturb.parts import parts
from bench.predict.perturb.perturbation import Perturbation, rest_of
from bench.predict.perturb.stream import Stream

__all__ = ["JPEG"]

# ITU-T T.81, tables K.1 and K.2, row by row.
_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
) + (99,) * 32  # fmt: skip
_BITS, _MORE = 13, 2  # of the constants of the DCT, and kept between its passes
_ROTATIONS = (0.541196100, 0.765366865, 1.847759065)
_SCALES = (0.298631336, 2.053119869, 3.072711026, 1.501321110)
_SUMS = (1.175875602, 0.899976223, 2.562915447, 1.961570560, 0.390180644)
_LONGEST = 65_500  # pixels of an edge that libjpeg takes
_HELD = 12  # numbers that a value of a frame takes meanwhile


def compress(clip: Clip, lost: float, _stream: Stream) -> Clip:
    """Compress each frame at the quality 100 - ``lost``, and decompress it."""
    frames, quality = clip.frames, 100 - int(lost)
    if frames.device.type == "cpu" and max(frames.shape[2:]) <= _LONGEST:
        return clip.with_frames(_on_host(frames, quality))
    return clip.with_frames(_on_device(frames, quality))


def _on_host(frames: torch.Tensor, quality: int) -> torch.Tensor:
    """OpenCV takes a fifth of the time."""
    import cv2

    settings = [cv2.IMWRITE_JPEG_QUALITY, quality]
    settings += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    compressed = torch.empty_like(frames, memory_format=torch.contiguous_format)
    for frame, room in zip(frames.flip(1).permute(0, 2, 3, 1), compressed.numpy(), strict=True):
        _, data = cv2.imencode(".jpg", frame.contiguous().numpy(), settings)
        found = cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert found is not None  # it was encoded here
        room[:] = found[..., ::-1].transpose(2, 0, 1)
    return compressed


def _on_device(frames: torch.Tensor, quality: int) -> torch.Tensor:
    compressed = torch.empty_like(frames, memory_format=torch.contiguous_format)
    for part in parts(frames, _HELD):
        compressed[part] = _jpeg(frames[part].to(torch.int32), quality)
    return compressed


def _jpeg(rgb: torch.Tensor, quality: int) -> torch.Tensor:
    height, width = rgb.shape[2:]
    r, g, b = rgb.unbind(1)
    half = 1 << 15
    centre = (128 << 16) + half - 1
    luma = (_fixed(0.299) * r + _fixed(0.587) * g + _fixed(0.114) * b + half) >> 16
    blue = (_fixed(0.5) * b - _fixed(0.16874) * r - _fixed(0.33126) * g + centre) >> 16
    red = (_fixed(0.5) * r - _fixed(0.41869) * g - _fixed(0.08131) * b + centre) >> 16
    luma = _coded(luma, _table(_LUMA, quality, rgb.device))
    chroma = _coded(_halved(torch.cat([blue, red])), _table(_CHROMA, quality, rgb.device))
    chroma = _doubled(chroma[:, :, : -(-width // 2)])
    blue, red = (chroma[:, :height, :width] - 128).chunk(2)
    return torch.stack(
        [
            luma + ((_fixed(1.402) * red + half) >> 16),
            luma + ((half - _fixed(0.34414) * blue - _fixed(0.71414) * red) >> 16),
            luma + ((_fixed(1.772) * blue + half) >> 16),
        ],
        dim=1,
    ).clamp_(0, 255)


def _fixed(value: float, bits: int = 16) -> int:
    return int(value * (1 << bits) + 0.5)


@cache
def _table(base: tuple[int, ...], quality: int, device: torch.device) -> torch.Tensor:
    """Steps of the 64 coefficients at a quality, int32 [8, 1, 8]: by row and column of their frequencies."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = [min(max((value * scale + 50) // 100, 1), 255) for value in base]
    return torch.tensor(steps, dtype=torch.int32, device=device).view(8, 1, 8)


def _extended(plane: torch.Tensor, bottom: int, right: int) -> torch.Tensor:
    """A plane [T, H, W] whose last row and column are repeated to the next multiples."""
    height, width = plane.shape[1:]
    more = (0, -width % right, 0, -height % bottom)
    return pad(plane[:, None].to(torch.float32), more, mode="replicate")[:, 0].to(torch.int32)


def _halved(plane: torch.Tensor) -> torch.Tensor:
    """Means of two by two values, whose halves are rounded down and up by turns."""
    width = -(-plane.shape[2] // 2)
    plane = _extended(plane, 2, 16)
    sums = plane[:, ::2, ::2] + plane[:, ::2, 1::2] + plane[:, 1::2, ::2] + plane[:, 1::2, 1::2]
    turns = 1 + torch.arange(sums.shape[2], dtype=torch.int32, device=plane.device) % 2
    # Columns beyond the picture are made before halving, rows after it.
    return ((sums + turns) >> 2)[:, :, : -(-width // 8) * 8]


def _doubled(plane: torch.Tensor) -> torch.Tensor:
    """Twice the size, each value three parts of the nearest and one of the next; of two columns, itself."""
    if plane.shape[2] <= 2:
        return plane.repeat_interleave(2, 1).repeat_interleave(2, 2)
    above, below = torch.cat([plane[:, :1], plane[:, :-1]], 1), torch.cat([plane[:, 1:], plane[:, -1:]], 1)
    rows = torch.stack([3 * plane + above, 3 * plane + below], dim=2).flatten(1, 2)
    left, right = (
        torch.cat([rows[..., :1], rows[..., :-1]], -1),
        torch.cat([rows[..., 1:], rows[..., -1:]], -1),
    )
    return torch.stack([(3 * rows + left + 8) >> 4, (3 * rows + right + 7) >> 4], dim=3).flatten(2, 3)


def _coded(plane: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """A plane [T, H, W] of bytes whose blocks were transformed, rounded to ``steps`` and brought back."""
    height, width = plane.shape[1:]
    blocks = _extended(plane, 8, 8) - 128
    rows = _forward(blocks.mT.contiguous(), _BITS - _MORE, _MORE)
    found = _forward(rows.mT.contiguous(), _BITS + _MORE, -_MORE)
    split = found.view(len(found), -1, 8, found.shape[2] // 8, 8)
    sizes = (split.abs() + 4 * steps) // (8 * steps)  # the DCT is eight times too large
    kept = (sizes * split.sign() * steps).view_as(found)
    columns = _backward(kept, _BITS - _MORE)
    pixels = _backward(columns.mT.contiguous(), _BITS + _MORE + 3).mT
    return (pixels + 128).clamp_(0, 255)[:, :height, :width]


def _descale(value: torch.Tensor, bits: int) -> torch.Tensor:
    return (value + (1 << (bits - 1))) >> bits


def _turned(
    a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, d: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The odd part of the DCT of eight (Loeffler, Ligtenberg and Moschytz 1989), the same both ways."""
    five, one, two, three, four = (_fixed(value, _BITS) for value in _SUMS)
    scale = [_fixed(value, _BITS) for value in _SCALES]
    z5 = (a + c + b + d) * five
    z1, z2, z3, z4 = -(a + d) * one, -(b + c) * two, z5 - (a + c) * three, z5 - (b + d) * four
    return a * scale[0] + z1 + z3, b * scale[1] + z2 + z4, c * scale[2] + z2 + z3, d * scale[3] + z1 + z4


def _forward(plane: torch.Tensor, bits: int, kept: int) -> torch.Tensor:
    """The DCT of every eight rows; ``kept``: bits by which sums are enlarged, or descaled where negative."""
    d = plane.view(len(plane), -1, 8, plane.shape[2]).unbind(2)
    sums, apart = [d[i] + d[7 - i] for i in range(4)], [d[i] - d[7 - i] for i in range(4)]
    outer, inner, rest, other = sums[0] + sums[3], sums[1] + sums[2], sums[1] - sums[2], sums[0] - sums[3]
    whole = [outer + inner, outer - inner]
    whole = [value << kept if kept > 0 else _descale(value, -kept) for value in whole]
    turn, more, less = (_fixed(value, _BITS) for value in _ROTATIONS)
    z = (rest + other) * turn
    seven, five, three, one = _turned(apart[3], apart[2], apart[1], apart[0])
    turned = [_descale(v, bits) for v in (one, z + other * more, three, five, z - rest * less, seven)]
    return torch.stack([whole[0], *turned[:3], whole[1], *turned[3:]], dim=2).flatten(1, 2)


def _backward(plane: torch.Tensor, bits: int) -> torch.Tensor:
    """The inverse DCT of every eight rows."""
    d = plane.view(len(plane), -1, 8, plane.shape[2]).unbind(2)
    turn, more, less = (_fixed(value, _BITS) for value in _ROTATIONS)
    z = (d[2] + d[6]) * turn
    low, high = z - d[6] * less, z + d[2] * more
    total, rest = (d[0] + d[4]) << _BITS, (d[0] - d[4]) << _BITS
    even = [total + high, rest + low, rest - low, total - high]
    odd = _turned(d[7], d[5], d[3], d[1])[::-1]
    found = [a + b for a, b in zip(even, odd, strict=True)] + [
        a - b for a, b in zip(even[::-1], odd[::-1], strict=True)
    ]
    return torch.stack([_descale(value, bits) for value in found], dim=2).flatten(1, 2)


JPEG = Perturbation(
    name="jpeg",
    version=1,
    levels=(75.0, 82.0, 85.0, 90.0, 93.0),
    unit="of 100, the encoder's quality",
    shown=rest_of(100),
    source=(
        "the qualities 25, 18, 15, 10 and 7 of ImageNet-C's jpeg_compression: Hendrycks and Dietterich 2019, "
        "arXiv:1903.12261"
    ),
    apply=compress,
    random=False,
)
