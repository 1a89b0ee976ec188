"""The results of one model of a run, as if no other had been run."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from bench.report.results import Results

__all__ = ["of_model"]


def of_model(results: Results, name: str) -> Results:
    """The results of one model alone, without its ranks among the others; none where it is no model."""
    kinds = results.differences.groups("model", "kind").items()
    mine = chain.from_iterable(p for (model, kind), p in kinds if model == name and kind != "rank")
    return replace(
        results,
        models=tuple(model for model in results.models if model.name == name),
        cells=tuple(cell for cell in results.cells if cell.model == name),
        rows=results.rows.only(results.rows.groups("model").get((name,), [])),
        differences=results.differences.only(sorted(mine)),
        curves=tuple(row for row in results.curves if row["model"] == name),
        latency=tuple(one for one in results.latency if one.model == name),
    )
