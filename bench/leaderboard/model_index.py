"""The ``model-index`` of a model, as cards on Hugging Face carry it.

Task, data set and metrics of all rows under the reference condition of each board. ``verified`` is absent: it
is not ours to say. Only reportable values go in; doubles have none. Source: the model card specification of
huggingface/hub-docs (modelcard.md).
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from bench.leaderboard.assemble import BoardTable, Leaderboard
from bench.leaderboard.boards import Member
from bench.leaderboard.sources import Submission
from bench.report import format as fmt
from bench.report.table import words as condition

__all__ = ["model_index"]

_TASKS = {"aligned": "image-classification", "frame": "video-classification"}


def model_index(found: Leaderboard, submission: Submission) -> str:
    """The YAML of one model; ValueError for a double."""
    if submission.model.double:
        raise ValueError("a double is no model, and has no model-index")
    results = [
        result
        for table in found.tables
        for member in table.board.members
        if member.submission is submission and (result := _result(table, member)) is not None
    ]
    content = {"model-index": [{"name": submission.name, "results": results}]}
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
    return text


def _result(table: BoardTable, member: Member) -> dict[str, Any] | None:
    board, place = table.board, condition(table.board.reference)
    rows = member.values.get(board.reference, {}).get((None, None), {})
    metrics = [
        {"type": metric, "value": row["estimate"], "name": fmt.heading(metric), "args": _args(row)}
        for metric, row in rows.items()
        if row["status"] == "reportable" and row["estimate"] is not None
    ]
    if not metrics:
        return None
    facts = board.dataset.facts
    kind = re.sub(r"[^a-z0-9._-]+", "-", facts.name.lower()).strip("-.") or "dataset"
    dataset = {
        "type": kind, "name": facts.name, "config": place,
        "args": {"targets_sha256": board.dataset.digest, "rows": board.dataset.rows},
    }  # fmt: skip
    task = {"type": _TASKS[facts.media_kind], "name": "Emotion recognition"}
    return {"task": task, "dataset": dataset, "metrics": metrics}


def _args(row: dict[str, Any]) -> dict[str, Any]:
    names = ("low", "high", "level", "n", "clusters", "cluster_unit", "method")
    return {name: row[name] for name in names if row[name] is not None}
