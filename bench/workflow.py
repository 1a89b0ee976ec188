"""The steps of a command, in order: ask, predict or read, judge, report, track.

Each function receives what the one before it made. Everything a user could have got wrong is checked before
the first byte is written. Heavy packages are imported by the step that needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import __version__
from bench.digest import digest_json, digest_table
from bench.errors import UserError, listed
from bench.folder import RunFolder, write_json
from bench.spec import Suite
from bench.tables import Targets, read_predictions, write_estimates, write_table

if TYPE_CHECKING:
    from bench.predict.zoo import Choice, Model, Zoo

__all__ = ["Question", "RunOptions", "finish", "predict", "reread", "score", "send"]

Place = Callable[[str, str], str]
Progress = Callable[[int], Callable[[int], None]]


@dataclass(frozen=True)
class Question:
    """What is asked: a suite, the targets of each of its data sets, and where each part was said."""

    suite: Suite
    targets: dict[str, Targets]
    place: Place


@dataclass(frozen=True)
class RunOptions:
    """How a run goes, beyond what is asked."""

    out: Path
    device: str = "auto"
    precision: str = "fp32"
    batch: int = 64
    workers: int = 2
    zoos: tuple[Path, ...] = ()


def predict(
    question: Question, choices: Sequence[Choice], options: RunOptions, progress: Progress
) -> RunFolder:
    """Run the models over the data under every condition; a folder of the same run is finished."""
    from bench.judge.score import check
    from bench.predict.cell import Store
    from bench.predict.datasets.media import digest_media, require_media
    from bench.predict.device import choose_device
    from bench.predict.run import Options, predict_cells
    from bench.predict.zoo import Zoo

    device = choose_device(options.device)
    zoo = Zoo(options.zoos)
    for name, targets in question.targets.items():
        _refuse_frame_targets(name, targets)
        check(question.suite, targets, question.place)
        require_media(targets)
    question = Question(
        question.suite, {name: digest_media(t) for name, t in question.targets.items()}, question.place
    )
    cells = _cells(question, choices, options, zoo)
    run = RunFolder(options.out)
    run.claim(_plan("run", question, _models(cells), (device.type, options.precision)))
    _write_targets(run, question)
    stores = [Store(run, cell, options.batch) for cell in cells]
    advance = progress(sum(len(store.cell.targets) for store in stores))
    predict_cells(run, stores, Options(device, options.workers, advance))
    return run


def score(question: Question, predictions: dict[str, Path], columns: dict[str, str], out: Path) -> RunFolder:
    """Take predictions made elsewhere, one name each, into a run folder; nothing is written if one is bad."""
    from bench.judge.score import check

    if len(question.targets) != 1:
        raise UserError(
            "--targets", f"{len(question.targets)} data sets are asked for", "score judges one data set",
            "Score each data set into a folder of its own",
        )  # fmt: skip
    (dataset, targets), = question.targets.items()  # fmt: skip
    check(question.suite, targets, question.place)
    tables = {name: read_predictions(path, targets, columns) for name, path in predictions.items()}
    models: list[dict[str, Any]] = [
        {"name": name, "entry": None, "checkpoint": None, "double": False, "weights_sha256": [],
         "predictions_sha256": digest_table(table)} for name, table in tables.items()
    ]  # fmt: skip
    run = RunFolder(out)
    run.claim(_plan("score", question, models, (None, None)))
    _write_targets(run, question)
    for model, table in tables.items():
        folder = run.cell(model, dataset, "clean")
        write_table(table, folder.predictions)
        statuses = table["status"].value_counts().to_pylist()
        key = {"targets": targets.digest, "predictions": digest_table(table)}
        facts = {
            "key": digest_json(key), "model": model, "dataset": dataset, "condition": "clean",
            "severity": 0, "where": None, "rows": table.num_rows, "frames": None,
            "statuses": {entry["values"]: entry["counts"] for entry in statuses}, "environment": {},
            "precision": None, "seconds": None,
        }  # fmt: skip
        write_json(folder.path / "cell.json", facts)
    return run


def finish(run: RunFolder) -> Path:
    """Judge the finished cells of a run and write estimates and report; returns the report's path."""
    from bench.judge.score import Cell, judge
    from bench.report.render import render
    from bench.tables import read_table

    suite = Suite(**run.plan["suite"])
    targets = {entry["name"]: run.targets(entry["name"]) for entry in run.plan["datasets"]}
    cells = []
    for folder in run.cells():
        facts = folder.facts
        assert facts is not None
        cells.append(
            Cell(
                model=facts["model"],
                dataset=facts["dataset"],
                condition=facts["condition"],
                severity=facts["severity"],
                where=facts["where"],
                targets=targets[facts["dataset"]],
                predictions=read_table(folder.predictions),
                frames=facts["frames"],
            )
        )
    write_estimates(judge(cells, suite), run.estimates)
    return render(run.path)


