"""``affectbench data``: the data sets that are known, their targets, human votes and measures as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.report import format as fmt

if TYPE_CHECKING:
    from bench.tables import Targets

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The data sets: list, write, measure.")


@app.command("list")
def list_() -> None:
    """Name the adapters, with the facts of each."""
    from bench.predict.datasets import ADAPTERS

    for name, adapter in ADAPTERS.items():
        facts = adapter.facts
        typer.echo(
            f"{name:<10} {facts.label_space or 'any labels':<12} clusters: {facts.cluster_unit:<7} "
            f"media: {facts.media_kind:<8} licence: {facts.licence}"
        )


@app.command()
def write(
    source: Annotated[str, typer.Argument(metavar="NAME=ROOT", help="An adapter and the data set's folder.")],
    out: Annotated[Path, typer.Option("--out", help="A folder for the tables.")],
    split: Annotated[str | None, typer.Option("--split", help="One split; default: all.")] = None,
) -> None:
    """Write targets.parquet and, where people rated the media, their votes as predictions.

    A table that is there already with another content is refused, and nothing is written.
    """
    from bench.cli.ask import pairs
    from bench.predict.datasets import ADAPTERS, open_data
    from bench.spec import DataSource
    from bench.tables import write_table

    ((name, root),) = pairs([source], "NAME=ROOT", "NAME=ROOT").items()
    asked = DataSource(adapter=name, split=split)
    targets = open_data(asked, Path(root))
    raters = getattr(ADAPTERS[name], "raters", None)
    votes = raters(Path(root)) if raters else {}
    writers = {rater: partial(write_table, table) for rater, table in votes.items()}
    counts = {rater: fmt.counted(table.num_rows, "prediction", "") for rater, table in votes.items()}
    _write_new(out, {"targets": targets.write, **writers})
    for table, count in {"targets": fmt.counted(len(targets), "target", ""), **counts}.items():
        typer.echo(f"{out / f'{table}.parquet'}: {count}")


@app.command()
def measure(
    out: Annotated[Path, typer.Option("--out", help="The table to write: FILE.parquet.")],
    source: Annotated[
        str | None, typer.Argument(metavar="NAME=ROOT", help="An adapter and the data set's folder.")
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="One split; default: all.")] = None,
    targets: Annotated[
        Path | None, typer.Option("--targets", help="A table of targets in place of NAME=ROOT.")
    ] = None,
    root: Annotated[Path | None, typer.Option("--root", help="Where the media of --targets lie.")] = None,
    aligned: Annotated[
        bool, typer.Option("--aligned", help="The media of --targets are faces already cropped.")
    ] = False,
    detector: Annotated[
        str, typer.Option("--detector", help="A face detector of the zoo, NAME or NAME@CHECKPOINT.")
    ] = "yunet",
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda:N.")] = "auto",
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Threads that decode, and on a CPU find faces.")
    ] = 2,
    zoo: Annotated[list[Path] | None, typer.Option("--zoo", help="A folder of private models.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print warnings and errors alone.")] = False,
) -> None:
    """Measure head pose, face size, light, sharpness and skin tone (ITA) of every target, on clean media.

    A row a target: a table for --attributes of 'run' and 'score'. A table of other media is never replaced.
    """
    from bench.cli.show import Voice
    from bench.predict.datasets import digest_media, require_media
    from bench.predict.device import choose_device
    from bench.predict.measure import load_instruments
    from bench.predict.measure import measure as measure_faces
    from bench.predict.plan import refuse_frame_targets
    from bench.predict.zoo import Zoo
    from bench.tables import write_table
    from bench.tables.attributes import described

    _require_place(out)
    voice, chosen = Voice(quiet=quiet, json=False), choose_device(device)
    asked = _targets(source, split, targets, root, aligned)
    refuse_frame_targets(asked.facts.name, asked)
    require_media(asked)
    asked = digest_media(asked)
    instruments = load_instruments(Zoo(zoo or ()), detector, chosen)
    source_of = {**instruments.described, "targets": asked.digest}
    if _is_measured(out, source_of):
        voice.say(f"{out}: it was measured already")
        return
    with voice.progress("targets") as progress:
        table = measure_faces(asked, instruments, chosen, workers, progress(len(asked)))
    write_table(described(table, source_of), out)
    counts = table["measured"].value_counts().to_pylist()
    said = ", ".join(f"{entry['counts']} {entry['values']}" for entry in counts)
    voice.say(f"{out}: {fmt.counted(len(asked), 'target', '')}, {said}")


def _targets(
    source: str | None, split: str | None, table: Path | None, root: Path | None, aligned: bool
) -> Targets:  # fmt: skip
    """The targets that the words name; UserError unless it is one source, with its own flags alone."""
    from bench.cli.ask import Words, ask, pairs
    from bench.errors import UserError
    from bench.predict.datasets import open_data
    from bench.spec import DataSource

    if (source is None) == (table is None):
        raise UserError(
            "data measure", "exactly one source of data is needed", "NAME=ROOT, or --targets T",
            "Give one of the two",
        )  # fmt: skip
    strange = {"--root": root, "--aligned": aligned or None} if source else {"--split": split}
    for flag in (flag for flag, value in strange.items() if value is not None):
        raise UserError(
            flag, f"it is given beside {'NAME=ROOT' if source else '--targets'}",
            "--split goes with NAME=ROOT, --root and --aligned with --targets", "Take it out",
        )  # fmt: skip
    if source is None:
        (found,) = ask(Words(targets=table, root=root, aligned=aligned)).targets.values()
        return found
    ((name, folder),) = pairs([source], "NAME=ROOT", "NAME=ROOT").items()
    return open_data(DataSource(adapter=name, split=split), Path(folder))


def _require_place(out: Path) -> None:
    """UserError unless a Parquet file can be written there."""
    from bench.errors import UserError

    if out.suffix != ".parquet":
        raise UserError(
            "--out", f"{out} does not end in .parquet", "Measures are written as Parquet",
            "Name a file FILE.parquet",
        )  # fmt: skip
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            "--out", f"the folder {out.parent} cannot be made: {error.strerror}",
            "A place that can be written", "Choose another --out",
        ) from None  # fmt: skip


def _is_measured(out: Path, described: Mapping[str, object]) -> bool:
    """Whether this very table is there; UserError where another is."""
    from bench.errors import UserError
    from bench.tables.attributes import carried_measurement

    if out.exists() and carried_measurement(out) != described:
        raise UserError(
            "--out", f"{out} is there, measured of other media or in another way, or something else",
            "A table is written where none is", "Choose another --out",
        )  # fmt: skip
    return out.exists()


def _write_new(out: Path, writers: Mapping[str, Callable[[Path], None]]) -> None:
    """Write every table; UserError, with nothing written, where one would replace another content."""
    import tempfile

    from bench.digest import digest_file
    from bench.errors import UserError, listed

    paths = {name: out / f"{name}.parquet" for name in writers}
    with tempfile.TemporaryDirectory(prefix="affectbench-") as scratch:
        differing = []
        for name, path in paths.items():
            if path.is_file():
                again = Path(scratch) / path.name
                writers[name](again)
                differing += [path.name] if digest_file(again) != digest_file(path) else []
    if differing:
        raise UserError(
            str(out), f"it holds {listed(differing)} with another content",
            "A table is written where none is, or again where it would be the same", "Choose another --out",
        )  # fmt: skip
    for name, path in paths.items():
        writers[name](path)
