"""The commands that make, judge and audit runs: run, score, report, audit, track, demo."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import data, evidence, key, suite, zoo
from bench.cli.flags import (
    Aligned,
    Attributes,
    Bins,
    Controls,
    DataRoots,
    Labels,
    LockFile,
    Metrics,
    Root,
    Slices,
    Table,
)
from bench.cli.show import Voice, show_version

__all__ = ["app"]

app = typer.Typer(
    name="affectbench",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Measure emotion recognition models: how well, for whom, under which conditions.",
)
app.add_typer(zoo.app, name="zoo")
app.add_typer(suite.app, name="suite")
app.add_typer(data.app, name="data")
app.add_typer(key.app, name="key")

Out = Annotated[Path, typer.Option("--out", help="The run's folder: new, empty, or of the same run.")]
SuiteName = Annotated[
    str | None, typer.Option("--suite", help="A suite: a name or a YAML file; over --data or --targets.")
]
Tracking = Annotated[
    str | None, typer.Option("--tracking-uri", metavar="URI|off", help="MLflow; default: ./mlflow.db.")
]
Store = Annotated[
    str | None, typer.Option("--tracking-uri", metavar="URI", help="MLflow; default: ./mlflow.db.")
]
NoUpload = Annotated[bool, typer.Option("--no-upload", help="Log numbers to MLflow, but no artifacts.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Seek all faces anew, and keep none for later.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
Zoos = Annotated[list[Path] | None, typer.Option("--zoo", help="A folder of private models. May repeat.")]


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    out: Out,
    model: Annotated[
        list[str], typer.Option("--model", help="NAME, NAME@CHECKPOINT or models:/NAME@alias. May repeat.")
    ],
    suite: SuiteName = None,
    data: DataRoots = None,
    targets: Table = None,
    root: Root = None,
    aligned: Aligned = False,
    labels: Labels = None,
    attributes: Attributes = None,
    slice_: Slices = None,
    control: Controls = None,
    bins: Bins = None,
    metric: Metrics = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="Your own file of weights for the one model.")
    ] = None,
    zoo: Zoos = None,
    oracle: Annotated[
        str | None,
        typer.Option(
            "--oracle",
            metavar="STAGE",
            help="Give a stage what the targets know: detect (column box), track (box) or align (points).",
        ),
    ] = None,
    detect_every: Annotated[
        int | None,
        typer.Option(
            "--detect-every", min=1, help="Seek faces in every so many frames, and follow them between."
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda:N.")] = "auto",
    precision: Annotated[str, typer.Option("--precision", help="fp32, bf16 or fp16.")] = "fp32",
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, help="Targets a batch: a stopped run goes on at one. 8; aligned 256."),
    ] = None,
    workers: Annotated[
        int,
        typer.Option("--workers", min=1, help="Threads that decode, and on a CPU as many that find faces."),
    ] = 2,
    no_cache: NoCache = False,
    measure_latency: Annotated[
        bool,
        typer.Option("--measure-latency", help="Then measure how fast each model is, one target at a time."),
    ] = False,
    lock: LockFile = None,
    tracking_uri: Tracking = None,
    no_upload: NoUpload = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Run models over media under every condition of a suite, and judge what they said."""
    from bench import workflow
    from bench.cli.ask import Words, ask
    from bench.cli.models import choose
    from bench.prereg import read_lock

    voice = Voice(quiet=quiet, json=json)
    locked = None if lock is None else read_lock(lock)
    asked = slice_ or (), bins or (), metric or (), control or (), attributes or ()
    question = ask(Words(suite, data or (), targets, root, labels, aligned, *asked))
    choices = choose(model, weights, tracking_uri)
    seeking = oracle, detect_every, not no_cache, locked, measure_latency
    options = workflow.RunOptions(out, device, precision, batch, workers, tuple(zoo or ()), *seeking)
    with voice.progress("rows") as progress:
        folder = workflow.predict(question, choices, options, progress, voice.say, voice.warn)
    voice.conclude(folder, tracking_uri, upload=not no_upload)


