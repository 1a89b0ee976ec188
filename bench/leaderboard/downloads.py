"""Downloads: every number of a leaderboard as one long table, in CSV, JSON and Parquet.

The columns are those of Estimates behind ``board`` and ``run``; Parquet has the digests of targets and
models in every row, JSON once at its head. Beside the estimates of the runs stand rows of kind
``leaderboard_rank`` (from ``low`` to ``high``, without an estimate: a rank is an interval), ``pair``
(``model`` less ``reference``, intervals and adjusted p over all pairs) and ``baseline``. The ranks that runs
gave among their own models are left out: they are of other sets of models. What is withheld is null, with its
status.

In CSV alone text that a spreadsheet would run as a formula has an apostrophe in front (OWASP, CSV injection).
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from bench.leaderboard.assemble import BoardTable, Leaderboard
from bench.leaderboard.boards import Member
from bench.report import format as fmt
from bench.tables import ESTIMATES

__all__ = ["downloads", "numbers"]

Row = dict[str, Any]
_OWN = pa.schema(
    [
        ("board", pa.int64()),
        ("run", pa.string()),
        ("targets_sha256", pa.string()),
        ("model_sha256", pa.string()),
    ]
)
_DIGESTS = ("targets_sha256", "model_sha256")
_SCHEMA = pa.schema([*_OWN, *ESTIMATES])


def downloads(found: Leaderboard) -> dict[str, bytes]:
    """The three files by name: the same numbers in each."""
    table = numbers(found)
    short = table.drop_columns(list(_DIGESTS))
    text, parquet = io.BytesIO(), io.BytesIO()
    pacsv.write_csv(_inert(short), text)
    pq.write_table(table, parquet, compression="zstd")
    return {
        "leaderboard.csv": text.getvalue(),
        "leaderboard.json": _as_json(found, short),
        "leaderboard.parquet": parquet.getvalue(),
    }


def _inert(table: pa.Table) -> pa.Table:
    """The table with an apostrophe before every text that begins as a formula does."""
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            quoted = pc.replace_substring_regex(table[at], r"^([=+\-@\t\r\n])", r"'\1")
            table = table.set_column(at, field, quoted)
    return table


def numbers(found: Leaderboard) -> pa.Table:
    """Every number as one table: boards in order, of each its models, then ranks, pairs and baselines."""
    rows = [row for table in found.tables for row in _rows(table)]
    # As from pandas: what is NaN is null.
    columns = [pa.array([row.get(f.name) for row in rows], f.type, from_pandas=True) for f in _SCHEMA]
    return pa.Table.from_arrays(columns, schema=_SCHEMA)


def _rows(table: BoardTable) -> Iterator[Row]:
    board = table.board
    names = {"board": board.number, "targets_sha256": board.dataset.digest}
    for member in board.members:
        named = {**names, **_named(member)}
        for row in (*member.rows, *member.differences):
            if row["kind"] != "rank":
                yield {**row, **named}
    place = {
        "dataset": board.dataset.name, "condition": board.reference.condition,
        "severity": board.reference.severity, "where": board.reference.where or None,
        "cluster_unit": board.dataset.facts.cluster_unit,
    }  # fmt: skip
    yield from ({**row, **names, **place} for row in (*_stood(table), *_baselines(table)))


def _named(member: Member) -> Row:
    return {
        "model": member.name, "run": ", ".join(source.name for source in member.sources),
        "model_sha256": member.submission.digest,
    }  # fmt: skip


def _stood(table: BoardTable) -> Iterator[Row]:
    """Ranks and pairs."""
    standing, board = table.standing, table.board
    if standing is None:
        return
    shared: Row = {
        "metric": standing.metric, "level": board.settings.level, "method": standing.method,
        "role": "exploratory", "clusters": standing.clusters,
    }  # fmt: skip
    by_name = {member.name: _named(member) for member in board.members}
    for name, rank in standing.ranks.items():
        yield {
            **shared, **by_name[name], "kind": "leaderboard_rank", "low": rank.low,
             "high": rank.high, "family": fmt.counted(len(standing.ranks), "model", ""),
            "status": "reportable" if standing.enough else "insufficient", "warning": rank.reason,
        }  # fmt: skip
    for pair in standing.pairs:
        numbers = {name: getattr(pair, name) for name in ("estimate", "low", "high", "p", "p_adjusted")}
        few = (pair.reason or "").endswith("never compared")
        yield {
            **shared, **by_name[pair.first], **numbers, "kind": "pair", "reference": pair.second,
            "side": None if math.isnan(pair.low) else "two-sided",
            "family": fmt.counted(pair.family, "pair", ""),
            "status": "insufficient" if few else "reportable", "warning": pair.reason,
        }  # fmt: skip


def _baselines(table: BoardTable) -> Iterator[Row]:
    for found in table.baselines:
        for metric, value in found.values.items():
            yield {
                "model": found.name, "kind": "baseline", "metric": metric, "estimate": value,
                "method": "closed form of the targets", "n": found.rows, "status": "reportable",
                "warning": found.about,
            }  # fmt: skip


def _as_json(found: Leaderboard, table: pa.Table) -> bytes:
    """An object with the columns once, and rows as lists: no text is repeated ten thousand times."""
    columns = [column.to_pylist() for column in table.columns]
    runs = [
        {"name": s.name, "affectbench": s.results.version, "suite_digest": s.results.suite_digest,
         "estimates_sha256": s.results.digests["estimates.parquet"]}
        for s in found.sources
    ]  # fmt: skip
    boards = [
        {"board": t.board.number, "dataset": t.board.dataset.name, "targets_sha256": t.board.dataset.digest,
         **t.board.settings.words}
        for t in found.tables
    ]  # fmt: skip
    models = [{"model": s.name, "sha256": s.digest, "double": s.model.double} for s in found.submissions]
    head = {
        "leaderboard": found.title, "runs": runs, "boards": boards, "models": models,
        "columns": table.column_names,
    }  # fmt: skip
    text = json.dumps(head, ensure_ascii=False, allow_nan=False)
    rows = json.dumps(list(zip(*columns, strict=True)), ensure_ascii=False, allow_nan=False)
    return f'{text[:-1]}, "rows": {rows}}}\n'.encode()
