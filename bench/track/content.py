"""What of a finished run folder is sent: plain records, read without MLflow and without the network.

One parent per model and suite, one child per data set, condition and place (frame or crop), severity as
step. Suppressed rows and undefined numbers are left out. No attribute of a person, no medium, no row of
the targets and no absolute local path is sent; what a model said (``predictions.parquet``,
``frames.parquet``), how fast it was (``latency.json``) and ``cell.json`` go as they are.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pyarrow.parquet as pq

from bench.digest import digest_bytes, digest_file, digest_json
from bench.errors import UserError
from bench.track.names import metric_name

__all__ = ["CELL_FILES", "Content", "Dataset", "Reading", "read_contents"]

CELL_FILES = ("predictions.parquet", "frames.parquet", "cell.json")
"""The files of a cell that are sent; outputs per frame are there where the media are videos."""
CLEAN = "clean"
_NUMBERS = (("estimate", ""), ("low", ".low"), ("high", ".high"))
_COLUMNS = [
    "model", "dataset", "condition", "severity", "where", "slice", "value", "metric", "kind", "reference",
    "estimate", "low", "high", "status",
]  # fmt: skip
_Key = tuple[str, str, str]


@dataclass(frozen=True)
class Reading:
    """One number of one name at one step (the severity; 0 where there is none)."""

    name: str
    value: float
    step: int


@dataclass(frozen=True)
class Dataset:
    """A data set as MLflow knows it: name, digest (64 hex digits), rows, and public facts."""

    name: str
    digest: str
    rows: int
    facts: dict[str, Any]


@dataclass(frozen=True)
class Content:
    """One future MLflow run: its name, what describes it, its numbers, its files, and its children.

    ``files`` maps the path in the artifact store to a file on disk or to the bytes themselves.
    """

    name: str
    params: dict[str, str]
    readings: tuple[Reading, ...]
    datasets: tuple[Dataset, ...]
    files: dict[str, Path | bytes]
    counts: dict[str, int]
    children: tuple[Content, ...] = ()

    @property
    def numbers(self) -> str:
        """The digest of everything but files, children included: equal digests, equal runs."""
        return digest_json(
            {
                "name": self.name,
                "params": self.params,
                "counts": self.counts,
                "readings": [[r.name, r.value, r.step] for r in self.readings],
                "datasets": [[d.name, d.digest] for d in self.datasets],
                "children": [child.numbers for child in self.children],
            }
        )

    @property
    def uploads(self) -> str:
        """The digest of all files under their names, children included."""
        own = {
            name: digest_bytes(file) if isinstance(file, bytes) else digest_file(file)
            for name, file in self.files.items()
        }
        return digest_json({"files": own, "children": [child.uploads for child in self.children]})


def read_contents(run: Path) -> tuple[str, tuple[Content, ...]]:
    """Read a finished run folder: the name of its suite and one parent per model.

    Raises UserError where ``run.json`` or ``estimates.parquet`` is missing or cannot be read.
    """
    record = _json(_required(run, "run.json"))
    try:
        rows = pq.read_table(_required(run, "estimates.parquet"), columns=_COLUMNS).to_pylist()
    except (OSError, ValueError) as error:
        raise _unfinished(run, f"estimates.parquet cannot be read ({error})") from None
    cells = [(path.parent, _json(path)) for path in sorted(run.glob("cells/*/*/*/cell.json"))]
    shared = _shared_files(run, record, [cell for _, cell in cells])
    parents = []
    for model in record["models"]:
        mine = [row for row in rows if row["model"] == model["name"]]
        folders = [(folder, cell) for folder, cell in cells if cell["model"] == model["name"]]
        parents.append(_parent(record, model, mine, folders, shared))
    return record["suite"]["suite"], tuple(parents)


def _parent(
    record: dict[str, Any],
    model: dict[str, Any],
    rows: list[dict[str, Any]],
    cells: list[tuple[Path, dict[str, Any]]],
    files: dict[str, Path | bytes],
) -> Content:
    datasets = tuple(Dataset(d["name"], d["digest"], d["rows"], d["facts"]) for d in record["datasets"])
    params = _params(record, model)
    keyed = [(_key(row), row) for row in rows]
    placed = [(_key(cell), folder) for folder, cell in cells]
    keys = {key for key, _ in keyed} | {key for key, _ in placed}
    children = tuple(
        _child(
            key, params, datasets,
            [row for k, row in keyed if k == key], [folder for k, folder in placed if k == key],
        )
        for key in sorted(key for key in keys if key is not None)
    )  # fmt: skip
    only = (datasets[0].name, CLEAN, "") if len(datasets) == 1 else None
    own = [row for key, row in keyed if key is None or key == only]
    targets = {f"targets_digest/{dataset.name}": dataset.digest for dataset in datasets}
    return Content(
        name=f"{model['name']} {record['suite']['suite']}",
        params={**params, "datasets": ", ".join(dataset.name for dataset in datasets), **targets},
        readings=_readings(own),
        datasets=datasets,
        files=files,
        counts=_counts(rows),
        children=children,
    )


def _child(
    key: _Key,
    params: dict[str, str],
    datasets: tuple[Dataset, ...],
    rows: list[dict[str, Any]],
    folders: list[Path],
) -> Content:
    dataset, condition, where = key
    mine = tuple(d for d in datasets if d.name == dataset)
    digest = mine[0].digest if mine else ""
    own = {"dataset": dataset, "condition": condition, "where": where, "targets_digest": digest}
    files: dict[str, Path | bytes] = {
        f"{folder.name}/{name}": folder / name
        for folder in folders
        for name in CELL_FILES
        if (folder / name).is_file()
    }
    return Content(
        name=" ".join(word for word in key if word),
        params={**params, **{name: text for name, text in own.items() if text}},
        readings=_readings(rows),
        datasets=mine,
        files=files,
        counts=_counts(rows),
    )


def _key(row: dict[str, Any]) -> _Key | None:
    """The child a row or a cell belongs to; None for what spans data sets or conditions."""
    if row.get("dataset") is None or row.get("condition") is None:
        return None
    clean = row["condition"] == CLEAN
    return row["dataset"], row["condition"], "" if clean else row.get("where") or ""


def _readings(rows: Iterable[dict[str, Any]]) -> tuple[Reading, ...]:
    found: dict[tuple[str, int], float] = {}
    for row in rows:
        if row["status"] == "suppressed":
            continue
        for column, ending in _NUMBERS:
            value = row[column]
            if value is None or not math.isfinite(value):
                continue
            at = metric_name(row) + ending, row["severity"] or 0
            if at in found:
                raise ValueError(f"two estimates are called {at[0]!r} at severity {at[1]}")
            found[at] = value
    return tuple(Reading(name, value, step) for (name, step), value in sorted(found.items()))


def _counts(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    found = Counter(row["status"] for row in rows)
    return {status: found[status] for status in ("insufficient", "suppressed")}


def _params(record: dict[str, Any], model: dict[str, Any]) -> dict[str, str]:
    found = {
        "affectbench": record["affectbench"],
        "kind": record["kind"],
        "suite": record["suite"]["suite"],
        "suite_digest": record["suite_digest"],
        "seed": record["suite"].get("seed"),
        "model": model["name"],
        "entry": model.get("entry"),
        "checkpoint": model.get("checkpoint"),
        "weights_sha256": ",".join(model.get("weights_sha256") or ()),
        "double": "yes" if model.get("double") else "no",
        "device": record.get("device"),
        "precision": record.get("precision"),
        "oracle": record.get("oracle"),
        "detect_every": (model.get("front") or {}).get("every"),
    }
    return {name: str(value) for name, value in found.items() if value not in (None, "")}


def _shared_files(run: Path, record: dict[str, Any], cells: list[dict[str, Any]]) -> dict[str, Path | bytes]:
    """The files that go with every parent; JSON is written anew so that it names no local path."""
    files: dict[str, Path | bytes] = {
        "run.json": _written(record),
        "suite.json": _written(record["suite"]),
        "estimates.parquet": run / "estimates.parquet",
    }
    for dataset in record["datasets"]:
        files[f"targets/{dataset['name']}.json"] = _written(dataset)
    texts = sorted({_written(cell["environment"]) for cell in cells if cell.get("environment")})
    if texts:
        files["environment.json"] = _written([json.loads(text) for text in texts])
    for name in ("report.html", "curves.parquet", "latency.json"):
        if (run / name).is_file():
            files[name] = run / name
    return files


def _written(value: Any) -> bytes:
    text = json.dumps(_portable(value), indent=2, sort_keys=True, ensure_ascii=False)
    return f"{text}\n".encode()


def _portable(value: Any) -> Any:
    """The value without ``root`` folders and with absolute paths cut to the file's name."""
    if isinstance(value, dict):
        return {name: _portable(inner) for name, inner in value.items() if name != "root"}
    if isinstance(value, list):
        return [_portable(inner) for inner in value]
    if isinstance(value, str):
        for path in (PurePosixPath(value), PureWindowsPath(value)):
            if path.is_absolute():
                return path.name
    return value


def _required(run: Path, name: str) -> Path:
    if not (run / name).is_file():
        raise _unfinished(run, f"there is no {name}")
    return run / name


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _unfinished(path.parent, f"{path.name} is not JSON ({error})") from None


def _unfinished(run: Path, found: str) -> UserError:
    return UserError(
        str(run), found, "A finished run folder has run.json and estimates.parquet",
        "Name the folder given to --out, or run the same command again to finish it",
    )  # fmt: skip
