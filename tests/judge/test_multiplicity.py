"""Adjusted p-values against scipy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from bench.judge.multiplicity import benjamini_hochberg, holm


def test_holm_by_hand():
    # sorted .005 .01 .03 .04 times 4 3 2 1 = .02 .03 .06 .04, made monotone: .02 .03 .06 .06
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.5, 0.6, 0.7])).tolist() == [1.0, 1.0, 1.0]


def test_holm_rejects_what_the_step_down_procedure_rejects():
    # Holm's own words: stop at the first p_(i) > alpha / (n - i + 1).
    rng = np.random.default_rng(1)
    for _ in range(200):
        p = rng.random(8) ** 3
        rejected = set()
        for i, k in enumerate(np.argsort(p)):
            if p[k] > 0.05 / (8 - i):
                break
            rejected.add(int(k))
        assert set(np.flatnonzero(holm(p) <= 0.05).tolist()) == rejected


def test_benjamini_hochberg_equals_scipy():
    rng = np.random.default_rng(2)
    for size in (1, 2, 7, 40):
        p = np.round(rng.random(size) ** 2, 2)
        assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p), abs=1e-15)


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_nan_stays_and_is_not_counted(adjust):
    p = np.array([np.nan, 0.01, 0.2, np.nan, 0.03])
    adjusted = adjust(p)
    assert np.isnan(adjusted).tolist() == np.isnan(p).tolist()
    assert adjusted[~np.isnan(p)].tolist() == adjust(p[~np.isnan(p)]).tolist()
    assert adjust(np.array([])).tolist() == []


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_no_p_values_are_refused(adjust):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        adjust(np.array([0.2, 1.2]))
