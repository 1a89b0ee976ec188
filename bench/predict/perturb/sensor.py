"""Sensor noise: additive Gaussian noise, independent for each pixel, channel and frame."""

from __future__ import annotations

import torch

from bench.predict.clip import Clip
from bench.predict.perturb.perturbation import Perturbation
from bench.predict.perturb.stream import Stream, inverse_normal

__all__ = ["SENSOR_NOISE"]


def add_noise(clip: Clip, sigma: float, stream: Stream) -> Clip:
    """Add Gaussian noise of standard deviation ``sigma`` of full scale; halves round to even, values clamp.

    A real sensor draws anew in every frame, so only ``sigma`` is coherent over the clip.
    """
    frames = clip.frames
    count = frames[0].numel()
    # Pixels are whole numbers, so that rounding the noise is rounding their sum: a table of 65,536 suffices.
    noise = (inverse_normal(frames.device) * (255 * sigma)).round_().to(torch.int16)
    noisy = torch.empty_like(frames)
    for part in stream.parts(clip.index, count):
        bits = stream.bits16_frames(clip.index[part], count, frames.device)
        values = noise.index_select(0, bits.flatten()).view_as(frames[part])
        noisy[part] = values.add_(frames[part]).clamp_(0, 255)
    return clip.with_frames(noisy)


SENSOR_NOISE = Perturbation(
    name="sensor_noise",
    version=1,
    levels=(0.08, 0.12, 0.18, 0.26, 0.38),
    unit="standard deviation as a fraction of full scale",
    source="gaussian_noise of ImageNet-C: Hendrycks and Dietterich 2019, arXiv:1903.12261",
    apply=add_noise,
)
