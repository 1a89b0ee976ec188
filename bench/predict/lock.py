"""Weights: what an entry's ``weights.toml`` locks, and how a locked file is found, fetched and verified.

A file counts only by its sha256. It is looked for in the folder ``AFFECTBENCH_WEIGHTS``, then in the cache
(``AFFECTBENCH_CACHE``, else ``~/.cache/affectbench``), then fetched over https. Formats that run code when
read are refused by their suffix.
"""

from __future__ import annotations

import os
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.digest import digest_file
from bench.errors import UserError, listed, nearest

__all__ = [
    "PARTS", "SUFFIXES", "Checkpoint", "Lock", "cache_folder", "locate", "pull", "read_lock", "verify_format",
]  # fmt: skip

SUFFIXES = (".safetensors", ".onnx", ".hdf5", ".h5", ".pt", ".pth")
PARTS = {"detector": "face detector", "pose": "head pose network", "mesh": "face mesh network"}
"""Kinds of entries that are no models and cannot be run alone, in words."""
_TIMEOUT_S = 30
_BLOCK = 1 << 20


class Checkpoint(BaseModel):
    """One file of weights: where it comes from, its digest, size in bytes and licence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")
    url: str | None = Field(default=None, pattern=r"^https://")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(gt=0)
    licence: str


class Lock(BaseModel):
    """What ``weights.toml`` says: the kind of entry, its checkpoints and the default one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["model", "detector", "pose", "mesh", "double"] = "model"
    default: str | None = None
    checkpoint: tuple[Checkpoint, ...] = ()

    def choose(self, name: str | None, where: str) -> Checkpoint | None:
        """The checkpoint of that name, the default one for None; None if the entry has no weights."""
        wanted = name or self.default
        if wanted is None:
            return None
        for checkpoint in self.checkpoint:
            if checkpoint.name == wanted:
                return checkpoint
        names = [checkpoint.name for checkpoint in self.checkpoint]
        raise UserError(
            where, f"there is no checkpoint {wanted!r}.{nearest(wanted, names)}",
            f"Checkpoints: {listed(names) or 'none'}", "Name one of them after the @",
        )  # fmt: skip


def read_lock(path: Path) -> Lock:
    """Read a lock file; an entry without one is a model without weights."""
    if not path.is_file():
        return Lock()
    try:
        return Lock(**tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        found = f"the file is not TOML: {error}"
    except ValidationError as error:
        first = error.errors()[0]
        found = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    raise UserError(
        str(path), found, f"It has kind, default and [[checkpoint]] with {listed(Checkpoint.model_fields)}",
        "Correct the lock file",
    )  # fmt: skip


def locate(checkpoint: Checkpoint, where: str) -> Path | None:
    """Find the locked file on this machine, or None; a cached file with another digest is refused."""
    folder = os.environ.get("AFFECTBENCH_WEIGHTS")
    if folder:
        for path in sorted(Path(folder).rglob("*")):
            same_size = path.is_file() and path.stat().st_size == checkpoint.size
            if same_size and digest_file(path) == checkpoint.sha256:
                return path
    cached = _cached(checkpoint)
    if not cached.is_file():
        return None
    found = digest_file(cached)
    if found != checkpoint.sha256:
        raise UserError(
            str(cached), f"the file has sha256 {found}", f"{where} locks {checkpoint.sha256}",
            "Delete the file to fetch it again",
        )  # fmt: skip
    return cached


def pull(checkpoint: Checkpoint, where: str) -> Path:
    """Locate the locked file or fetch it into the cache, verified before it gets its name."""
    found = locate(checkpoint, where)
    if found is not None:
        return found
    _refuse_other_size(checkpoint, where)
    if checkpoint.url is None:
        raise _not_found(checkpoint, where, "and the lock names no address to fetch it from")
    path = _cached(checkpoint)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _download(checkpoint, partial)
        digest, size = digest_file(partial), partial.stat().st_size
        if digest != checkpoint.sha256:
            # Reading ends one byte after the locked size.
            longer = f", and more than the {checkpoint.size} bytes locked" if size > checkpoint.size else ""
            came = f"what came has sha256 {digest}{longer}"
            raise UserError(
                checkpoint.url, came, f"{where} locks {checkpoint.sha256}",
                "Do not use it; ask the publisher, or correct the lock if you trust the new file",
            )  # fmt: skip
        partial.replace(path)
    except (urllib.error.URLError, OSError) as error:
        raise _not_found(checkpoint, where, f"and fetching it failed ({error})") from None
    finally:
        partial.unlink(missing_ok=True)
    return path


def cache_folder() -> Path:
    """Where what can be had again is kept: ``AFFECTBENCH_CACHE``, else ``~/.cache/affectbench``."""
    default = Path.home() / ".cache" / "affectbench"
    return Path(os.environ.get("AFFECTBENCH_CACHE", default))


def verify_format(path: Path) -> Path:
    """Return the path of a user's own weights if it exists in a format that runs no code when read."""
    if not path.is_file():
        raise UserError(str(path), "there is no such file", "Weights are one file", "Correct the path")
    if path.suffix not in SUFFIXES:
        raise UserError(
            str(path), f"suffix {path.suffix!r} is not a weights format that is safe to read",
            f"Allowed: {', '.join(SUFFIXES)} (.pt and .pth are read with weights_only=True)",
            "Save the weights as safetensors",
        )  # fmt: skip
    return path


def _refuse_other_size(checkpoint: Checkpoint, where: str) -> None:
    """Raise UserError where the user's folder holds the locked file, but the lock says another size of it.

    Every file is read for that, which ``locate`` spares by its size.
    """
    folder = os.environ.get("AFFECTBENCH_WEIGHTS")
    for path in sorted(Path(folder).rglob("*")) if folder else ():
        if path.is_file() and digest_file(path) == checkpoint.sha256:
            size = path.stat().st_size
            raise UserError(
                where, f"{path} has the sha256 of {checkpoint.file}, and {size} bytes where the lock says "
                f"{checkpoint.size}", "The size is that of the file in bytes",
                f"Write 'size = {size}' in the lock",
            )  # fmt: skip


def _cached(checkpoint: Checkpoint) -> Path:
    return _cache() / checkpoint.sha256 / checkpoint.file


def _cache() -> Path:
    return cache_folder() / "weights"


def _given() -> str:
    """The folder that the user names for weights, as a message shows it."""
    folder = os.environ.get("AFFECTBENCH_WEIGHTS")
    if not folder:
        return "which is not set"
    return folder if Path(folder).is_dir() else f"{folder}: there is no such folder"


def _download(checkpoint: Checkpoint, path: Path) -> None:
    request = urllib.request.Request(checkpoint.url or "")  # noqa: S310 - the lock admits https only
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer, path.open("wb") as file:  # noqa: S310
        left = checkpoint.size + 1
        while left > 0 and (block := answer.read(min(_BLOCK, left))):
            file.write(block)
            left -= len(block)


def _not_found(checkpoint: Checkpoint, where: str, cause: str) -> UserError:
    return UserError(
        where, f"{checkpoint.file} (sha256 {checkpoint.sha256[:12]}…) is not on this machine {cause}",
        f"Weights are looked for by sha256 in AFFECTBENCH_WEIGHTS ({_given()}) and in the cache ({_cache()})",
        "Set AFFECTBENCH_WEIGHTS to a folder that holds the file, or run 'affectbench zoo pull' with a "
        "network",
    )  # fmt: skip
