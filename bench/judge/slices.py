"""Slices: attributes of targets, and intersections of them to any depth, as memberships of strata.

A missing attribute value is the slice value ``unmeasured``. Numbers are cut at the suite's bins, lower edge
included; a numeric attribute with many values and no bins is refused, as is an attribute that is not there,
and an ``&`` in the values of an intersection, which it joins.
Attributes may vary within a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.errors import UserError, listed, nearest
from bench.judge.atoms import Strata, combine, stratify
from bench.judge.rows import Ints, as_codes, numbers, positions
from bench.spec import Slicing, Suite
from bench.tables import Targets

__all__ = ["UNMEASURED", "Cut", "Slice", "attribute", "attributes_of", "cut", "labels_of_bins"]

UNMEASURED = "unmeasured"
MOST_VALUES = 12

Where = Callable[[str, str], str]


@dataclass(frozen=True)
class Slice:
    """One slice of a data set: its values, which strata have them, and what each holds.

    ``attributes`` is empty for the whole data set; ``values`` (V,) are texts such as ``Asian&Male``;
    ``codes`` (V, depth) the value of each attribute; ``of_stratum`` (A,) the value of each stratum;
    ``clusters``, ``clips`` and ``rows`` (V,) count what the targets hold, whatever the predictions are.
    Values within those of a ``control`` read ``Male|<30``, the control's being the last column of ``codes``;
    ``within`` is set where the slice holds those of one value of the control alone.
    """

    attributes: tuple[str, ...]
    values: tuple[str, ...]
    codes: Ints
    of_stratum: Ints
    clusters: Ints
    clips: Ints
    rows: Ints
    control: str | None = None
    within: str | None = None

    @property
    def name(self) -> str | None:
        """The name in Estimates: null for the whole, ``race&sex`` for an intersection, ``sex|age``."""
        return Slicing(self.attributes, self.control).name or None

    @property
    def label(self) -> str:
        """The name, with the one value of the control that the slice is compared within, if any."""
        return f"{self.name} within {self.within}" if self.within else str(self.name)


@dataclass(frozen=True)
class Cut:
    """A data set cut into strata and slices; the first slice is the whole."""

    strata: Strata
    slices: tuple[Slice, ...]


def cut(targets: Targets, suite: Suite, where: Where) -> Cut:
    """Cut a data set by the suite; UserError for unknown attributes and missing bins."""
    coded = attributes_of(targets, suite, where)
    # Targets are unique: to number ten million names would cost half a gigabyte.
    alone = targets.cluster == "target"
    cluster = np.arange(len(targets)) if alone else as_codes(targets.table[targets.cluster])
    strata = stratify(cluster, [codes for codes, _ in coded.values()])
    holds = _Holdings(strata, cluster if strata.cluster is not None else None, _clips(targets))
    whole = _slice(Slicing(()), (), strata, holds)
    cuts = [_slice(each, [coded[name] for name in _columns(each)], strata, holds) for each in suite.slicings]
    return Cut(strata, (whole, *cuts))


def attributes_of(targets: Targets, suite: Suite, where: Where) -> dict[str, tuple[Ints, tuple[str, ...]]]:
    """Code every attribute that the suite cuts by: (N,) codes and the texts of the values in order.

    UserError where an attribute is unknown or lacks bins, and where an ``&`` would make two slices, or two
    values of an intersection, read alike, or a ``|`` two values within a control.
    """
    cuts = suite.slicings
    kinds = dict.fromkeys(suite.controls, "control") | {n: "slice" for c in cuts for n in c.attributes}
    coded = {
        name: attribute(targets, name, suite, lambda kind, n: where(kinds[n] if kind == "slice" else kind, n))
        for name in dict.fromkeys(name for each in cuts for name in _columns(each))
    }
    crossed = {name for each in cuts if len(each.attributes) > 1 for name in each.attributes}
    controlled = {name for each in cuts if each.control for name in _columns(each)}
    for sign, apart, what, word in (
        ("&", crossed, "joins the attributes of an intersection and their values", "and"),
        ("|", controlled, "stands before a control and its values", "or"),
    ):
        for name, (_, values) in coded.items():
            joined = [value for value in values if sign in value and name in apart]
            if (sign in name and (sign == "&" or name in apart)) or joined:
                raise UserError(
                    where(kinds[name], name),
                    f"{kinds[name]} {name!r} of {targets.facts.name} has an '{sign}' in its "
                    + (f"values: {listed(joined, 3)}" if joined else "name"),
                    f"'{sign}' {what}",
                    f"Replace the '{sign}' in the targets, for example by '{word}'",
                )
    return coded


def _columns(each: Slicing) -> tuple[str, ...]:
    return (*each.attributes, *([each.control] if each.control else []))


def attribute(targets: Targets, name: str, suite: Suite, where: Where) -> tuple[Ints, tuple[str, ...]]:
    """Code an attribute: (N,) codes and the texts of its values in order, ``unmeasured`` last."""
    if name not in targets.attributes:
        raise UserError(
            where("slice", name),
            f"slice {name!r} is not an attribute of {targets.facts.name}.{nearest(name, targets.attributes)}",
            f"It has: {listed(targets.attributes) or 'none'}",
            "Name one of them or add the attribute to the targets",
        )
    column = targets.table[name]
    if pa.types.is_floating(column.type):
        return _numeric(name, numbers(column), suite, where)
    if name in suite.bins:
        raise UserError(
            where("bins", name),
            f"bins cut {name!r}, which is text in {targets.facts.name}{_first_text(column)}",
            "Bins cut numbers", "Take the bins out, or write numbers (an empty field is unmeasured)",
        )  # fmt: skip
    column = pc.fill_null(column.cast(pa.string()), UNMEASURED)
    values = sorted(pc.unique(column).to_pylist(), key=lambda value: (value == UNMEASURED, value))
    return positions(column, tuple(values)), tuple(values)


def _first_text(column: pa.ChunkedArray) -> str:
    """Name the first row that makes a column text, nothing where no single one does.

    >>> _first_text(pa.chunked_array([["30", None, "forty"]]))
    ": row 3 is 'forty'"
    """
    for row, value in enumerate(column):
        try:
            value.cast(pa.float64())
        except pa.ArrowInvalid:
            return f": row {row + 1} is {value.as_py()!r}"
    return ""


def labels_of_bins(edges: Sequence[float]) -> list[str]:
    """Name the bins between ascending edges, the lower edge included.

    >>> labels_of_bins([20, 30.5])
    ['<20', '[20, 30.5)', '>=30.5']
    """
    texts = [_text(edge) for edge in edges]
    middle = [f"[{low}, {high})" for low, high in pairwise(texts)]
    return [f"<{texts[0]}", *middle, f">={texts[-1]}"]


def _numeric(name: str, column: np.ndarray, suite: Suite, where: Where) -> tuple[Ints, tuple[str, ...]]:
    measured = np.isfinite(column)
    distinct = np.unique(column[measured])
    if name in suite.bins:
        codes = np.searchsorted(suite.bins[name], column, side="right")
        texts = labels_of_bins(suite.bins[name])
    elif len(distinct) <= MOST_VALUES:
        codes, texts = np.searchsorted(distinct, column), [_text(value) for value in distinct]
    else:
        raise UserError(
            where("slice", name), f"slice {name!r} is a number with {len(distinct)} values and no bins",
            f"Without bins a numeric attribute has at most {MOST_VALUES} values",
            f"Cut it, for example with --bins {name}={_example(distinct, ',')}, or in a suite with "
            f"'bins: {{{name}: [{_example(distinct, ', ')}]}}'",
        )  # fmt: skip
    codes = np.where(measured, codes, len(texts))
    occurring, codes = np.unique(codes, return_inverse=True)
    return codes, tuple([*texts, UNMEASURED][code] for code in occurring)


def _example(distinct: np.ndarray, comma: str) -> str:
    middle = np.quantile(distinct, [0.25, 0.5, 0.75])
    return comma.join(dict.fromkeys(f"{edge:.3g}" for edge in middle))


def _text(number: float) -> str:
    return f"{number:.15g}"


def _clips(targets: Targets) -> Ints | None:
    if "clip" not in targets.table.column_names:
        return None
    codes = as_codes(targets.table["clip"])
    if codes.max(initial=-1) + 1 == len(codes):
        return None
    # A row without a clip is a clip of its own.
    return np.where(codes < 0, codes.max(initial=0) + 1 + np.arange(len(codes)), codes)


@dataclass(frozen=True)
class _Holdings:
    """The rows of each slice value, and its distinct clusters and clips; None where every row is one."""

    strata: Strata
    cluster: Ints | None
    clip: Ints | None

    def distinct(self, codes: Ints | None, of_stratum: Ints, values: int) -> Ints:
        value = of_stratum[self.strata.of_row]
        if codes is not None:
            value = value[combine([value, codes])[1]]
        return np.bincount(value, minlength=values)


def _slice(
    each: Slicing,
    coded: Sequence[tuple[Ints, tuple[str, ...]]],
    strata: Strata,
    holds: _Holdings,
) -> Slice:
    codes = [column[strata.first] for column, _ in coded] or [np.zeros(len(strata), np.int64)]
    of_stratum, first = combine(codes)
    count = len(first)
    held = np.stack([column[first] for column in codes], axis=1)
    words = [[texts[code] for code in column] for (_, texts), column in zip(coded, held.T, strict=False)]
    depth = len(each.attributes)
    values = ["|".join(["&".join(parts[:depth]), *parts[depth:]]) for parts in zip(*words, strict=True)]
    return Slice(
        attributes=each.attributes,
        values=tuple(values or [""]),
        codes=held[:, : len(coded)],
        of_stratum=of_stratum,
        clusters=holds.distinct(holds.cluster, of_stratum, count),
        clips=holds.distinct(holds.clip, of_stratum, count),
        rows=holds.distinct(None, of_stratum, count),
        control=each.control,
    )
