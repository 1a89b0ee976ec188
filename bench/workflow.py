"""The steps of a command, in order: ask, predict or read, judge, report, track.

Each function receives what the one before it made. Everything a user could have got wrong is checked before
the first byte is written. Heavy packages are imported by the step that needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from bench import __version__
from bench.digest import digest_json, digest_table
from bench.elsewhere import read_all, read_followed, write_cell
from bench.errors import UserError
from bench.folder import CellFolder, RunFolder
from bench.prereg import Lock, claim
from bench.question import Question
from bench.spec import Suite
from bench.suite import planned_suite
from bench.tables import Targets, write_estimates
from bench.tables.curves import write_curves

if TYPE_CHECKING:
    from bench.predict.zoo import Choice

__all__ = ["BATCH", "Progress", "RunOptions", "finish", "open_cell", "predict", "score", "send"]

BATCH = {"aligned": 256, "frame": 8}
"""Targets a batch where none is asked for: a run resumes at its end, so videos have small ones."""

Progress = Callable[[int], Callable[[int], None]]


@dataclass(frozen=True)
class RunOptions:
    """How a run goes, beyond what is asked."""

    out: Path
    device: str = "auto"
    precision: str = "fp32"
    batch: int | None = None
    workers: int = 2
    zoos: tuple[Path, ...] = ()
    oracle: str | None = None
    every: int | None = None
    cache: bool = True
    lock: Lock | None = None
    measure_latency: bool = False


def predict(
    question: Question, choices: Sequence[Choice], options: RunOptions, progress: Progress,
    say: Callable[[str], None], warn: Callable[[str], None],
) -> RunFolder:  # fmt: skip
    """Run the models over the data under every condition; a folder of the same run is finished.

    ``say`` is told, a line each, what an earlier run had made already and which cells were changed since;
    ``warn``, that the faces found cannot be kept for later runs.
    """
    from bench.judge.score import check
    from bench.predict.cell import Store, already_made, cost, left
    from bench.predict.datasets.media import digest_media, require_media
    from bench.predict.device import choose_device
    from bench.predict.face_cache import open_cache
    from bench.predict.latency import measure_latency
    from bench.predict.plan import Seeking, plan_cells, read_oracle, refuse_frame_targets
    from bench.predict.run import Options, predict_cells
    from bench.predict.zoo import Zoo

    device, oracle = choose_device(options.device), read_oracle(options.oracle)
    zoo = Zoo(options.zoos)
    for name, targets in question.targets.items():
        refuse_frame_targets(name, targets)
        check(question.suite, targets, question.place)
        require_media(targets)
    question = Question(
        question.suite, {name: digest_media(t) for name, t in question.targets.items()}, question.place
    )
    seeking = Seeking(oracle, options.every)
    cells = plan_cells(question, choices, zoo, device, options.precision, seeking)
    names = [cell.name for cell in cells]
    facts = {"device": device.type, "precision": options.precision, "perturbations": _amounts(question.suite)}
    facts |= {} if oracle is None else {"oracle": oracle}
    plan = _plan("run", question, _models(cells), names) | facts
    run = claim(RunFolder(options.out), plan, options.lock)
    _write_targets(run, question)
    stores = [Store(run, cell, _batch(options, cell)) for cell in cells]
    for line in [*already_made(stores), *cost(stores)]:
        say(line)
    cache = open_cache(warn) if options.cache else None
    predict_cells(run, stores, Options(device, options.workers, progress(left(stores)), cache))
    if options.measure_latency:
        how = Options(device, options.workers)
        measure_latency(run, cells, how, partial(_batch, options))
    return run


def _batch(options: RunOptions, cell: Any) -> int:
    return options.batch or BATCH[cell.targets.facts.media_kind]


def score(
    question: Question, predictions: dict[str, Path], columns: dict[str, dict[str, str]], out: Path,
    frames: Mapping[str, Path] = MappingProxyType({}), lock: Lock | None = None,
) -> RunFolder:  # fmt: skip
    """Take predictions made elsewhere, columns mapped, into a run folder; nothing is left if one is bad.

    ``frames`` are the outputs per frame of some of them, by the same names.
    """
    from bench.judge.score import check

    if len(question.targets) != 1:
        raise UserError(
            "--targets", f"{len(question.targets)} data sets are asked for", "score judges one data set",
            "Score each data set into a folder of its own",
        )  # fmt: skip
    dataset, targets = next(iter(question.targets.items()))
    check(question.suite, targets, question.place)
    tables = read_all(predictions, columns, targets, question.suite)
    followed = read_followed(frames, targets)
    models: list[dict[str, Any]] = [
        {"name": name, "entry": None, "checkpoint": None, "double": False, "weights_sha256": [],
         "predictions_sha256": digest_table(table)}
        | ({"frames_sha256": digest_table(followed[name])} if name in followed else {})
        for name, table in tables.items()
    ]  # fmt: skip
    names = [(name, dataset, "clean") for name in tables]
    plan = _plan("score", question, models, names) | {"device": None, "precision": None}
    run = claim(RunFolder(out), plan, lock)
    _write_targets(run, question)
    for model, table in tables.items():
        write_cell(run, (model, dataset), targets, table, followed.get(model))
    return run


def finish(run: RunFolder) -> Path:
    """Judge the cells of a run and write estimates, curves and report; returns the report's path.

    Raises UserError, with nothing written, unless every cell of the plan is finished and as it was written.
    """
    from bench.judge.curves import Curves
    from bench.judge.score import judge
    from bench.report.render import render

    curves = Curves()
    # Doubles are no models: a rank among them says nothing of any.
    ranked = [model["name"] for model in run.plan["models"] if not model["double"]]
    estimates = judge(_finished_cells(run), planned_suite(run), curves, ranked)
    write_estimates(estimates, run.estimates)
    write_curves(curves.table(), run.curves)
    report = render(run.path)
    run.seal()
    return report


def _finished_cells(run: RunFolder) -> Iterator[Any]:
    """One cell at a time, so that memory holds the predictions of one."""
    targets = {entry["name"]: run.targets(entry["name"]) for entry in run.plan["datasets"]}
    for folder in run.cells():
        facts = folder.facts
        assert facts is not None
        yield open_cell(folder, targets[facts["dataset"]])


def open_cell(folder: CellFolder, targets: Targets) -> Any:
    """A finished cell, read, ready to judge."""
    from bench.judge.score import Cell
    from bench.tables import read_table

    facts = folder.facts
    assert facts is not None
    names = ("model", "dataset", "condition", "severity", "where", "frames")
    known = {name: facts[name] for name in names}
    frames = partial(read_table, folder.frames) if folder.frames.is_file() else None
    return Cell(**known, targets=targets, predictions=read_table(folder.predictions), frames_table=frames)


def send(run: RunFolder, uri: str | None, *, upload: bool) -> str:
    """Log a finished run to MLflow and return one line that says where; TrackError where it cannot.

    Raises UserError for tables that were changed since they were written.
    """
    from bench.track import default_uri
    from bench.track.send import send as send_run

    run.cells()
    run.require_sealed()
    sent = send_run(run.path, uri or default_uri(Path.cwd()), upload=upload)
    return f"MLflow: experiment {sent.experiment}; see it with: {sent.hint}"


def _models(cells: Sequence[Any]) -> list[dict[str, Any]]:
    models = {cell.model.name: cell.model for cell in cells}
    return [
        {
            "name": model.name,
            "entry": model.entry,
            "checkpoint": model.checkpoint,
            "double": model.double,
            "weights_sha256": list(model.weights_sha256),
            "code_sha256": model.code_sha256,
            "origin": model.origin,
            "sampling": model.pipeline.describe()["sampling"],
            "front": model.pipeline.describe()["front"],
        }
        for model in models.values()
    ]


def _amounts(suite: Suite) -> dict[str, dict[str, Any]]:
    """What the severities of a suite's perturbations stand for, for the report, which looks nothing up."""
    from bench.predict.perturb import find_perturbation

    found = {c.perturb: find_perturbation(c.perturb, suite.suite) for c in suite.conditions}
    return {name: one.describe() for name, one in found.items()}


def _plan(
    kind: str, question: Question, models: list[dict[str, Any]], cells: Sequence[tuple[str, str, str]]
) -> dict[str, Any]:
    """What a run is: equal plans are the same run. ``cells``: model, data set and condition of each."""
    suite = question.suite.model_dump(mode="json")
    return {
        "affectbench": __version__,
        "kind": kind,
        "suite": suite,
        "suite_digest": digest_json(suite),
        "models": models,
        "cells": [list(names) for names in cells],
        "datasets": [
            {"name": n, "digest": t.digest, "rows": len(t), "facts": t.facts.model_dump(mode="json")}
            for n, t in question.targets.items()
        ],
    }


def _write_targets(run: RunFolder, question: Question) -> None:
    for name, targets in question.targets.items():
        bare = [c for c in targets.table.column_names if c != "media_bytes"]
        Targets(targets.table.select(bare), targets.facts).write(run.targets_path(name))
