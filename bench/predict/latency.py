"""How fast a model is: one target at a time from medium to answer, and many by the run loop itself.

Nothing else goes on in the process meanwhile, the device is waited for at the end of every stage, and faces
found before are not used. Targets are a seeded draw without repetition, as long as there are enough; rounds
of the models of a data set take turns, so that what changes on a machine meets all of them. The system may
hold the media in memory, for the run has read them just before. It refuses nothing that a run does not.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch

from bench.errors import MediaFault
from bench.folder import RunFolder
from bench.latency import STAGES, Calls, Measured, Stretch, read_latency, write_latency
from bench.predict.batch import given_of
from bench.predict.cell import CLEAN, Cell, Store
from bench.predict.clip import Clip
from bench.predict.device import describe_environment, describe_hardware, strict_numbers, synchronize
from bench.predict.forward import predict_clips, to_rows
from bench.predict.given import Given
from bench.predict.reader import Medium, read_medium
from bench.predict.run import Options, media_of, predict_cells

__all__ = ["measure_latency"]

# Many short rounds: on a machine that drifts, intervals are half as wide as of 5 x 60 calls.
ROUNDS = 10
WARM_UP = 5
_PROBES = 3
CALLS = (30, 11)  # a round; the second where calls are slow
_SLOW = 0.4  # seconds a call: then 300 of them take more than two minutes
STRETCHES = 5
_STRETCH = 1.0  # seconds that a stretch of a throughput should take at the least


def measure_latency(
    run: RunFolder, cells: Iterable[Cell], options: Options, batch: Callable[[Cell], int]
) -> None:
    """Measure models and data sets of which a run has no latency yet; what was measured before stays.

    Measured are clean media, whatever the conditions of the run. ``batch(cell)``: targets a batch in a run.
    Raises what a run raises, MachineError among it, and UserError where the file of latencies is damaged.
    """
    clean = [replace(c, harm=CLEAN, meshes=None) for c in {c.name[:2]: c for c in cells}.values()]
    held = {(one.model, one.dataset, one.key): one for one in read_latency(run.latency)}
    lacking = [cell for cell in clean if _identity(cell) not in held]
    for dataset in dict.fromkeys(cell.dataset for cell in lacking):
        clocks = [_Clock(cell, options, batch(cell)) for cell in lacking if cell.dataset == dataset]
        _go_round(clocks)
        held |= {_identity(clock.cell): clock.measured() for clock in clocks}
        wanted = map(_identity, clean)
        write_latency(run.latency, tuple(held[one] for one in wanted if one in held))


def _identity(cell: Cell) -> tuple[str, str, str]:
    """What was measured: weights of one digest may stand under two names."""
    return cell.model.name, cell.dataset, cell.key


def _go_round(clocks: Sequence[_Clock]) -> None:
    """Every round of every clock, in turns; stdout is the command's own, whatever a model prints."""
    with strict_numbers(), redirect_stdout(sys.stderr):
        for clock in clocks:
            clock.probe()
        for number in range(ROUNDS):
            for clock in clocks:
                clock.round(number)
        for number in range(STRETCHES):
            for clock in clocks:
                clock.stretch(number)


@dataclass
class _Stages:
    """The nanoseconds of one call, by stage; None where a stage was not gone through."""

    total: int | None = None
    decode: int | None = None
    front_end: int | None = None
    model: int | None = None

    def add(self, stage: str, spent: int) -> None:
        setattr(self, stage, (getattr(self, stage) or 0) + spent)