@app.command()
def score(
    out: Out,
    predictions: Annotated[
        list[str],
        typer.Option("--predictions", metavar="[NAME=]FILE", help="Predictions to judge. May repeat."),
    ],
    suite: SuiteName = None,
    data: DataRoots = None,
    targets: Table = None,
    labels: Labels = None,
    attributes: Attributes = None,
    slice_: Slices = None,
    control: Controls = None,
    bins: Bins = None,
    metric: Metrics = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="[NAME:]OURS=YOURS",
            help="Map a column of all predictions, as in predicted=top1, or of one: new:predicted=top1.",
        ),
    ] = None,
    columns: Annotated[
        Path | None, typer.Option("--columns", help="The same map as a YAML file of lines 'predicted: top1'.")
    ] = None,
    frames: Annotated[
        list[str] | None,
        typer.Option(
            "--frames",
            metavar="NAME=FILE",
            help="Outputs per frame of the predictions NAME (target, timestamp, track). May repeat.",
        ),
    ] = None,
    lock: LockFile = None,
    tracking_uri: Tracking = None,
    no_upload: NoUpload = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Judge predictions that someone else made."""
    from bench import workflow
    from bench.cli.ask import Words, ask, map_columns, name_files, name_frames
    from bench.prereg import read_lock

    voice = Voice(quiet=quiet, json=json)
    asked = slice_ or (), bins or (), metric or (), control or (), attributes or ()
    words = Words(suite, data or (), targets, None, labels, False, *asked)
    files, locked = name_files(predictions), None if lock is None else read_lock(lock)
    mapped, followed = map_columns(column or (), columns, list(files)), name_frames(frames or (), list(files))
    folder = workflow.score(ask(words), files, mapped, out, followed, locked)
    voice.conclude(folder, tracking_uri, upload=not no_upload)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    context: Annotated[
        Path | None,
        typer.Option("--context", help="The declared use, a YAML file: write an audit report of one system."),
    ] = None,
    audit: Annotated[
        bool, typer.Option("--audit", help="Write the audit report without a context: no posture is given.")
    ] = False,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="Audit report: what the model must keep.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Audit report: the system, if the run has several models.")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline", metavar="RUN|RUN_ID|models:/NAME@alias", help="Audit report: the earlier release."
        ),
    ] = None,
    baseline_model: Annotated[
        str | None, typer.Option("--baseline-model", help="The baseline's model, if that run has several.")
    ] = None,
    date: Annotated[
        str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="Audit report: its date.")
    ] = None,
    final: Annotated[
        bool, typer.Option("--final", help="Audit report: not a draft; refused where nobody signs it.")
    ] = False,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Audit report: make the numbers again by another way.")
    ] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="Audit report: write it as PDF, too.")] = False,
    tracking_uri: Store = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Judge a run's predictions again and write its report again; with --context, its audit report."""
    from bench.cli.audit_report import Form, Words, report_audit, require_audit

    words = Words(run, context, policy, model, baseline, baseline_model, tracking_uri)
    form = Form(date, final, recompute, pdf)
    if context is None and not audit:
        from bench.folder import RunFolder

        require_audit(words, form)
        Voice(quiet=quiet, json=json).conclude(RunFolder(run), "off", upload=False)
        return
    files = report_audit(words, form)
    if json:
        typer.echo(dumps({"audit": [str(path) for path in files]}, indent=2))
    for path in files:
        Voice(quiet=quiet, json=json).say(f"audit report: {path}")


app.command()(evidence.audit)


@app.command()
def compare(
    new: Annotated[Path, typer.Argument(help="A finished run's folder.")],
    old: Annotated[Path | None, typer.Argument(help="Another; without it, two models of one run.")] = None,
    new_model: Annotated[
        str | None, typer.Option("--new", help="The new model, if the run has several.")
    ] = None,
    old_model: Annotated[
        str | None, typer.Option("--old", help="The old model, if the run has several.")
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option("--margin", help="How much worse is not yet worse, in units of the metric."),
    ] = None,
    slice_: Slices = None,
    metric: Metrics = None,
    json: Json = False,
) -> None:
    """Compare a new model with an old one on the same targets, paired by person."""
    from bench.cli.compare import as_json, print_comparison, read_margin
    from bench.folder import RunFolder
    from bench.question import Question, reread
    from bench.sides import Side
    from bench.sides import compare as compare_sides
    from bench.spec import Suite

    sides = Side("--new", RunFolder(new), new_model), Side("--old", RunFolder(old or new), old_model)
    question = Question(Suite(**sides[0].run.plan["suite"]), {}, lambda kind, name: f"--{kind} {name}")
    suite = reread(question, slice_ or (), metric or (), {}).suite
    found = compare_sides(*sides, suite, read_margin(margin))
    if json:
        typer.echo(as_json(found, margin))
    else:
        print_comparison(found, margin, (new, old or new))


