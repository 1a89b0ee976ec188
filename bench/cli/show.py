"""What a command prints: tables for people, JSON for programs, progress on stderr; or nothing.

Colours and bars are left out where the output is not a terminal.
"""

from __future__ import annotations

import json as json_text
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from bench.folder import RunFolder

__all__ = ["Voice", "show_version"]

Progress = Callable[[int], Callable[[int], None]]
_SILENCE = 30.0  # seconds


@dataclass(frozen=True)
class Voice:
    """How much is said, and in which form."""

    quiet: bool
    json: bool

    def say(self, text: str) -> None:
        """Print a line, unless the output is quiet or JSON."""
        if not self.quiet and not self.json:
            typer.echo(text)

    def warn(self, text: str) -> None:
        """Print a line to stderr, even when quiet."""
        typer.echo(text, err=True)

    def say_unanswered(self, run: RunFolder, files: Mapping[str, Path]) -> None:
        """Warn of predictions made elsewhere with rows that are ok and answer nothing, file by file."""
        from bench.tables import read_table
        from bench.tables.unanswered import unanswered

        for model, dataset, condition in run.plan["cells"]:
            table = read_table(run.cell(model, dataset, condition).predictions)
            if (text := unanswered(table, str(files[model]))) is not None:
                self.warn(f"warning: {text}")

    @contextmanager
    def progress(self, unit: str) -> Iterator[Progress]:
        """A bar on stderr with rate and time left, or where that is no terminal a line now and then."""
        if self.quiet or self.json:
            yield lambda _total: lambda _made: None
            return
        if not sys.stderr.isatty():
            yield lambda total: _told(total, unit)
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
        )  # fmt: skip
        with Progress(*columns, console=Console(stderr=True)) as bar:

            def begin(total: int) -> Callable[[int], None]:
                task = bar.add_task("predict", total=total, rate="")

                def advance(made: int) -> None:
                    bar.advance(task, made)
                    speed = bar.tasks[0].speed
                    bar.update(task, rate=_rate(speed, unit) if speed else "")

                return advance

            yield begin

    def conclude(self, run: RunFolder, tracking_uri: str | None, *, upload: bool) -> None:
        """Judge, report, track, and print the summary; the last line names the report.

        Quiet, what must be known before any number still goes to stderr; JSON holds it as ``notes``.
        """
        from bench import workflow
        from bench.track import TrackError

        path = workflow.finish(run)
        sent = None
        if tracking_uri != "off":
            try:
                sent = workflow.send(run, tracking_uri, upload=upload)
            except TrackError as error:  # costs a warning and nothing else: the results are on disk
                self.warn(f"warning: {error}")
        self._print(run)
        if sent is not None:
            self.say(sent)
        self.say(f"report: {path}")

    def _print(self, run: RunFolder) -> None:
        if self.json:
            from bench.report.terminal import as_json

            typer.echo(json_text.dumps(as_json(run.path), indent=2, allow_nan=False))
        elif not self.quiet:
            from bench.report.console import standard_output
            from bench.report.terminal import summarise

            summarise(run.path, standard_output())
        else:
            from bench.report.terminal import cautions

            for text in cautions(run.path):
                self.warn(f"warning: {text}")


def _told(total: int, unit: str) -> Callable[[int], None]:
    """Say on stderr every half minute how much is made, so that the log of a job shows that it lives.

    The rate is that since the line before.
    """
    said, told, done = time.monotonic(), 0, 0

    def advance(made: int) -> None:
        nonlocal said, told, done
        done += made
        now = time.monotonic()
        if now - said >= _SILENCE and done < total:
            rate = _rate((done - told) / (now - said), unit)
            said, told = now, done
            typer.echo(f"{done:,} of {total:,} {unit}, {rate}", err=True)

    return advance


def _rate(speed: float, unit: str) -> str:
    return f"{speed:,.0f} {unit}/s" if speed >= 1 else f"{60 * speed:,.0f} {unit}/min"


def show_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        from bench import __version__

        typer.echo(f"affectbench {__version__}")
        raise typer.Exit