def send(run: RunFolder, uri: str | None, *, upload: bool) -> str:
    """Log a finished run to MLflow; returns one line that says where it went or why it did not."""
    from bench.track import TrackError, default_uri
    from bench.track.send import send as send_run

    target = uri or default_uri(Path.cwd())
    try:
        sent = send_run(run.path, target, upload=upload)
    except TrackError as error:
        return f"warning: {error}"
    return f"MLflow: experiment {sent.experiment}; see it with: {sent.hint}"


def reread(question: Question, slices: Sequence[str], metrics: Sequence[str]) -> Question:
    """The question with the slices (``race&sex`` for an intersection) and metrics of the command line."""
    more = tuple(tuple(s.split("&")) if "&" in s else s for s in slices)
    suite = question.suite.model_copy(
        update={
            "slices": (*question.suite.slices, *(s for s in more if s not in question.suite.slices)),
            "metrics": (*question.suite.metrics, *(m for m in metrics if m not in question.suite.metrics)),
        }
    )
    said = {("slice", name) for s in slices for name in s.split("&")} | {("metric", m) for m in metrics}
    before = question.place

    def place(kind: str, name: str) -> str:
        return f"--{kind}" if (kind, name) in said else before(kind, name)

    return Question(suite, question.targets, place)


def _cells(question: Question, choices: Sequence[Choice], options: RunOptions, zoo: Zoo) -> list[Any]:
    from bench.predict.cell import Cell
    from bench.predict.device import choose_device, choose_precision
    from bench.predict.pipeline import Build

    device, dtype = choose_device(options.device), choose_precision(options.precision)
    loaded: dict[Choice, Model] = {}
    cells = []
    for name, targets in question.targets.items():
        request = Build(device, dtype, targets=targets, seed=question.suite.seed)
        harms = _harms(question, name, targets)
        for choice in choices:
            model = loaded.get(choice)
            if model is None or model.double:
                model = loaded[choice] = zoo.load(choice, request)
            _require_common_label(model, targets)
            cells += [Cell(model, name, targets, h, question.suite.seed, options.precision) for h in harms]
    return cells


def _harms(question: Question, dataset: str, targets: Targets) -> list[Any]:
    from bench.errors import nearest
    from bench.predict.cell import CLEAN, Harm
    from bench.predict.perturb import PERTURBATIONS

    harms = [CLEAN] if question.suite.clean else []
    for condition in question.suite.conditions:
        name, where = condition.perturb, question.place("perturbation", condition.perturb)
        if name not in PERTURBATIONS:
            raise UserError(
                where, f"perturbation {name!r} is not known.{nearest(name, PERTURBATIONS)}",
                f"It has: {listed(PERTURBATIONS)}", "Name one of these",
            )  # fmt: skip
        if condition.where == "frame" and targets.facts.media_kind == "aligned":
            raise UserError(
                where, f"{name} acts on the frame, and the media of {dataset} are aligned faces",
                "Aligned media skip the front-end, so only 'where: crop' means something there",
                "Write 'where: crop'",
            )  # fmt: skip
        harms += [Harm(name, severity, condition.where) for severity in condition.severities]
    return harms


def _require_common_label(model: Model, targets: Targets) -> None:
    labels = model.pipeline.labels
    if labels and targets.facts.labels and not set(labels) & set(targets.facts.labels):
        raise UserError(
            model.name, f"the model knows {listed(labels)}",
            f"The targets have {listed(targets.facts.labels)}: no label is common",
            "Choose a model of the same label space",
        )  # fmt: skip


def _refuse_frame_targets(name: str, targets: Targets) -> None:
    table = targets.table
    if "frame" in table.column_names and table["frame"].null_count < len(table):
        raise UserError(
            name, "column 'frame' names frames inside videos", "Targets are clips or still images",
            "Give each frame as an image of its own, and leave the column 'frame' out",
        )  # fmt: skip


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
        }
        for model in models.values()
    ]


def _plan(
    kind: str, question: Question, models: list[dict[str, Any]], numerics: tuple[str | None, str | None]
) -> dict[str, Any]:
    """What a run is: equal plans are the same run, made on one kind of device in one precision."""
    device, precision = numerics
    suite = question.suite.model_dump(mode="json")
    return {
        "affectbench": __version__,
        "kind": kind,
        "suite": suite,
        "suite_digest": digest_json(suite),
        "models": models,
        "device": device,
        "precision": precision,
        "datasets": [
            {"name": n, "digest": t.digest, "rows": len(t), "facts": t.facts.model_dump(mode="json")}
            for n, t in question.targets.items()
        ],
    }


def _write_targets(run: RunFolder, question: Question) -> None:
    for name, targets in question.targets.items():
        bare = [c for c in targets.table.column_names if c != "media_bytes"]
        Targets(targets.table.select(bare), targets.facts).write(run.targets_path(name))
