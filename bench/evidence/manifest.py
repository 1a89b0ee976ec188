"""The manifest of a bundle: every file in it with size and sha256, and what each is made from.

It is canonical JSON, so that a manifest has one way to be written; the signature is over its bytes, and it
names the key, so that no signature of another key fits. Files of the run that are not in the bundle stand
in it with their digests, so that a later bundle or the run itself can be held against it.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from bench.digest import canonical_json
from bench.evidence.paths import unfit
from bench.spec import Record

__all__ = ["SIGNER", "File", "Manifest", "NoManifest", "read_manifest", "write_manifest"]

SIGNER = "signer.pem"
_LARGEST = 64 << 20
_Kind = Literal["affectbench evidence"]


def _named(path: str) -> str:
    """A path that a bundle may have; ValueError for any other."""
    if found := unfit(path):
        raise ValueError(f"this is no path in a bundle: {found}")
    return path


_Path = Annotated[str, AfterValidator(_named)]
_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class File(Record):
    """A file of the run: its path there, its size in bytes, and the paths that it is made ``of``."""

    path: _Path
    size: int = Field(ge=0)
    sha256: _Digest
    of: tuple[_Path, ...] = ()


class Manifest(Record):
    """What a bundle holds; ``elsewhere`` are files of the run that it does not hold."""

    kind: _Kind = "affectbench evidence"
    format: Literal[1] = 1
    affectbench: str = Field(pattern=r"^[0-9A-Za-z.+-]{1,64}$")
    bundle: Literal["internal", "external"]
    signer: _Digest
    files: tuple[File, ...]
    elsewhere: tuple[File, ...] = ()
    lock: _Digest | None = None


class NoManifest(Exception):  # noqa: N818 (a fault is data)
    """These bytes are no manifest; the text says why."""


def write_manifest(manifest: Manifest) -> bytes:
    """The manifest as canonical JSON."""
    return canonical_json(manifest.model_dump(mode="json")).encode()


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest; NoManifest for what ``write_manifest`` does not write."""
    if len(data) > _LARGEST:
        raise NoManifest(f"it has {len(data):,} bytes, and may have {_LARGEST:,}")
    try:
        content = json.loads(data)
        manifest = Manifest.model_validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        # What it says may be of the file's own words: nothing of these may act on a terminal.
        raise NoManifest(ascii(f"{place}: {first['msg']}" if place else first["msg"])[1:-1]) from None
    except (ValueError, RecursionError) as error:
        raise NoManifest(f"it is no JSON ({type(error).__name__})") from None
    if not isinstance(content, dict) or write_manifest(manifest) != data:
        raise NoManifest("it is not written as affectbench writes it")
    return manifest
