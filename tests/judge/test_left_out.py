"""What is left out of dealt groups: the short ways give what the metric itself does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bench.judge import left_out as module
from bench.judge.atoms import Tally
from bench.judge.deals import Pool, gather_pool
from bench.judge.formulas import recall
from bench.judge.left_out import left_out
from bench.judge.metrics import METRICS, of_label, of_unit

UAR, MACRO_F1, AURC = (METRICS[name] for name in ("uar", "macro_f1", "aurc"))
AU_F1, AU_AUROC = METRICS["au_f1"], METRICS["au_auroc"]
AUROC = of_label(METRICS["auroc"], "fear", 1)
SHAPES = {
    UAR: (4, 5), MACRO_F1: (4, 5), AURC: (2, 256), AUROC: (2, 256), AU_F1: (3, 2, 4), AU_AUROC: (3, 2, 256),
    of_unit(AU_F1, "au_12"): (2, 4), of_unit(AU_AUROC, "au_12"): (2, 256),
}  # fmt: skip


def counts(rng, shape, clusters, rows):
    """Rows of each cluster at random cells; those of few classes are rare and few bins are used."""
    weight = np.ones(shape)
    weight[..., -1, :] /= 4
    if shape[-1] == 256:
        weight[..., :100] = weight[..., 140:] = 0
    chance = (weight / weight.sum()).ravel()
    return rng.multinomial(rows, chance, clusters).reshape(clusters, *shape)


def pool_of(found, sizes, times=None):
    entries = len(found)
    value = np.repeat(np.arange(len(sizes)), sizes)
    times = np.ones(entries, int) if times is None else times
    return gather_pool(found.reshape(entries, -1).astype(float), Tally(found, value, times, len(sizes)))


def both(metric, shape, pool, deal):
    """Values and values without each cluster, the short way and finished anew."""
    short, plain = left_out(metric, shape, pool), module._Finished(metric, shape, pool)
    assert type(short) is not type(plain)
    with np.errstate(divide="ignore", invalid="ignore"):
        (value, rest), (expected, without) = short(deal), plain(deal)
    held = np.broadcast_to(deal.times > 0, rest.shape)
    return value, expected, rest[held], without[held]


CASES = pytest.mark.parametrize("metric", SHAPES, ids=[metric.name for metric in SHAPES])


@CASES
@pytest.mark.parametrize("rows", [3, 60])
def test_one_by_one_as_the_metric_finishes(metric, rows):
    """Of three rows a cluster classes are lost in some draws and groups, of sixty in none."""
    rng, shape = np.random.default_rng(3), SHAPES[metric]
    pool = pool_of(counts(rng, shape, 22, rows), (4, 8, 10))
    known = []
    for deal in (pool.observed(), *pool.deals(3, rng, 40, (1, 1))):
        value, expected, rest, without = both(metric, shape, pool, deal)
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-14)
        lost = np.isnan(without)
        assert (np.isnan(rest) | ~lost).all()
        # Where a class can be lost with one cluster, no value without a cluster of the group is of use.
        spoiled = np.isnan(np.broadcast_to(_worst(deal, without), rest.shape))
        assert (np.isnan(rest) == spoiled).all()
        np.testing.assert_allclose(rest[~spoiled], without[~spoiled], rtol=0, atol=1e-14)
        known.append((~spoiled).mean())
    assert (np.mean(known) < 1) == (rows == 3 and metric is not AURC)


@CASES
def test_where_the_limit_has_every_group_none_is_dealt(metric):
    shape = SHAPES[metric]
    pool = pool_of(counts(np.random.default_rng(3), shape, 22, 60), (10, 12))
    (deal,) = pool.deals(0, np.random.default_rng(4), 7, (1, 1))
    value, expected, rest, without = both(metric, shape, pool, deal)
    assert value.shape == expected.shape == (7, 0)
    assert rest.shape == without.shape == (0,)


def _worst(deal, without):
    """NaN for every entry of a group of which one is NaN."""
    left = without.reshape(deal.draws, -1)
    return np.add.reduceat(left, deal.start, axis=1)[:, deal.group].ravel()


@CASES
def test_counted_as_the_metric_finishes(metric, monkeypatch):
    rng, shape = np.random.default_rng(5), SHAPES[metric]
    found = counts(rng, shape, 30, 40)
    pool = pool_of(found, (10, 10, 10), rng.integers(1, 9, 30))
    monkeypatch.setattr(Pool, "single", False)
    for deal in (pool.observed(), *pool.deals(3, rng, 20, (1, 1))):
        value, expected, rest, without = both(metric, shape, pool, deal)
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-14)
        np.testing.assert_allclose(rest, without, rtol=0, atol=1e-14)


def test_areas_of_many_rows_stay_exact():
    """Beyond 2^24 wins of one cluster products are of float64."""
    rng, shape = np.random.default_rng(4), SHAPES[AUROC]
    found = counts(rng, shape, 12, 50)
    few, many = (pool_of(found * times, (5, 7)) for times in (1, 4_001))
    ways = [left_out(AUROC, shape, pool) for pool in (few, many)]
    assert [way.units[0].flat.dtype for way in ways] == [np.float32, np.float64]
    for one, other in zip(
        *(way(pool.observed()) for way, pool in zip(ways, (few, many), strict=True)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_an_area_without_a_cluster_equals_scikit_learn():
    rng, shape = np.random.default_rng(7), SHAPES[AUROC]
    found = counts(rng, shape, 9, 12)
    pool = pool_of(found, (4, 5))
    value, rest = left_out(AUROC, shape, pool)(pool.observed())
    place = [np.flatnonzero((pool.kinds == one.ravel()).all(axis=1))[0] for one in found]

    def area(some):
        others, own = found[some].sum(axis=0)
        score = np.concatenate([np.repeat(np.arange(256), others), np.repeat(np.arange(256), own)])
        return roc_auc_score(np.repeat([0, 1], [others.sum(), own.sum()]), score)

    groups = [range(4), range(4, 9)]
    assert value[0] == pytest.approx([area([*some]) for some in groups], abs=1e-14)
    expected = [
        area([k for k in some if k != i]) for some in groups for i in sorted(some, key=lambda i: place[i])
    ]
    assert rest[0] == pytest.approx(expected, abs=1e-14)


def test_a_unit_or_a_class_that_nobody_has_is_left_aside():
    rng = np.random.default_rng(2)
    for metric in (UAR, AU_F1, AU_AUROC):
        shape = SHAPES[metric]
        found = counts(rng, shape, 14, 80)
        found[(..., 1, slice(None)) if metric is UAR else (slice(None), 1, 1)] = 0
        pool = pool_of(found, (6, 8))
        value, expected, rest, without = both(metric, shape, pool, pool.observed())
        assert np.isfinite(expected).all()
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-14)
        np.testing.assert_allclose(rest, without, rtol=0, atol=1e-14)


def test_what_has_no_short_way_is_finished():
    rng, shape = np.random.default_rng(2), SHAPES[UAR]
    pool = pool_of(counts(rng, shape, 14, 80), (6, 8))
    for metric in (METRICS["kappa"], replace(UAR, formula=lambda confusion: recall(confusion)[0][..., 0])):
        assert isinstance(left_out(metric, shape, pool), module._Finished)
