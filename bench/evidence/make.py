"""Make a bundle: a finished run, or its aggregates, as one signed file.

The manifest is signed, the signer's public key is in it, and the manifest names the digest of everything
else. The same run, key and lock give the same bytes; encryption, of which no two are alike, goes around
them. The file appears under its name when it is whole, and is never written over; no plain copy of an
internal one is made.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import __version__
from bench.errors import UserError
from bench.evidence.container import MANIFEST, SIGNATURE, Member, member, pack, stream
from bench.evidence.contents import Contents, external, internal, unknown_files
from bench.evidence.encryption import Opener, encrypt
from bench.evidence.keys import fingerprint, public_pem
from bench.evidence.manifest import SIGNER, Manifest, write_manifest
from bench.folder import RunFolder
from bench.prereg import read_lock

__all__ = ["Bundled", "bundle"]


@dataclass(frozen=True)
class Bundled:
    """A bundle that was made: its manifest, its size in bytes, and files of the folder that are not in it."""

    path: Path
    manifest: Manifest
    size: int
    left_out: tuple[str, ...]


def bundle(
    run: RunFolder,
    kind: Literal["internal", "external"],
    out: Path,
    key: Ed25519PrivateKey,
    to: Opener | None,
    lock: Path | None,
) -> Bundled:
    """Write a bundle of a finished run.

    Raises UserError, with nothing written, where ``out`` exists, the run is not as it was judged, ``lock`` is
    not its lock, or an internal bundle has nobody to open it.
    """
    if out.exists() or out.is_symlink():
        raise UserError(
            str(out), "it is there already", "Evidence is never written over", "Choose another --out"
        )
    plan = run.plan
    locked = None if lock is None else read_lock(lock)
    held = None if lock is None or locked is None else (lock, locked)
    contents = internal(run, held) if kind == "internal" else external(run, locked)
    contents = _with_signer(contents, key)
    manifest = Manifest(
        affectbench=__version__, bundle=kind, signer=fingerprint(key.public_key()), files=contents.files(),
        elsewhere=contents.absent(), lock=(plan.get("lock") or {}).get("lock"),
    )  # fmt: skip
    written = write_manifest(manifest)
    signed = [member(MANIFEST, written), member(SIGNATURE, key.sign(written))]
    with _whole(out) as file:
        _write(
            [*signed, *contents.members],
            file,
            to if kind == "internal" else None,
            internal=kind == "internal",
        )
    return Bundled(out, manifest, out.stat().st_size, tuple(unknown_files(run)))


def _with_signer(contents: Contents, key: Ed25519PrivateKey) -> Contents:
    signer = member(SIGNER, public_pem(key.public_key()))
    return Contents((*contents.members, signer), contents.of, contents.elsewhere)


def _write(members: list[Member], file: BinaryIO, to: Opener | None, *, internal: bool) -> None:
    if not internal:
        pack(members, file)
    elif to is None:
        raise UserError(
            "--bundle internal", "there is nobody to open it",
            "It holds rows of single persons and is encrypted, with --recipient or --passphrase-file",
            "Give one of them",
        )  # fmt: skip
    else:
        encrypt(stream(members), sum(each.size for each in members), file, to)


@contextmanager
def _whole(out: Path) -> Iterator[BinaryIO]:
    """A file for its owner alone that appears as ``out`` when it is whole, and not at all otherwise."""
    partial = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UserError(
            str(out), f"it cannot be written: {error.strerror}", "A place that can be written",
            "Choose another --out",
        ) from None  # fmt: skip
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.rename(out)
    finally:
        partial.unlink(missing_ok=True)
