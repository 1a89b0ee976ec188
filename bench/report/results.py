"""A finished run as it lies on disk: what was run, what came of each cell, and the estimates.

Read only. Numbers of suppressed rows are removed while reading, so that no table, figure or JSON built
from here can show one, whatever the file holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow.compute as pc
from pydantic import ValidationError

from bench.digest import digest_file
from bench.errors import UserError, quantity
from bench.folder import RunFolder
from bench.judge.metrics import FUNNEL
from bench.latency import Measured, read_latency
from bench.prereg import Followed
from bench.report.records import Cell, Dataset, Model, Perturbation, Place
from bench.report.rows import EstimateRows, Row
from bench.spec import Facts, Suite
from bench.suite import planned_suite
from bench.tables import ESTIMATES, read_table
from bench.tables.curves import CURVES

if TYPE_CHECKING:
    from fairlearn.metrics import MetricFrame

__all__ = ["Results", "Row", "read_results", "unique"]

_T = TypeVar("_T")
# What ranks slices and leads the report, best known first; higher is better in each of them.
_LEADING = (
    "uar", "accuracy", "macro_f1", "ccc_valence", "ccc_arousal", "ccc_dominance", "au_f1", "au_icc",
    "au_auroc",
)  # fmt: skip
_FILES = ("curves.parquet", "estimates.parquet", "latency.json", "run.json")
_PLACE = ("condition", "severity", "where")


@dataclass(frozen=True)
class Results:
    """Everything a report shows; ``rows`` are the estimates of kind "value", in file order.

    ``differences`` are those of kind gap, contrast and spread; ``curves`` are the points of curves;
    ``perturbations`` are those of a run, by name; ``oracle`` is the stage that was given, None in most runs;
    ``lock`` what the run says of the locked plan that it was given, None where there was none; ``latency``
    what was measured of speed, empty where that was not asked for.
    """

    run: Path
    kind: str
    version: str
    suite: Suite
    suite_digest: str
    device: str | None
    precision: str | None
    models: tuple[Model, ...]
    datasets: tuple[Dataset, ...]
    cells: tuple[Cell, ...]
    rows: EstimateRows
    differences: EstimateRows
    curves: tuple[Row, ...]
    digests: dict[str, str]
    perturbations: dict[str, Perturbation] = field(default_factory=dict[str, Perturbation])
    oracle: str | None = None
    lock: Followed | None = None
    latency: tuple[Measured, ...] = ()

    @cached_property
    def _index(self) -> dict[tuple[str, str, Place], dict[tuple[str | None, str | None, str], int]]:
        found: dict[tuple[str, str, Place], dict[tuple[str | None, str | None, str], int]] = {}
        for (model, dataset, *place), mine in self.rows.groups("model", "dataset", *_PLACE).items():
            inner = found.setdefault((model, dataset, Place.at(*place)), {})
            inner.update(zip(self.rows.keys(mine, "slice", "value", "metric"), mine, strict=True))
        return found

    def at(self, model: str, dataset: str, place: Place) -> list[Row]:
        """The estimates of one cell, in file order."""
        return self.rows.take(self._index.get((model, dataset, place), {}).values())

    def has(self, model: str, dataset: str, place: Place) -> bool:
        """Whether there is any estimate of a cell."""
        return (model, dataset, place) in self._index

    @cached_property
    def primary_gaps(self) -> dict[tuple[str, str, Place], list[Row]]:
        """The gaps whose tests are confirmatory, by cell, in file order."""
        found: dict[tuple[str, str, Place], list[Row]] = {}
        places = self.differences.groups("kind", "role").get(("gap", "confirmatory"), [])
        for row in self.differences.take(places):
            found.setdefault((row["model"], row["dataset"], Place.of(row)), []).append(row)
        return found

    def find(
        self, cell: tuple[str, str, Place], metric: str, part: tuple[str | None, str | None]
    ) -> Row | None:
        """One estimate: of a (model, data set, place), a metric and a (slice, value), both None overall."""
        found = self._index.get(cell, {}).get((*part, metric))
        return None if found is None else self.rows[found]

    def points(
        self, cell: tuple[str, str, Place], part: tuple[str | None, str | None], curve: str
    ) -> list[Row]:
        """The points of one curve of a (model, data set, place) and a (slice, value), in file order."""
        return self._points.get((*cell, *part, curve), [])

    @cached_property
    def _points(self) -> dict[tuple[object, ...], list[Row]]:
        found: dict[tuple[object, ...], list[Row]] = {}
        for row in self.curves:
            key = (row["model"], row["dataset"], Place.of(row), row["slice"], row["value"], row["curve"])
            found.setdefault(key, []).append(row)
        return found

    def differences_at(self, dataset: str, place: Place, kind: str | None = None) -> list[Row]:
        """The estimates that are no values of all models on a data set under one condition, in file order.

        Of one kind, or of all.
        """
        found = self._differences_at.get((dataset, place), {})
        kept = [found.get(kind, [])] if kind else found.values()
        return self.differences.take(sorted(chain.from_iterable(kept)))

    def of_kind(self, kind: str, dataset: str, model: str, metric: str) -> list[Row]:
        """The estimates of a kind that is no value, of one model and metric on a data set, in file order."""
        return self.differences.take(self._of_kind.get((kind, dataset, model, metric), []))

    @cached_property
    def _differences_at(self) -> dict[tuple[str, Place], dict[str, list[int]]]:
        found: dict[tuple[str, Place], dict[str, list[int]]] = {}
        for (dataset, kind, *place), mine in self.differences.groups("dataset", "kind", *_PLACE).items():
            found.setdefault((dataset, Place.at(*place)), {}).setdefault(kind, []).extend(mine)
        return found

    def beside(self, row: Row, kind: str, metric: str) -> list[Row]:
        """The estimates of a kind and metric of the same cell as a row, of all slices, in file order."""
        key = (kind, metric, *(row[name] for name in ("dataset", "model", *_PLACE)))
        return self.differences.take(self._beside.get(key, []))

    @cached_property
    def _beside(self) -> dict[tuple[Any, ...], list[int]]:
        return self.differences.groups("kind", "metric", "dataset", "model", *_PLACE)

    @cached_property
    def _of_kind(self) -> dict[tuple[Any, ...], list[int]]:
        return self.differences.groups("kind", "dataset", "model", "metric")

    def places(self, dataset: str) -> list[Place]:
        """The conditions of a data set: clean first, then by name, where and severity."""
        return list(self._places.get(dataset, []))

    @cached_property
    def _places(self) -> dict[str, list[Place]]:
        found: dict[str, set[Place]] = {}
        for _, dataset, place in self._index:
            found.setdefault(dataset, set()).add(place)
        for cell in self.cells:
            found.setdefault(cell.dataset, set()).add(cell.place)
        return {name: sorted(mine, key=lambda p: (p.severity > 0, p)) for name, mine in found.items()}

    def reference(self, dataset: str) -> Place:
        """The condition whose slices are shown: clean, or the first one where clean was not run."""
        return next(iter(self.places(dataset)), Place("clean"))

    def metrics(self, dataset: str) -> list[str]:
        """The metrics with an overall row under the reference condition, in the order of the file.

        The funnel has tables of its own, unless it was asked for.
        """
        place = self.reference(dataset)
        rows = (row for model in self.models for row in self.at(model.name, dataset, place))
        found = unique(row["metric"] for row in rows if row["slice"] is None)
        return [name for name in found if name not in FUNNEL or name in self.suite.metrics]

    def cut(self, model: str, dataset: str) -> set[str]:
        """The metrics that a model has by slice under the reference condition.

        Coverage is one of them only where rows are missed; elsewhere the column of that name says it all.
        """
        rows = self.at(model, dataset, self.reference(dataset))
        cut = [row for row in rows if row["slice"] is not None]
        whole = all(row["estimate"] in (1.0, None) for row in cut if row["metric"] == "coverage")
        found = {row["metric"] for row in cut} - ({"coverage"} if whole else set())
        return {name for name in found if name not in FUNNEL or name in self.suite.metrics}

    def leading(self, dataset: str) -> str | None:
        """The metric that leads: the first the suite names, else UAR, accuracy, ..., CCC."""
        present = self.metrics(dataset)
        order = [name for name in self.suite.metrics if name in _LEADING] + list(_LEADING)
        return next((name for name in order if name in present), None)

    def slices(self, dataset: str) -> list[tuple[str, list[str]]]:
        """Each slice with its values, in the order of the file."""
        place = self.reference(dataset)
        rows = [row for model in self.models for row in self.at(model.name, dataset, place)]
        cut = unique((row["slice"], row["value"]) for row in rows if row["slice"] is not None)
        return [(name, [value for s, value in cut if s == name]) for name in unique(s for s, _ in cut)]

    def metric_frame(
        self, attribute: str, model: str | None = None, dataset: str | None = None
    ) -> MetricFrame:
        """Hand an analyst a fairlearn MetricFrame by a slice of the suite, such as ``sex`` or ``race&sex``.

        Over the labelled rows under the reference condition, of the only model and data set where none is
        named: what the estimates have of accuracy, UAR, macro-F1 and recalls; a miss is wrong. NaN where a
        number is suppressed. UserError for a slice, model, data set or metric that is not there.
        """
        from bench.report.groups import metric_frame

        return metric_frame(self, attribute, model, dataset)

    def amount(self, place: Place) -> str:
        """What the severity of a condition stands for, empty where the run does not say."""
        found = self.perturbations.get(place.condition)
        return quantity(found.amounts[place.severity - 1], found.unit) if found and place.severity else ""

    def may_lose_label(self, place: Place) -> bool:
        """Whether people may no longer see the label at the severity of a condition."""
        found = self.perturbations.get(place.condition)
        return bool(found and found.destroys_label_from and place.severity >= found.destroys_label_from)

    def cell(self, model: str, dataset: str, place: Place) -> Cell | None:
        """The record of one cell, None where a score has none."""
        return self._records.get((model, dataset, place))

    @cached_property
    def _records(self) -> dict[tuple[str, str, Place], Cell]:
        return {(cell.model, cell.dataset, cell.place): cell for cell in self.cells}


def unique(items: Iterable[_T]) -> list[_T]:
    """The items without repetition, in the order of their first appearance."""
    return list(dict.fromkeys(items))


def read_results(run: Path) -> Results:
    """Read a run folder; UserError where it is not finished, not a run, or of another version."""
    folder = RunFolder(run)
    info, suite = folder.plan, planned_suite(folder)
    table = read_table(folder.estimates)
    if not table.schema.equals(ESTIMATES):
        raise _unreadable(folder.estimates, "the columns are not those of Estimates")
    try:
        values = pc.equal(table["kind"], "value")
        cells = tuple(Cell.of(cell.facts) for cell in folder.cells() if cell.facts)
        return Results(
            run=run,
            kind=info["kind"],
            version=info["affectbench"],
            suite=suite,
            suite_digest=info["suite_digest"],
            device=info["device"],
            precision=info["precision"],
            models=tuple(Model.of(entry) for entry in info["models"]),
            datasets=tuple(
                Dataset(d["name"], d["digest"], d["rows"], Facts.model_validate(d["facts"]))
                for d in info["datasets"]
            ),
            cells=cells,
            rows=EstimateRows(table.filter(values)),
            differences=EstimateRows(table.filter(pc.invert(values))),
            curves=_curves(folder.curves),
            digests={name: digest_file(run / name) for name in _FILES if (run / name).is_file()},
            perturbations={name: Perturbation.of(one) for name, one in info.get("perturbations", {}).items()},
            oracle=info.get("oracle"),
            lock=Followed.model_validate(info["lock"]) if "lock" in info else None,
            latency=read_latency(folder.latency),
        )
    except (KeyError, TypeError, ValidationError) as error:
        cause = str(error).splitlines()[0]
        raise _unreadable(run / "run.json", f"a field is missing or wrong: {cause}") from None


def _curves(path: Path) -> tuple[Row, ...]:
    """The points of curves, without the numbers of suppressed ones; none where no curve was asked for."""
    if not path.is_file():
        return ()
    table = read_table(path)
    if not table.schema.equals(CURVES):
        raise _unreadable(path, "the columns are not those of Curves")
    nothing = dict.fromkeys(("x", "y", "n"))
    return tuple(row | nothing if row["status"] == "suppressed" else row for row in table.to_pylist())


def _unreadable(path: Path, found: str) -> UserError:
    return UserError(
        str(path), found, "A report is made from a run folder of this version of affectbench",
        "Run it again, or use the version that wrote it",
    )  # fmt: skip
