"""Latency: what ``run --measure-latency`` measured of a model on a data set, on disk and as numbers.

Every call is kept, in nanoseconds, with the hardware and software that it was made on: provenance, which no
key, prediction or estimate depends on. Quantiles have intervals without an assumption on how times are
distributed: order statistics, whose ranks are binomial (Hahn, Meeker 1991, Statistical Intervals, section
5.2). Calls are taken as independent where nothing speaks against it, and count for less where it does:
several calls on one target as one, and fewer where rounds differ by more than chance lets them (the design
effect on the share below the quantile, with the t of the rounds; Woodruff 1952, JASA 47, 635-646; Korn,
Graubard 1998). Simulated 95 % intervals of a median of 5 x 60 calls, of which rounds move all by 10 %, cover
65 % if calls are taken as independent and 95 % so; of a 95th percentile in bursts of slow calls 93 % and
more, where t over rounds covers 61 %. It refuses a damaged file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError, model_validator
from scipy.special import bdtr, ndtri, stdtrit

from bench.errors import UserError
from bench.folder import write_file
from bench.spec import Record

__all__ = [
    "LATENCIES", "STAGES", "Calls", "Hardware", "Measured", "Quantity", "Stage", "Stretch", "fewest",
    "quantile", "rank_interval", "rate", "ratio", "read_latency", "write_latency",
]  # fmt: skip

Stage = Literal["decode", "front_end", "model"]
STAGES: tuple[Stage, ...] = ("decode", "front_end", "model")
"""The parts of a call: reading the medium, finding and cutting faces, the model itself."""
LATENCIES = {"latency_p50": 0.5, "latency_p95": 0.95}
"""Latencies that a rule may name: the quantile of each."""
Floats = npt.NDArray[np.float64]
_Time = Annotated[int, Field(ge=0)] | None
_MS = 1e6


class Hardware(Record):
    """What a machine is, as far as a latency goes by it: equal hardware has equal records.

    ``device``: the name of what the model ran on, a GPU's or the CPU's. ``threads``: those that torch may use
    within a call; ``workers``: those that decode, in a throughput.
    """

    device: str
    cpu: str
    cores: int
    threads: int
    workers: int


class Calls(Record):
    """Calls in the order in which they were made, column by column; times in nanoseconds.

    ``failed`` ones have no times: the medium could not be decoded, or the model raised an error. A stage is
    None where it was not gone through, as the model is where no face was found.
    """

    target: tuple[str, ...]
    round: tuple[int, ...]
    failed: tuple[bool, ...]
    total: tuple[_Time, ...]
    decode: tuple[_Time, ...]
    front_end: tuple[_Time, ...]
    model: tuple[_Time, ...]

    @model_validator(mode="after")
    def _whole(self) -> Calls:
        if len({len(column) for _, column in self}) != 1:
            raise ValueError("the columns differ in length. Each has an entry a call")
        if any((time is None) != lost for time, lost in zip(self.total, self.failed, strict=True)):
            raise ValueError("a call has no time. Each that did not fail has one")
        return self


class Stretch(Record):
    """Targets predicted one after the other by the run loop itself, and how long that took."""

    round: int
    targets: Annotated[int, Field(gt=0)]
    seconds: Annotated[float, Field(gt=0)]


class Measured(Record):
    """The latency of a model on a data set, one target at a time, and the throughput of a run.

    ``key`` is that of the model's clean cell, which names targets, weights, code and precision. ``warm_up``:
    calls before every round that do not count. ``batch``: targets a batch in a throughput.
    """

    model: str
    dataset: str
    key: str
    hardware: Hardware
    environment: dict[str, Any]
    precision: str
    warm_up: int
    batch: int
    calls: Calls
    throughput: tuple[Stretch, ...]

    @property
    def failed(self) -> float:
        """The share of calls that failed."""
        return sum(self.calls.failed) / max(1, len(self.calls.failed))

    @property
    def rounds(self) -> int:
        """In how many rounds the calls were made, other models' between them."""
        return len(set(self.calls.round))

    @cached_property
    def targets(self) -> int:
        """How many different targets answered calls were on."""
        pairs = zip(self.calls.target, self.calls.failed, strict=True)
        return len({target for target, lost in pairs if not lost})

    def times(self, stage: Stage | None = None) -> tuple[Floats, npt.NDArray[np.int64], int]:
        """Milliseconds (n,) of a stage, or of all of it, the round of each, and how many targets."""
        column = getattr(self.calls, stage or "total")
        kept = [i for i, time in enumerate(column) if time is not None]
        values = np.array([column[i] for i in kept], np.float64) / _MS
        rounds = np.array([self.calls.round[i] for i in kept], np.int64)
        return values, rounds, len({self.calls.target[i] for i in kept})


@dataclass(frozen=True)
class Quantity:
    """A number with its interval, NaN where an end has none, and the ``n`` calls or stretches it is of.

    ``spread``: the smallest and the largest of its rounds. ``n_eff``: independent calls that would know as
    much, NaN where that has no meaning.
    """

    estimate: float
    low: float
    high: float
    n: int
    level: float
    n_eff: float = float("nan")
    spread: tuple[float, float] = (float("nan"), float("nan"))


