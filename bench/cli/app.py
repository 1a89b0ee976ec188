"""The command line: what makes runs (run, score, demo), what sends them (track), and where all else is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import data, evidence, finished, key, suite, zoo
from bench.cli.flags import (
    Aligned,
    Attributes,
    Bins,
    Controls,
    DataRoots,
    Json,
    Labels,
    LockFile,
    Metrics,
    Quiet,
    Root,
    Slices,
    Table,
    Tracking,
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
NoUpload = Annotated[bool, typer.Option("--no-upload", help="Log numbers to MLflow, but no artifacts.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Seek all faces anew, and keep none for later.")]
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
    voice.say_unanswered(folder, files)
    voice.conclude(folder, tracking_uri, upload=not no_upload)


for command in (finished.report, evidence.audit, finished.compare, finished.gate, finished.leaderboard):
    app.command()(command)


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
