"""Weights from an MLflow model registry: ``models:/NAME@alias`` or ``models:/NAME/VERSION``.

A model version is a place where exactly one weights file lies; the tag ``affectbench.entry`` names the zoo
entry that reads it. The file is copied, nothing of the registry is imported, unpickled or run, and no
path of the registry decides where it is written.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from bench.errors import UserError, listed
from bench.predict.lock import SUFFIXES
from bench.track.store import session, short

if TYPE_CHECKING:
    from mlflow.entities import FileInfo
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

__all__ = ["ENTRY_TAG", "Registered", "download", "entries", "fetch", "read_uri", "resolve"]

ENTRY_TAG = "affectbench.entry"
_URI = re.compile(r"models:/(?P<name>[^/\\@:]+)(?:@(?P<alias>[\w-]+)|/(?P<version>[0-9]+))")
_PLAIN = re.compile(r"\w[\w.\- ]*")  # no dots in front, no percent signs, nothing a URI would read
_DEEPEST = 4


@dataclass(frozen=True)
class Registered:
    """One registered model version: the zoo entry that reads it and its weights file on disk."""

    name: str
    version: str
    entry: str
    weights: Path


def fetch(uri: str, tracking_uri: str | None, folder: Path) -> Registered:
    """Resolve a registry URI and copy its one weights file into ``folder`` as ``NAME-VERSION.suffix``.

    ``tracking_uri`` None means MLFLOW_TRACKING_URI. Raises UserError for a malformed URI, an unknown name,
    alias or version, a missing entry tag, and no or several weights files; Unreachable and TrackError as
    ``send`` does.
    """
    match = read_uri(uri)
    place = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not place:
        raise UserError(
            uri, "no MLflow server is named", "A registry lives on a server or in a database",
            "Give --tracking-uri URI or set MLFLOW_TRACKING_URI",
        )  # fmt: skip
    with session(place, "Start the server, or give the file with --weights FILE") as client:
        version = resolve(client, uri, match)
        entry = _entry(client, uri, version)
        source = str(client.get_model_version_download_uri(version.name, version.version))
        path = _weights(uri, source, place)
        target = folder / f"{version.name}-{version.version}{PurePosixPath(path).suffix}"
        download(source, path, place, target)
    return Registered(str(version.name), str(version.version), entry, target)


def read_uri(uri: str) -> re.Match[str]:
    """The name and the alias or version of a registry URI, as groups; UserError where it is none."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise UserError(
            uri, "this is not a registry URI", "models:/NAME@alias or models:/NAME/VERSION",
            "Correct the URI",
        )  # fmt: skip
    return match


def resolve(client: MlflowClient, uri: str, match: re.Match[str]) -> ModelVersion:
    """The model version that a registry URI names; UserError where the registry has no such one."""
    from mlflow.exceptions import MlflowException

    try:
        if match["alias"]:
            return client.get_model_version_by_alias(match["name"], match["alias"])
        return client.get_model_version(match["name"], match["version"])
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise UserError(
            uri, f"the registry does not have it ({short(error)})",
            "A registered model with that alias or version", "Correct the name, alias or version",
        ) from None  # fmt: skip


def _entry(client: MlflowClient, uri: str, version: ModelVersion) -> str:
    entry = version.tags.get(ENTRY_TAG) or client.get_registered_model(version.name).tags.get(ENTRY_TAG)
    if not entry:
        raise UserError(
            uri, f"version {version.version} has no tag {ENTRY_TAG!r}",
            "The tag names the zoo entry that reads the weights (affectbench zoo list)",
            f"Set it: MlflowClient().set_model_version_tag({version.name!r}, {str(version.version)!r}, "
            f"{ENTRY_TAG!r}, 'mini-xception')",
        )  # fmt: skip
    return str(entry)


def _weights(uri: str, source: str, tracking_uri: str) -> str:
    """The path under ``source`` of the one file with a suffix of weights."""
    files = _files(source, "", tracking_uri, _DEEPEST)
    found = [name for name in files if PurePosixPath(name).suffix.lower() in SUFFIXES]
    if len(found) != 1:
        raise UserError(
            uri, f"it holds {len(found)} weights files ({listed(found or files) or 'nothing'})",
            f"Exactly one file ending in {', '.join(SUFFIXES)}",
            "Register a version with one weights file",
        )  # fmt: skip
    return found[0]


def _files(source: str, under: str, tracking_uri: str, depth: int) -> list[str]:
    found = []
    for name, info in entries(source, under, tracking_uri).items():
        inside = f"{under}/{name}".lstrip("/")
        if not info.is_dir:
            found.append(inside)
        elif depth > 1:
            found.extend(_files(source, inside, tracking_uri, depth - 1))
    return found


def entries(source: str, under: str, tracking_uri: str) -> dict[str, FileInfo]:
    """What lies in a folder of artifacts, by plain names; any other name is left out.

    Only the last part of what the server says is used, so that no listed path leaves the folder.
    """
    from mlflow.artifacts import list_artifacts

    found = list_artifacts(f"{source}/{under}".rstrip("/"), tracking_uri=tracking_uri)
    named = {PurePosixPath(info.path).name: info for info in found}
    return {name: info for name, info in named.items() if _PLAIN.fullmatch(name)}


def download(source: str, path: str, tracking_uri: str, target: Path) -> None:
    """Copy one artifact to ``target``, wherever the server says that it lies."""
    from mlflow.artifacts import download_artifacts

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        uri = f"{source.rstrip('/')}/{path}"
        got = Path(download_artifacts(uri, dst_path=folder, tracking_uri=tracking_uri))
        got.replace(target)
