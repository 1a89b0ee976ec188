"""The paired t-test on the degrees of freedom that its variance has, by scipy."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import kurtosis
from scipy.stats import t as student

__all__ = ["freedom", "paired_t"]


def freedom(d: np.ndarray) -> float:
    """n - 1, and fewer where the sample excess kurtosis is above 0 (Satterthwaite)."""
    n = len(d)
    return (n - 1) / (1 + (n - 1) / (2 * n) * max(float(kurtosis(d, bias=False)), 0.0))


def paired_t(d: np.ndarray, level: float = 0.95) -> tuple[float, float, float, float, float]:
    """The mean of differences, its bounds, p and degrees of freedom."""
    mean, se, df = float(d.mean()), float(d.std(ddof=1)) / math.sqrt(len(d)), freedom(d)
    half = float(student.ppf((1 + level) / 2, df)) * se
    return mean, mean - half, mean + half, 2 * float(student.sf(abs(mean) / se, df)), df