def rank_interval(n: int, share: float, level: float) -> tuple[int, int]:
    """The ranks (from 1) of the order statistics of n values that hold a quantile with ``level`` at least.

    Each side errs in (1 - level) / 2 at most: P(B < l) and P(B >= u) of B binomial (n, share). 0, or n + 1,
    where no value is low, or high, enough.

    >>> rank_interval(10, 0.5, 0.95), rank_interval(20, 0.95, 0.95)
    ((2, 9), (17, 21))
    """
    tail = (1 - level) / 2
    below = bdtr(np.arange(n), n, share)  # P(B <= k) for k = 0 .. n - 1
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1 - tail, side="left")) + 1
    return low, high


def fewest(share: float, level: float) -> int:
    """The smallest number of independent calls that gives a quantile an interval with both ends.

    >>> fewest(0.5, 0.95), fewest(0.95, 0.95)
    (6, 72)
    """
    tail = (1 - level) / 2
    return int(np.ceil(np.log(tail) / np.log(max(share, 1 - share)) - 1e-9))


def quantile(found: tuple[Floats, npt.NDArray[np.int64], int], share: float, level: float = 0.95) -> Quantity:
    """A quantile (inverse of the empirical distribution) of times as ``Measured.times`` gives them.

    Ranks are those of ``n_eff`` independent calls, carried over to the n that there are. NaN without calls.
    """
    values, rounds, targets = found
    n = len(values)
    if n == 0:
        return Quantity(float("nan"), float("nan"), float("nan"), 0, level)
    ordered = np.sort(values)
    estimate = _at(ordered, share)
    each = [_at(np.sort(values[rounds == one]), share) for one in np.unique(rounds)]
    worth = min(float(targets), _independent(values <= estimate, rounds, level))
    size = max(1, int(worth))
    first, last = rank_interval(size, share, level)
    low = ordered[(first - 1) * n // size] if first >= 1 else float("nan")
    high = ordered[-(-last * n // size) - 1] if last <= size else float("nan")
    return Quantity(estimate, float(low), float(high), n, level, worth, (min(each), max(each)))


def _at(ordered: Floats, share: float) -> float:
    return float(ordered[max(0, int(np.ceil(len(ordered) * share - 1e-9)) - 1)])


def _independent(below: npt.NDArray[np.bool_], rounds: npt.NDArray[np.int64], level: float) -> float:
    """How many independent calls know a share as well as these: all, where rounds agree as chance lets them.

    Else n / DEFF (z / t)^2 with the t of the rounds, where DEFF is V over that of independent calls and V is
    linearised over rounds, as of clusters.
    """
    names, place = np.unique(rounds, return_inverse=True)
    share, n, many = below.mean(), len(below), len(names)
    if many < 2 or share in (0, 1):
        return float(n)
    apart = np.bincount(place, below) - share * np.bincount(place)
    effect = many / (many - 1) * (apart**2).sum() / n / (share * (1 - share))
    if effect <= 1:
        return float(n)
    certain = (1 + level) / 2
    return float(n / effect * (ndtri(certain) / stdtrit(many - 1, certain)) ** 2)


def rate(stretches: tuple[Stretch, ...], level: float = 0.95) -> Quantity:
    """Targets a second: the geometric mean over stretches, with Student's t over their logarithms."""
    rates = np.array([one.targets / one.seconds for one in stretches], np.float64)
    if len(rates) == 0:
        return Quantity(float("nan"), float("nan"), float("nan"), 0, level)
    logs = np.log(rates)
    half = float("nan")
    if len(rates) > 1:
        half = stdtrit(len(rates) - 1, (1 + level) / 2) * logs.std(ddof=1) / np.sqrt(len(rates))
    middle, low, high = np.exp(logs.mean() + np.array([0.0, -half, half])).tolist()
    spread = (float(rates.min()), float(rates.max()))
    return Quantity(middle, low, high, len(rates), level, spread=spread)


def ratio(new: Quantity, old: Quantity) -> Quantity:
    """How many times the old one a new quantity is; both intervals hold at once (Bonferroni).

    Each side of it is at its level where the two are at 1 - (1 - level) / 2.
    """
    level = 2 * min(new.level, old.level) - 1
    return Quantity(
        new.estimate / old.estimate, new.low / old.high, new.high / old.low, min(new.n, old.n), level
    )


def read_latency(path: Path) -> tuple[Measured, ...]:
    """What a file of latencies has, nothing where there is none; UserError where it is damaged."""
    try:
        held = json.loads(path.read_bytes())["measured"]
        return tuple(Measured.model_validate(one) for one in held)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        cause = error.errors()[0]["msg"] if isinstance(error, ValidationError) else type(error).__name__
        raise UserError(
            str(path), f"the file is damaged ({cause})", "The latencies that 'run --measure-latency' wrote",
            "Delete it, and measure again with the command of the run",
        ) from None  # fmt: skip


def write_latency(path: Path, measured: tuple[Measured, ...]) -> None:
    """Write latencies as JSON, a line for each model and data set, and move the file into place."""
    lines = [json.dumps(one.model_dump(mode="json"), ensure_ascii=False, allow_nan=False) for one in measured]
    write_file(path, '{"measured": [\n' + ",\n".join(lines) + "\n]}\n")