@dataclass
class _Clock:
    """One cell on its way through the rounds."""

    cell: Cell
    options: Options
    batch: int
    calls: list[tuple[str, int, _Stages | None]] = field(
        default_factory=list[tuple[str, int, _Stages | None]]
    )
    stretches: list[Stretch] = field(default_factory=list[Stretch])
    slow: bool = False

    def __post_init__(self) -> None:
        self.order = _drawn(self.cell)
        self._rows = cycle(self.order)
        self._medium = media_of(self.cell, range(len(self.cell.targets)))
        self._names = self.cell.targets.table["target"]

    def probe(self) -> None:
        """A few calls, the last of which says how many a round may have."""
        for row in islice(cycle(self.order), _PROBES):
            began = time.perf_counter()
            self._call(row)
            self.slow = time.perf_counter() - began > _SLOW

    def round(self, number: int) -> None:
        """Targets one at a time, the next of the draw, after some calls that do not count."""
        for row in islice(cycle(self.order), WARM_UP):
            self._call(row)
        for row in islice(self._rows, CALLS[self.slow]):
            self.calls.append((self._names[row].as_py(), number, self._call(row)))

    def stretch(self, number: int) -> None:
        """Targets by the run loop, into a folder that is thrown away, from where the last stretch ended."""
        each = self._each()
        rows = sorted(self.order[(number * each + i) % len(self.order)] for i in range(each))
        targets = replace(self.cell.targets, table=self.cell.targets.table.take(rows))
        with tempfile.TemporaryDirectory(prefix="affectbench-") as folder:
            run = RunFolder(Path(folder))
            store = Store(run, replace(self.cell, targets=targets), self.batch)
            began = time.perf_counter()
            predict_cells(run, [store], Options(self.options.device, self.options.workers))
            synchronize(self.options.device)
            seconds = time.perf_counter() - began
        self.stretches.append(Stretch(round=number, targets=len(rows), seconds=seconds))

    def _each(self) -> int:
        """Targets a stretch: for about a second at the pace of single calls, and one batch at the least."""
        times = [stages.total for _, _, stages in self.calls if stages is not None and stages.total]
        pace = float(np.median(times)) / 1e9 if times else _STRETCH
        return min(len(self.order), max(self.batch, int(_STRETCH / pace)))

    def measured(self) -> Measured:
        """What came of it."""
        device = self.options.device
        columns = {
            name: tuple(getattr(stages, name) if stages else None for _, _, stages in self.calls)
            for name in ("total", *STAGES)
        }
        return Measured(
            model=self.cell.model.name, dataset=self.cell.dataset, key=self.cell.key,
            hardware=describe_hardware(device, self.options.workers),
            environment=describe_environment(device), precision=self.cell.precision, warm_up=WARM_UP,
            batch=self.batch,
            calls=Calls(
                target=tuple(name for name, *_ in self.calls),
                round=tuple(number for _, number, _ in self.calls),
                failed=tuple(stages is None for *_, stages in self.calls), **columns,
            ),
            throughput=tuple(self.stretches),
        )  # fmt: skip

    def _call(self, row: int) -> _Stages | None:
        """One target from medium to answer; None where it has none."""
        name = self._names[row].as_py()
        (given,) = given_of(self.cell, range(row, row + 1), [name])
        try:
            return _timed(self.cell, self._medium(row), given, self.options.device)
        except MediaFault:
            return None


def _drawn(cell: Cell) -> list[int]:
    """All rows of the targets in an order that goes by the seed of the suite and nothing else."""
    order = np.random.Generator(np.random.Philox(cell.seed)).permutation(len(cell.targets))
    return [int(row) for row in order]


def _timed(cell: Cell, medium: Medium, given: Given, device: torch.device) -> _Stages | None:
    """Decode, find faces and predict window by window, as a run does; None where the model fails."""
    aligned = cell.targets.facts.media_kind == "aligned"
    finder = None if aligned else cell.model.finder
    persons = None if finder is None else finder.start(given)
    spent, began = _Stages(), time.perf_counter_ns()
    last = began

    def lap(stage: str) -> None:
        nonlocal last
        synchronize(device)
        now = time.perf_counter_ns()
        spent.add(stage, now - last)
        last = now

    for clip in _laps(read_medium(medium, device), lap):
        crops = [clip]
        if finder is not None and persons is not None:
            (found,) = finder.detect([clip])
            crops = finder.cut(persons, clip, [given.substitute(faces, clip.size) for faces in found])
            lap("front_end")
        if crops:
            said = predict_clips(cell.model, crops)
            to_rows(cell.model, [(0, crop.track) for crop in crops], said)
            lap("model")
            if any(isinstance(one, Exception) for one in said):
                return None
    spent.total = last - began
    return spent


def _laps(clips: Iterator[Clip], lap: Callable[[str], None]) -> Iterator[Clip]:
    """Pass windows on, taking the time that each was waited for."""
    for clip in clips:
        lap("decode")
        yield clip
    lap("decode")