@app.command()
def gate(
    run: Annotated[Path, typer.Argument(help="A finished run's folder.")],
    policy: Annotated[Path, typer.Option("--policy", help="What the model must keep: a YAML file.")],
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline",
            metavar="RUN|RUN_ID|models:/NAME@alias",
            help="What it may not be worse than: a run's folder, or what MLflow has of one.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="The model that is gated, if the run has several.")
    ] = None,
    baseline_model: Annotated[
        str | None, typer.Option("--baseline-model", help="The baseline's model, if that run has several.")
    ] = None,
    allow_environment_change: Annotated[
        bool,
        typer.Option(
            "--allow-environment-change", help="Decide though device, torch, CUDA or precision differ."
        ),
    ] = False,
    inconclusive: Annotated[
        str | None,
        typer.Option(
            "--inconclusive", metavar="pass|fail", help="What an inconclusive verdict exits with. Default: 3."
        ),
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML here.")] = None,
    summary: Annotated[Path | None, typer.Option("--summary", help="Add Markdown to this file.")] = None,
    tracking_uri: Store = None,
    record: Annotated[bool, typer.Option("--record", help="Tag the run in MLflow with the verdict.")] = False,
    version: Annotated[
        str | None,
        typer.Option(
            "--version", metavar="models:/NAME/VERSION", help="Tag this model version too, with --record."
        ),
    ] = None,
    alias: Annotated[
        str | None, typer.Option("--alias", help="Move this alias to the version if the run passes.")
    ] = None,
    json: Json = False,
) -> None:
    """Hold a run against a policy: exit 0 if it passes, 1 if it fails, 3 if the data do not decide."""
    from bench.cli.gate_command import Recording, Shown, Words, hold

    words = Words(run, policy, model, baseline, baseline_model, allow_environment_change)
    recording = Recording(tracking_uri, record, version, alias)
    raise typer.Exit(hold(words, recording, Shown(inconclusive, junit, summary, json)))


@app.command()
def track(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    tracking_uri: Tracking = None,
    no_upload: NoUpload = False,
) -> None:
    """Send a finished run to MLflow; what is there already is not sent twice."""
    from bench import workflow
    from bench.errors import UserError
    from bench.folder import RunFolder

    if tracking_uri == "off":
        raise UserError("--tracking-uri", "'off' is no place", "A URI", "Leave it out for ./mlflow.db")
    typer.echo(workflow.send(RunFolder(run), tracking_uri, upload=not no_upload))


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Where the clips, the run and the report go.")] = Path(
        "demo"
    ),
    tracking_uri: Tracking = None,
    quiet: Quiet = False,
) -> None:
    """Draw simple faces and run doubles over them: the whole path at its smallest."""
    from bench import workflow
    from bench.cli.ask import Words, ask
    from bench.cli.models import choose
    from bench.synth.drawn import draw_set

    voice = Voice(quiet=quiet, json=False)
    voice.say(
        "This demo draws simple faces and runs doubles over them (pretend models of known quality): "
        "it shows the path, it measures no model."
    )
    draw_set(out / "drawn")
    question = ask(Words(suite="demo", data=[f"drawn={out / 'drawn'}"]))
    choices = choose(["oracle", "chance", "majority", "planted_bias@tint=cool,loss=0.25"], None, None)
    with voice.progress("rows") as progress:
        options = workflow.RunOptions(out / "run", cache=False)
        folder = workflow.predict(question, choices, options, progress, voice.say, voice.warn)
    voice.conclude(folder, tracking_uri, upload=True)
