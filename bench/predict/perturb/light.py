"""Low light: less exposure at a fixed gain, with the shot noise that fewer photons bring.

Pixels are taken as sRGB (IEC 61966-2-1), made linear, scaled by 2 to the minus stops, given photon noise and
encoded again. Nothing brightens the image afterwards: a camera that raises its gain is another condition.
The noise that the medium already holds is scaled with the light.
"""

from __future__ import annotations

from functools import cache

import torch

from bench.predict.clip import Clip
from bench.predict.perturb.perturbation import Perturbation
from bench.predict.perturb.stream import Stream

__all__ = ["FULL_WELL", "LOW_LIGHT"]

# Electrons at white: the order of the small pixels of phones and webcams, not one sensor's datum.
FULL_WELL = 5000.0

_WHITE = 65535  # linear light is counted in 16 bits, as by a converter finer than any camera's


def darken(clip: Clip, stops: float, stream: Stream) -> Clip:
    """Take ``stops`` of exposure from a clip; halves round to even, values clamp.

    Of n electrons the sensor counts n + sqrt(n) z, the Gaussian limit of the Poisson law; z is drawn anew for
    each pixel, channel and frame.
    """
    frames = clip.frames
    count = frames[0].numel()
    light = _linear(torch.arange(256, dtype=torch.float64, device=frames.device) / 255) * 2.0**-stops
    signal = (light * _WHITE).to(torch.float32)
    spread = ((light / FULL_WELL).sqrt() * _WHITE).to(torch.float32)
    encoded = _encoded(frames.device)
    dark = torch.empty_like(frames)
    for part in stream.parts(clip.index, count):
        values = frames[part].flatten().to(torch.int32)
        seen = stream.normal_frames(clip.index[part], count, frames.device).flatten()
        seen.mul_(spread.index_select(0, values)).add_(signal.index_select(0, values))
        counted = seen.round_().clamp_(0, _WHITE).to(torch.int32)
        dark[part] = encoded.index_select(0, counted).view_as(frames[part])
    return clip.with_frames(dark)


def _linear(encoded: torch.Tensor) -> torch.Tensor:
    """Linear light of sRGB values in [0, 1]."""
    return torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


@cache
def _encoded(device: torch.device) -> torch.Tensor:
    """Give the sRGB bytes of linear light 0 to 65,535, uint8 [65536]."""
    linear = torch.arange(_WHITE + 1, dtype=torch.float64, device=device) / _WHITE
    bright = 1.055 * linear ** (1 / 2.4) - 0.055
    return (torch.where(linear <= 0.0031308, linear * 12.92, bright) * 255).round().to(torch.uint8)


LOW_LIGHT = Perturbation(
    name="low_light",
    version=1,
    levels=(1.0, 2.0, 3.0, 4.0, 5.0),
    unit="stops of exposure lost",
    source=(
        "photographic stops, each half the light; five take an office's 500 lx (EN 12464-1) to about 16 lx, "
        "a lit street. A range chosen here; the exposure ratios of 100 to 300 in Chen et al. 2018 "
        "(arXiv:1805.01934) are 6.6 to 8.2 stops, with gain"
    ),
    apply=darken,
)
