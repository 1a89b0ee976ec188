"""The spectrum of a sound and back, the same bytes whatever the number of threads.

On the CPU SciPy's transform, by one thread: that of MKL, which torch has there, rounds differently with each
number of threads. On every other device torch's own.
"""

from __future__ import annotations

import scipy.fft
import torch

__all__ = ["fast_length", "spectrum_of", "with_spectrum"]


def fast_length(least: int) -> int:
    """The next length from ``least`` whose transform is fast."""
    return int(scipy.fft.next_fast_len(max(1, least), real=True))


def spectrum_of(samples: torch.Tensor, size: int) -> torch.Tensor:
    """The spectrum of samples float32 [S], silence after them up to ``size``: complex64 [size // 2 + 1]."""
    if samples.device.type == "cpu":
        return torch.from_numpy(scipy.fft.rfft(samples.numpy(), size))
    spectrum: torch.Tensor = torch.fft.rfft(samples, size)
    return spectrum


def with_spectrum(spectrum: torch.Tensor, size: int) -> torch.Tensor:
    """The samples float32 [size] of a spectrum; what it lacks is 0, what is beyond their rate is left out."""
    if spectrum.device.type == "cpu":
        return torch.from_numpy(scipy.fft.irfft(spectrum.numpy(), size))
    samples: torch.Tensor = torch.fft.irfft(spectrum, size)
    return samples
