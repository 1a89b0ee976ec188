"""The flags that say what is asked, the same for every command that reads a suite and data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Aligned", "Attributes", "Bins", "Controls", "DataRoots", "Labels", "LockFile", "Metrics", "Root",
    "Slices", "Table",
]  # fmt: skip

DataRoots = Annotated[
    list[str] | None, typer.Option("--data", metavar="NAME=ROOT", help="Where a data set of the suite lies.")
]
Table = Annotated[
    Path | None,
    typer.Option("--targets", help="A table (target, media, subject, label, attributes) in place of --data."),
]
Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attributes",
        metavar="[NAME=]FILE",
        help="A table of attributes by target, clip or subject, as 'data measure' writes. May repeat.",
    ),
]
Slices = Annotated[
    list[str] | None, typer.Option("--slice", help="An attribute, or several: 'race&sex'. May repeat.")
]
Controls = Annotated[
    list[str] | None,
    typer.Option("--control", help="Compare slices within each value of an attribute too. May repeat."),
]
Bins = Annotated[
    list[str] | None,
    typer.Option("--bins", metavar="ATTRIBUTE=EDGES", help="Cut numbers, as in age=30,45,60. May repeat."),
]
Metrics = Annotated[list[str] | None, typer.Option("--metric", help="A metric. May repeat.")]
Labels = Annotated[
    str | None, typer.Option("--labels", help="The label space: a known name, or labels with commas.")
]
Root = Annotated[Path | None, typer.Option("--root", help="Where the media of --targets lie.")]
Aligned = Annotated[
    bool, typer.Option("--aligned", help="The media are faces already cropped: no face is looked for.")
]
LockFile = Annotated[
    Path | None, typer.Option("--lock", help="The plan that 'suite lock' locked before this run.")
]
Tracking = Annotated[
    str | None, typer.Option("--tracking-uri", metavar="URI|off", help="MLflow; default: ./mlflow.db.")
]
Store = Annotated[
    str | None, typer.Option("--tracking-uri", metavar="URI", help="MLflow; default: ./mlflow.db.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
