"""Verdicts in MLflow: tags on the run that was gated and on a model version; an alias that moves on a pass.

What could not be recorded is told, never raised: a verdict does not depend on a server. Refused before
anything is decided: runs that were not sent there as they are now, model versions that the registry does not
have, and versions other than the one that was run.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.digest import digest_file
from bench.errors import UserError, listed
from bench.folder import RunFolder
from bench.track.baseline import RUN_TAG, find_run
from bench.track.registry import read_uri, resolve
from bench.track.store import TrackError, public, require_there, same, session

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

__all__ = ["Place", "Recorded", "Release", "find_place", "record", "was_sent_as"]

_TAG = "affectbench.gate"
_REMEDY = "Start the server, and run the same command again"
_ALIAS = re.compile(
    r"(?!(v\d+|latest)$)[\w-]{1,255}", re.IGNORECASE
)  # what MLflow takes, and keeps for itself


@dataclass(frozen=True)
class Release:
    """A registered model version that is gated, and the alias that moves to it if it passes."""

    name: str
    version: str
    alias: str | None = None

    @classmethod
    def read(cls, uri: str, alias: str | None) -> Release:
        """Read the words of --version and --alias; UserError for another form."""
        match = read_uri(uri)
        if not match["version"]:
            raise UserError(
                uri, "an alias may lead elsewhere tomorrow", "models:/NAME/VERSION", "Name the version itself"
            )
        if alias is not None and not _ALIAS.fullmatch(alias):
            raise UserError(
                "--alias", f"{alias!r} is no alias", "Letters, digits, _ and -, but not v1 or latest",
                "Choose another alias",
            )  # fmt: skip
        return cls(match["name"], match["version"], alias)

    @property
    def uri(self) -> str:
        """The version, as the registry calls it."""
        return f"models:/{self.name}/{self.version}"


@dataclass(frozen=True)
class Place:
    """Where the verdict on a run is recorded: a store, the MLflow run, and the version, if one is named.

    ``shown``: whether the run itself says that it is of the version, whose weights were fetched for it.
    """

    uri: str
    run: str
    release: Release | None = None
    shown: bool = False


@dataclass(frozen=True)
class Recorded:
    """What was recorded: ``moved`` says whether the alias leads to the version now, None without one.

    ``problem`` is why not everything could be recorded, None where all was.
    """

    place: Place
    moved: bool | None
    problem: TrackError | None = None


def find_place(run: RunFolder, model: str, uri: str, release: Release | None = None) -> Place:
    """The MLflow run that a model of a run folder was sent to as it is now, with the version it is of.

    Raises UserError where it was not sent to this store, where store or registry no longer have run or
    version, and where the folder says that another version was run; a store that does not answer is passed
    over, for ``record`` tells of it.
    """
    shown = release is not None and _is_of(run, model, release)
    place = Place(uri, _run_id(run, model, uri), release, shown)
    require_there(uri)
    with suppress(TrackError), session(uri, _REMEDY) as client:
        find_run(client, place.run, f"Send the run again: affectbench track {run.path}")
        if release is not None:
            resolve(client, release.uri, read_uri(release.uri))
    return place


def record(place: Place, tags: dict[str, str], *, passed: bool) -> Recorded:
    """Set the tags of a verdict; the alias moves last, and only where the gate was passed."""
    release = place.release
    moved = None if release is None or release.alias is None else False
    try:
        with session(place.uri, _REMEDY) as client:
            _set(client, place, {f"{_TAG}{name}": text for name, text in tags.items()})
            if release is not None and release.alias is not None and passed:
                client.set_registered_model_alias(release.name, release.alias, release.version)
                moved = True
    except TrackError as error:
        return Recorded(place, moved, error)
    return Recorded(place, moved)


def _set(client: MlflowClient, place: Place, tags: dict[str, str]) -> None:
    for name, text in tags.items():
        client.set_tag(place.run, name, text)
    if place.release is not None:
        for name, text in {**tags, RUN_TAG: place.run}.items():
            client.set_model_version_tag(place.release.name, place.release.version, name, text)


def was_sent_as(run: RunFolder, model: str, run_id: str) -> bool:
    """Whether an MLflow run was made of this model of a run folder."""
    name = _name(run, model)
    return any(
        (made["name"], made["parent"]) == (name, run_id) for entry in _sent(run) for made in entry["runs"]
    )


def _run_id(run: RunFolder, model: str, uri: str) -> str:
    """The id of the MLflow run that a model of a run folder was sent to, as it is now."""
    sent = _sent(run)
    here = [entry for entry in sent if same(entry["uri"], uri)][-1:]  # the last one is the newest
    found = [made["parent"] for entry in here for made in entry["runs"] if made["name"] == _name(run, model)]
    judged = run.estimates.is_file()
    if found and judged and here[0]["estimates"] == digest_file(run.estimates):
        return str(found[0])
    elsewhere = listed({entry["uri"] for entry in sent})
    where = "anywhere" if not sent else "there as it is now" if here else f"there, but to {elsewhere}"
    raise UserError(
        str(run.path), f"the run was not sent {where}",
        f"A verdict is recorded beside the run, here in {public(uri)}",
        f"Send it first: affectbench track {run.path}",
    )  # fmt: skip


def _name(run: RunFolder, model: str) -> str:
    return f"{model} {run.plan['suite']['suite']}"


def _sent(run: RunFolder) -> list[dict[str, Any]]:
    """Where ``send`` wrote down that a run folder was sent, oldest first."""
    path = run.path / "track.json"
    if not path.is_file():
        return []
    try:
        return [
            {"uri": str(entry["uri"]), "estimates": entry["estimates"],
             "runs": [{"name": made["name"], "parent": made["parent"]} for made in entry["runs"]]}
            for entry in json.loads(path.read_text(encoding="utf-8"))["sent"]
        ]  # fmt: skip
    except (ValueError, KeyError, TypeError):
        raise UserError(
            str(path), "the file is damaged", "It says where this run was sent",
            "Delete it, and send the run again with 'affectbench track'",
        ) from None  # fmt: skip


def _is_of(run: RunFolder, model: str, release: Release) -> bool:
    """Whether the model was fetched as this version; UserError where it was fetched as another.

    Of weights that came from elsewhere, and of predictions, nobody can say.
    """
    entry = next(entry for entry in run.plan["models"] if entry["name"] == model)
    origin = re.fullmatch(r"models:/([^/@]+)[/@].*, version (\d+)", entry.get("origin") or "")
    if origin is not None and origin.groups() != (release.name, release.version):
        raise UserError(
            release.uri, f"the run is of models:/{origin[1]}/{origin[2]}", "The version that was run",
            "Name that one, or run this one",
        )  # fmt: skip
    return origin is not None
