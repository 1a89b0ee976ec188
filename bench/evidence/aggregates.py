"""The plan and the cells of a run without anything of single rows: what an external bundle holds of them.

Only what is named here is kept. Of paths the last part is left, of where targets lay nothing; how many rows
had which status is left out. Refuses estimates or curves of which a suppressed row holds a number, tables
with columns of their own, and slices whose values are as good as names of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.digest import canonical_json
from bench.errors import UserError
from bench.folder import RunFolder
from bench.tables.curves import CURVES
from bench.tables.estimates import ESTIMATES

__all__ = ["CELLS", "DERIVABLE", "EXTERNAL", "PLAN", "reduced_cells", "reduced_plan", "require_aggregates"]

PLAN, CELLS, DERIVABLE = "plan.json", "cells.json", "derivable.json"
EXTERNAL = (
    PLAN, CELLS, DERIVABLE, "estimates.parquet", "curves.parquet", "judged.json", "report.html", "audit.html",
    "audit.md", "audit.json", "audit.pdf", "signer.pem",
)  # fmt: skip
"""All that an external bundle may hold, beside its manifest and the signature of that."""

_OF_PLAN = (
    "affectbench", "kind", "suite", "suite_digest", "models", "cells", "datasets", "device", "precision",
    "perturbations", "oracle", "detect_every", "lock",
)  # fmt: skip
_OF_MODEL = (
    "name", "entry", "checkpoint", "double", "origin", "sampling", "front", "weights_sha256", "code_sha256",
    "predictions_sha256", "frames_sha256",
)  # fmt: skip
_OF_CELL = (
    "key", "model", "dataset", "condition", "severity", "where", "rows", "frames", "precision", "batch",
    "decoding", "predictions_sha256", "frames_sha256", "environment",
)  # fmt: skip
_NAMED = {
    "estimates": {
        "model", "dataset", "condition", "severity", "where", "slice", "value", "metric", "kind", "reference",
        "level", "side", "method", "cluster_unit", "family", "role", "status", "warning",
    },
    "curves": {
        "model", "dataset", "condition", "severity", "where", "slice", "value", "curve", "low", "high",
        "status",
    },
}  # fmt: skip
"""The columns that a suppressed row may fill: what it is of, and nothing that was found."""


def reduced_plan(plan: Mapping[str, Any]) -> bytes:
    """The plan as canonical JSON, without paths and what is not known to be no one's."""
    kept = {name: plan[name] for name in _OF_PLAN if name in plan}
    kept["models"] = [{name: model[name] for name in _OF_MODEL if name in model} for model in plan["models"]]
    suite = dict(plan["suite"])
    suite["data"] = [dict(source) | {"targets": None} for source in suite["data"]]
    kept["suite"] = suite
    if plan.get("lock"):
        # In what a run differs may quote the suite, and so a path.
        differs = plan["lock"]["differs"]
        kept["lock"] = dict(plan["lock"]) | {"differs": differs and differs.partition(":")[0]}
    return canonical_json(_without_paths(kept)).encode()


def reduced_cells(run: RunFolder) -> bytes:
    """What is said of every cell, in the order of the plan, as canonical JSON."""
    facts = [cell.facts or {} for cell in run.cells()]
    kept = [{name: each[name] for name in _OF_CELL if name in each} for each in facts]
    return canonical_json(_without_paths(kept)).encode()


def require_aggregates(run: RunFolder) -> None:
    """UserError unless estimates and curves are aggregates, and what is suppressed in them is."""
    for path, schema in ((run.estimates, ESTIMATES), (run.curves, CURVES)):
        if path.is_file():
            table = pq.read_table(path)
            if not table.schema.equals(schema):
                raise _refused(path.name, "it has other columns than it should", "Judge the run anew")
            _require_withheld(table, path.stem)
    for entry in run.plan["datasets"]:
        _require_no_names(run.targets(entry["name"]).table, run.plan["suite"], entry["name"])


def _require_withheld(table: pa.Table, name: str) -> None:
    suppressed = table.filter(pc.equal(table["status"], "suppressed"))
    leaking = [
        c for c in table.column_names if c not in _NAMED[name] and suppressed[c].null_count < len(suppressed)
    ]
    if leaking:
        raise _refused(
            f"{name}.parquet", f"suppressed rows have numbers in the column {leaking[0]!r}",
            "Judge the run anew with 'affectbench report RUN'",
        )  # fmt: skip


def _require_no_names(targets: pa.Table, suite: Mapping[str, Any], dataset: str) -> None:
    """UserError where the values of a slice are as good as names: each is of one subject, clip or target."""
    sliced = {name for cut in suite["slices"] for name in ([cut] if isinstance(cut, str) else cut)}
    floor = suite["slice_rule"]["suppress_below"]
    for column in sorted(sliced & set(targets.column_names)):
        if pa.types.is_string(targets[column].type):  # numbers are cut into bins
            for name in ("subject", "clip", "target"):
                if name in targets.column_names and _names(targets, column, name, floor):
                    raise _refused(
                        dataset, f"each value of the slice {column!r} is of one {name}",
                        "Judge it without that slice",
                    )  # fmt: skip


def _names(targets: pa.Table, column: str, name: str, floor: int) -> bool:
    """Whether values and names go in pairs, one of each, and there are more than a few."""
    known = targets.select([column, name]).drop_null()
    pairs = known.group_by([column, name]).aggregate([]).num_rows
    values, names = (pc.count_distinct(known[each]).as_py() for each in (column, name))
    return bool(pairs == values == names >= floor)


def _refused(where: str, found: str, remedy: str) -> UserError:
    return UserError(
        where, found, "An external bundle holds aggregates and nothing of single persons", remedy
    )


def _without_paths(value: Any) -> Any:
    """The value with absolute paths cut to their last part."""
    if isinstance(value, dict):
        return {name: _without_paths(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_paths(inner) for inner in value]
    if isinstance(value, str):
        for path in (PurePosixPath(value), PureWindowsPath(value)):
            if path.is_absolute() or value.startswith("~"):
                return path.name
    return value
