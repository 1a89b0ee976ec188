"""Cost: how long a model takes for a clip, on which device, and where that is not known, why.

The median latency of ``run --measure-latency``, one clip at a time, where a run of the model has it. Else the
mean of a whole run, as ``cell.json`` has it, where the media were decoded for this model and condition alone:
cells that see the same frames are decoded together, and their time is that of them all. The two are never
compared with each other, nor numbers of different hardware.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from bench.digest import canonical_json
from bench.latency import LATENCIES, Measured, quantile
from bench.leaderboard.boards import Board, Member
from bench.report import format as fmt

__all__ = ["Cost", "cost_of"]

LATENCY, WHOLE = "median, one at a time", "mean of a whole run"


@dataclass(frozen=True)
class Cost:
    """Seconds a clip with low and high, NaN where there is no interval; None with the reason where not known.

    ``how`` it was taken and ``hardware`` on what, in words; ``alike`` is all that it goes by, hardware and
    software: numbers are comparable where it is the same.
    """

    seconds: float | None
    low: float = math.nan
    high: float = math.nan
    how: str = ""
    hardware: str = ""
    alike: str = ""
    reason: str | None = None


def cost_of(board: Board, member: Member) -> Cost:
    """The cost of a model on the data of a board."""
    for source in member.sources:
        for one in source.results.latency:
            if (one.model, one.dataset) == (member.named, board.dataset.name):
                return _measured(one, board)
    return _whole(board, member)


def _measured(one: Measured, board: Board) -> Cost:
    found = quantile(one.times(), LATENCIES["latency_p50"], board.settings.level)
    if math.isnan(found.estimate):
        return Cost(None, reason="every call failed")
    machine = one.hardware
    threads = fmt.counted(machine.threads, "thread")
    return Cost(
        found.estimate / 1000, found.low / 1000, found.high / 1000, LATENCY,
        f"{machine.device}, {threads}, {one.precision}",
        _alike(LATENCY, one.environment, one.precision, machine.model_dump()),
    )  # fmt: skip


def _whole(board: Board, member: Member) -> Cost:
    source = member.source(board.dataset.name, board.reference)
    facts = member.facts(board.dataset.name, board.reference)
    if source is None or facts is None:
        return Cost(None, reason="not run under this condition")
    if "decoding" not in facts:
        return Cost(None, reason="run by an older affectbench: no time is known")
    decoding = facts["decoding"]
    if decoding is None:
        return Cost(None, reason="predictions made elsewhere: no time is known")
    if decoding["cells"] > 1:
        return Cost(
            None,
            reason="decoded together with other models or conditions, and not run with --measure-latency: no "
            "time of its own",
        )
    if not decoding["targets"]:
        return Cost(None, reason="all was predicted before the run was taken up again: no time is known")
    if decoding["recalled"]:
        return Cost(None, reason="faces were known from runs before: the time is too short")
    environment = facts.get("environment") or {}
    threads = fmt.counted(environment.get("threads"), "thread")
    hardware = f"{environment.get('device')}, {threads}, {facts.get('precision')}"
    alike = _alike(WHOLE, environment, facts.get("precision"), {})
    return Cost(decoding["seconds"] / decoding["targets"], how=WHOLE, hardware=hardware, alike=alike)


def _alike(how: str, environment: dict[str, Any], precision: str | None, machine: dict[str, Any]) -> str:
    return canonical_json([how, environment, precision, machine])
