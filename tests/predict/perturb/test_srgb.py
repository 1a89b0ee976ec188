from __future__ import annotations

import cv2
import numpy as np
import torch

from bench.predict.perturb.srgb import (
    WHITE,
    count_light,
    encode_counts,
    encode_light,
    encoded,
    linear,
    to_bytes,
)

CPU = torch.device("cpu")


def test_linear_light_is_that_of_opencv() -> None:
    """Second source: OpenCV's Luv of sRGB greys, whose lightness gives luminance back by CIE 1976."""
    greys = np.repeat(np.arange(256, dtype=np.float32)[None, :, None] / 255, 3, axis=2)
    lightness = cv2.cvtColor(greys, cv2.COLOR_RGB2Luv)[0, :, 0].astype(float)
    luminance = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness * 27 / 24389)
    assert np.abs(linear(CPU).numpy() - luminance).max() < 1e-5


def test_published_values() -> None:
    """IEC 61966-2-1: black, the corner of the two pieces, middle grey of 8 bits, white."""
    found = linear(CPU)[[0, 10, 128, 255]].numpy()
    assert np.abs(found - [0, 0.0030352698, 0.2158605, 1]).max() < 1e-7
    assert abs(float(encode_light(torch.tensor(0.18, dtype=torch.float64))) - 0.46136) < 1e-5


def test_there_and_back() -> None:
    every = torch.arange(256, dtype=torch.uint8)
    counts = (linear(CPU) * WHITE).round().to(torch.int64)
    assert torch.equal(encoded(CPU)[counts], every)
    assert torch.equal(to_bytes(encode_light(linear(CPU))), every)


def test_frames_there_and_back() -> None:
    """Every byte, in frames whose memory is in another order."""
    frames = torch.arange(256, dtype=torch.uint8).view(2, 2, 8, 8).transpose(1, 3)
    counts = count_light(frames)
    assert counts.dtype == torch.float32
    assert counts.is_contiguous()
    values = frames.double().numpy() / 255
    by_hand = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    assert np.abs(counts.numpy() - WHITE * by_hand).max() < 0.01
    assert torch.equal(encode_counts(counts), frames)


def test_counts_round_and_clamp() -> None:
    below, above = 9.5, 10.5  # halves: both are 10
    found = encode_counts(torch.tensor([-4.0, below, above, WHITE + 0.4, 1e6]))
    assert found.tolist() == [0, encoded(CPU)[10], encoded(CPU)[10], 255, 255]


def test_bytes_clamp_and_round_halves_to_even() -> None:
    values = torch.tensor([-0.2, 0.5 / 255, 1.5 / 255, 2.5 / 255, 1.3], dtype=torch.float64)
    assert to_bytes(values).tolist() == [0, 0, 2, 2, 255]
