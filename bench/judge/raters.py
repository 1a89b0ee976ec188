"""Raters: how far those who labelled a row agree among themselves, whatever a model says.

Where one group's labels are agreed on less, errors there are partly the labels': the gap of this agreement
stands beside error gaps (STATISTICS, Gaps). A row has an agreement where two votes can be compared. Refuses
to tell counts from shares row by row: a data set has one or the other.
"""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from bench.judge.formulas import Stats, divide
from bench.judge.kernels import Moments
from bench.judge.rows import Bools, Floats, Rows

__all__ = ["compared_votes", "label_agreement", "raters"]


def raters(rows: Rows) -> Moments:
    """Rows and the share of pairs of votes that agree, of rows with votes to compare.

    Counts n_k of n votes: (sum n_k^2 - n) / (n (n - 1)), of pairs of different votes. Shares q_k, where any
    vote of the data set is no whole number: sum q_k^2, the same for very many votes (1 less the Gini index).
    """
    votes = rows.ballots
    cast, same = votes.sum(axis=1), (votes**2).sum(axis=1)
    one = 1.0 if _are_counts(votes) else 0.0
    pairs = cast * (cast - one)
    known = rows.judged & (pairs > 0)  # of whole counts, 0 and 1 have none
    stats = np.ones((len(votes), 2))
    stats[:, 1] = np.where(known, same - one * cast, 0.0) / np.where(known, pairs, 1.0)
    return Moments(known, stats)


def compared_votes(rows: Rows) -> Bools:
    """The rows that ``raters`` counts, (N,), read without a number per label of its own."""
    found = np.zeros(len(rows.truth), np.bool_)
    if rows.votes is not None:
        column = rows.votes.combine_chunks()
        votes = column.flatten().to_numpy().reshape(-1, rows.labels)
        cast = votes.sum(axis=1)
        found[pc.is_valid(column).to_numpy(zero_copy_only=False)] = cast > (1 if _are_counts(votes) else 0)
    return rows.judged & found


def label_agreement(agreement: Stats) -> Floats:
    """Agreement of the raters: the mean over rows of the share of pairs of votes for the same label.

    From the votes of the targets alone, no model in it; rows with fewer than two votes are left out; votes
    given as shares agree by sum q_k^2. Not corrected for chance. Source: Fleiss 1971, Psychological Bulletin
    76, P-bar, eq. 3.
    """
    return divide(agreement[..., 1], agreement[..., 0])


def _are_counts(votes: Floats) -> bool:
    blocks = np.array_split(votes, max(1, len(votes) >> 20))
    return all(bool((block == np.floor(block)).all()) for block in blocks)
