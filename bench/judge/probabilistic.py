"""Formulas of probabilities and of votes: calibration, selective prediction, ranking, soft labels.

Each takes the statistics of its kernel (``bench.judge.kernels``) with any leading axes and gives NaN, never
0, where the value is undefined. Only rows with probabilities count: read all of them beside coverage, except
the agreement with the crowd, where a miss agrees with nobody. Those of histograms say how far binning can
have moved them. Refuses nothing: what a metric may be asked of is decided in ``bench.judge.request``.
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma

from bench.judge.formulas import Stats, divide
from bench.judge.rows import Floats

__all__ = [
    "aurc", "aurc_bound", "auroc", "auroc_bound", "brier", "cross_entropy", "crowd_agreement", "ece", "js",
    "nll", "reliability", "risk_coverage", "soft_brier",
]  # fmt: skip


def ece(calibration: Stats) -> Floats:
    """Expected calibration error: sum_b |hits_b - sum of confidence_b| / n over 15 equal bins.

    Confidence is the largest probability; a tie is no hit; bins are (low, high]. It grows as rows get fewer
    (.16 at n = 50 and .04 at n = 1,000 under perfect calibration): compare it against chance alone. Source:
    Naeini, Cooper, Hauskrecht 2015; Guo et al. 2017, arXiv 1706.04599.
    """
    error = abs(calibration[..., 1] - calibration[..., 2]).sum(axis=-1)
    return divide(error, calibration[..., 0].sum(axis=-1))


def reliability(calibration: Stats) -> tuple[Floats, Floats, Floats]:
    """What a reliability diagram shows: n, mean confidence and accuracy per bin, (..., 15) each.

    Bins are (low, high], 1/15 wide; NaN in a bin without rows. Source: DeGroot, Fienberg 1983.
    """
    n, hits, confidence = (np.asarray(calibration[..., k], np.float64) for k in range(3))
    return n, divide(confidence, n), divide(hits, n)


def brier(scores: Stats) -> Floats:
    """Brier score of all classes: mean sum_k (p_k - y_k)^2, in [0, 2]; half of it for two classes is Brier's.

    Source: Brier 1950; scikit-learn ``brier_score_loss(scale_by_half=False)``.
    """
    return divide(scores[..., 1], scores[..., 0])


def nll(scores: Stats) -> Floats:
    """Negative log likelihood of the true label: mean -ln max(p, 2.2e-16), in nats; 36.04 at most.

    Source: scikit-learn ``log_loss``.
    """
    return divide(scores[..., 2], scores[..., 0])


def aurc(selective: Stats) -> Floats:
    """Area under the risk-coverage curve: the mean over i of the error rate of the i most confident rows.

    Rows of one bin of confidence are in random order, each order alike: with e errors among n rows behind N
    rows with E errors, sum_j (E + j e/n) / (N + j). 256 bins, 1/8 logit wide; ``aurc_bound`` says how far
    any order could move it. Source: Geifman, El-Yaniv 2017, arXiv 1705.08500; Geifman et al. 2019.
    """
    errors, rows, e, n = _from_the_top(selective)
    rate = np.where(n > 0, e / np.maximum(n, 1), 0.0)
    # The sum of 1/j over each bin; a bin ends where the next begins, so that one digamma serves both.
    inverse = np.diff(digamma(rows + n + 1), axis=-1, prepend=digamma(1.0))
    area = e + (errors - rate * rows) * inverse
    return divide(area.sum(axis=-1), n.sum(axis=-1))


def aurc_bound(selective: Stats) -> Floats:
    """How far the AURC of any order of the rows within each bin can be from ``aurc``.

    In the worst order a bin's errors come first, in the best one last.
    """
    errors, rows, e, n = _from_the_top(selective)
    right = n - e
    worst = e + (errors - rows) * _harmonic(rows, rows + e) + (errors + e) * _harmonic(rows + e, rows + n)
    best = errors * _harmonic(rows, rows + right)
    best += e + (errors - rows - right) * _harmonic(rows + right, rows + n)
    value, total = aurc(selective), n.sum(axis=-1)
    return np.maximum(divide(worst.sum(axis=-1), total) - value, value - divide(best.sum(axis=-1), total))


def risk_coverage(selective: Stats) -> tuple[Floats, Floats]:
    """The risk-coverage curve: the share of rows kept and their error rate, (..., 256) each.

    Rows are kept from the most confident bin down; shares are of the rows with probabilities. NaN before the
    first row. Source: El-Yaniv, Wiener 2010, JMLR 11.
    """
    errors, rows, e, n = _from_the_top(selective)
    return divide(rows + n, n.sum(axis=-1, keepdims=True)), divide(errors + e, rows + n)


def auroc(ranking: Stats) -> Floats:
    """Area under the ROC curve of one label against the rest: P(p of it > p of another), ties half.

    From 256 bins of the label's probability, 1/8 logit wide from -16 to 16; two rows of one bin are tied.
    ``auroc_bound`` says how far that can move it. Source: Hanley, McNeil 1982; scikit-learn
    ``roc_auc_score``.
    """
    others, own = _other_and_own(ranking)
    below = np.cumsum(others, axis=-1) - others
    wins = (own * (below + others / 2)).sum(axis=-1)
    return divide(wins, own.sum(axis=-1) * others.sum(axis=-1))


def auroc_bound(ranking: Stats) -> Floats:
    """How far the AUROC without bins can be from ``auroc``: half the share of pairs that share a bin."""
    others, own = _other_and_own(ranking)
    return divide((own * others).sum(axis=-1) / 2, own.sum(axis=-1) * others.sum(axis=-1))


def cross_entropy(soft: Stats) -> Floats:
    """Cross-entropy to the crowd: mean -sum_k q_k ln max(p_k, 2.2e-16), in nats, q the shares of votes.

    At its least it is the entropy of the votes, not 0. Source: Peterson et al. 2019, arXiv 1908.07086.
    """
    return divide(soft[..., 1], soft[..., 0])


def soft_brier(soft: Stats) -> Floats:
    """Brier score to the crowd: mean sum_k (p_k - q_k)^2, in [0, 2], q the shares of votes.

    Source: Brier 1950, with shares in place of outcomes.
    """
    return divide(soft[..., 2], soft[..., 0])


def js(soft: Stats) -> Floats:
    """Jensen-Shannon divergence to the crowd: mean (KL(p | m) + KL(q | m)) / 2, m = (p + q) / 2, in bits.

    The divergence in [0, 1], not its root, the distance. Source: Lin 1991; scipy ``jensenshannon``, squared.
    """
    return np.maximum(divide(soft[..., 3], soft[..., 0]), 0.0)


def crowd_agreement(agreement: Stats) -> Floats:
    """Agreement with the crowd: the share of single votes that are for the decision.

    Of all votes of all rows, so that rows with more votes weigh more; a miss or a tie agrees with no vote. No
    model reaches 1 where raters disagree. Source: Cao et al. 2014, IEEE Trans. Affective Computing 5(4).
    """
    return divide(agreement[..., 1], agreement[..., 2])


def _other_and_own(ranking: Stats) -> tuple[Floats, Floats]:
    return np.asarray(ranking[..., 0, :], np.float64), np.asarray(ranking[..., 1, :], np.float64)


def _from_the_top(selective: Stats) -> tuple[Floats, Floats, Floats, Floats]:
    """Per bin from the most confident down: errors and rows before it, errors and rows in it."""
    wrong, right = (np.asarray(selective[..., k, ::-1], np.float64) for k in (0, 1))
    n = wrong + right
    return np.cumsum(wrong, axis=-1) - wrong, np.cumsum(n, axis=-1) - n, wrong, n


def _harmonic(start: Floats, end: Floats) -> Floats:
    """The sum of 1/j over start < j <= end."""
    return np.asarray(digamma(end + 1) - digamma(start + 1))
