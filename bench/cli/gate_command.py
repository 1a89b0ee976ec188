"""The steps of ``gate``: find the baseline, hold the policy, write, record in MLflow, print, exit.

Refused before anything is decided: words that do not go together, and runs to record on that MLflow does not
have. What cannot be recorded afterwards costs a warning, unless it is the release that was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from bench.cli.gate import EXIT, as_json, print_gate, read_inconclusive
from bench.cli.gate_files import publish
from bench.digest import digest_file
from bench.errors import MachineError, UserError
from bench.folder import RunFolder
from bench.gate.hold import Gate, gate
from bench.gate.pairs import model_of
from bench.policy import read_policy
from bench.sides import Side
from bench.track import default_uri
from bench.track.baseline import fetch_baseline, is_reference
from bench.track.verdict import Place, Recorded, Release, find_place, record, was_sent_as

__all__ = ["Recording", "Shown", "Words", "find_baseline", "hold"]


@dataclass(frozen=True)
class Words:
    """What is gated, against what."""

    run: Path
    policy: Path
    model: str | None
    baseline: str | None
    baseline_model: str | None
    allow_environment_change: bool


@dataclass(frozen=True)
class Recording:
    """What is to become of the verdict in MLflow, and in which store runs are looked for."""

    tracking_uri: str | None
    record: bool
    version: str | None
    alias: str | None

    @property
    def uri(self) -> str:
        """The store; UserError where tracking is turned off."""
        if self.tracking_uri == "off":
            raise UserError("--tracking-uri", "'off' is no place", "A URI", "Leave it out for ./mlflow.db")
        return self.tracking_uri or default_uri(Path.cwd())

    def place(self, side: Side) -> Place | None:
        """Where the verdict on a side is recorded, None where that is not asked for."""
        if self.alias is not None and self.version is None:
            raise UserError(
                "--alias", "no version is named that it would move to", "--alias ALIAS with --version",
                "Add --version models:/NAME/VERSION, or leave --alias out",
            )  # fmt: skip
        if self.version is not None and not self.record:
            raise UserError(
                "--version", "nothing is recorded without --record", "--version with --record",
                "Add --record, or leave --version out",
            )  # fmt: skip
        if not self.record:
            return None
        release = None if self.version is None else Release.read(self.version, self.alias)
        return find_place(side.run, model_of(side), self.uri, release)


@dataclass(frozen=True)
class Shown:
    """How the verdict is shown, and what an inconclusive one exits with."""

    inconclusive: str | None
    junit: Path | None
    summary: Path | None
    json: bool


def hold(words: Words, recording: Recording, shown: Shown) -> int:
    """Hold a run against a policy and return the exit code; MachineError where a release was not made."""
    exits = {**EXIT, "inconclusive": read_inconclusive(shown.inconclusive)}
    policy, new = read_policy(words.policy), Side("--model", RunFolder(words.run), words.model)
    place = recording.place(new)
    with TemporaryDirectory(prefix="affectbench-") as folder:
        old = find_baseline(words.baseline, words.baseline_model, recording, new, Path(folder))
        found = gate(policy, new, old, allow_environment_change=words.allow_environment_change)
    publish(found, shown.junit, shown.summary)
    recorded = None if place is None else record(place, _tags(found, old), passed=found.verdict == "pass")
    if shown.json:
        typer.echo(as_json(found, recorded))
    else:
        print_gate(found, recorded)
    if recorded is not None and recorded.problem is not None:
        _tell(found, recorded)
    return exits[found.verdict]


def find_baseline(
    words: str | None, model: str | None, recording: Recording, new: Side, folder: Path
) -> Side | None:
    """The baseline's side: a run folder, or one rebuilt from MLflow into ``folder``; None if none is named.

    UserError where it is the candidate itself.
    """
    if words is None:
        return None
    option = "--baseline-model"
    if not is_reference(words):
        return Side(option, RunFolder(Path(words)), model)
    fetched = fetch_baseline(words, recording.uri, new.run, folder)
    if was_sent_as(new.run, model_of(new), fetched.run_id):
        raise UserError(
            "--baseline", f"{fetched.origin} is the candidate itself", "An earlier model",
            "Name another run or version",
        )  # fmt: skip
    return Side(option, fetched.run, model, fetched.origin)


def _tags(found: Gate, old: Side | None) -> dict[str, str]:
    """What the tags of the verdict say, by the ends of their names; of a folder its name, and no path."""
    policy = found.policy
    digest = digest_file(policy.document.path)[:12]
    against = found.baseline or "none"
    if old is not None and old.origin is None:
        against = f"{model_of(old)} of {old.run.path.resolve().name}"
    return {"": found.verdict, ".policy": f"{policy.policy.policy} {digest}", ".baseline": against}


def _tell(found: Gate, recorded: Recorded) -> None:
    """Say that not all was recorded; MachineError where that was a release which the gate let pass."""
    release = recorded.place.release
    if release is not None and release.alias is not None and found.verdict == "pass":
        problem = recorded.problem
        assert problem is not None
        raise MachineError(
            release.uri, f"the gate is passed, and the alias {release.alias} was not moved ({problem.found})",
            "A release needs the registry", problem.remedy,
        )  # fmt: skip
    typer.echo(f"warning: {recorded.problem}", err=True)
