"""Open a bundle and say whether it is what was signed: container, manifest, signature, and every digest.

It is read into a folder of its own that its owner alone may enter and that is gone afterwards. A signature
by the key that the bundle itself names proves that nothing was changed since that key signed it, and not
whose key that is: for that the public key comes from the signer by another way (``vouched``). Raises
UserError for a file that is no bundle and for a key that does not open it; all else is a fault of the
bundle, with what follows from it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bench.errors import UserError
from bench.evidence import container, encryption
from bench.evidence.aggregates import CELLS, DERIVABLE, EXTERNAL, PLAN
from bench.evidence.container import MANIFEST, SIGNATURE, Fault, Unpacked
from bench.evidence.keys import fingerprint, public_pem, signs
from bench.evidence.manifest import SIGNER, Manifest, NoManifest, read_manifest

__all__ = ["Held", "follows", "opened"]

_HEAD = 64
_NEEDED = {
    "internal": ("run.json", "estimates.parquet", "judged.json", SIGNER),
    "external": (PLAN, CELLS, DERIVABLE, "estimates.parquet", "judged.json", SIGNER),
}


@dataclass(frozen=True)
class Held:
    """A bundle that was read: the folder its files lie in, its manifest if it has one, and its faults.

    ``vouched`` says whether it was held against a public key that came by another way.
    """

    path: Path
    folder: Path
    encrypted: bool
    manifest: Manifest | None
    files: dict[str, tuple[int, str]]
    faults: tuple[Fault, ...]
    vouched: bool

    @property
    def whole(self) -> bool:
        """Whether it is, to the byte, what was signed."""
        return self.manifest is not None and not self.faults


@contextmanager
def opened(path: Path, opener: encryption.Opener | None, key: Ed25519PublicKey | None) -> Iterator[Held]:
    """Read a bundle into a folder that lasts as long as the context, and check it."""
    head = _head(path)
    encrypted = head.startswith(encryption.MAGIC)
    if not encrypted and not head.startswith(container.MAGIC):
        raise _no_bundle(path, "it begins neither as a zip file nor as an age file")
    if not encrypted and opener is not None:
        raise UserError(
            str(path), "the bundle is not encrypted", "An external bundle needs no key to open",
            "Leave out --identity and --passphrase-file",
        )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="affectbench-") as private:
        folder = Path(private) / "bundle"
        folder.mkdir()
        try:
            plain = _decrypted(path, Path(private), opener) if encrypted else path
        except encryption.Locked as locked:
            yield Held(path, folder, encrypted, None, {}, (Fault("", str(locked)),), key is not None)
            return
        if MANIFEST.encode() not in _head(plain):
            raise _no_bundle(path, f"its first member is not {MANIFEST}")
        unpacked = container.unpack(plain, folder)
        if encrypted:
            plain.unlink()
        manifest, faults = _checked(unpacked, folder, key)
        yield Held(path, folder, encrypted, manifest, unpacked.files, faults, key is not None)


def follows(path: str) -> str:
    """What follows for the reader where a file of a bundle is not what was signed.

    >>> follows("targets/fer2013.parquet")
    'numbers on fer2013 can no longer be traced'
    """
    for pattern, text in _FOLLOWS:
        if found := re.fullmatch(pattern, path):
            return text.format(*found.groups())
    return "it is no part of the evidence"


_FOLLOWS = (
    ("", "nothing in the bundle can be relied on"),
    (re.escape(MANIFEST), "no file of the bundle can be traced to who signed it"),
    (re.escape(SIGNATURE), "nobody is known to have signed what the manifest says"),
    (re.escape(SIGNER), "whose signature it is cannot be told"),
    ("(?:run|plan).json", "by which plan the numbers were made can no longer be told"),
    ("lock.json", "that the plan was made before the run can no longer be told"),
    (r"targets/(.*)\.parquet", "numbers on {} can no longer be traced"),
    (r"cells/([^/]*)/([^/]*)/([^/]*)/.*", "the numbers of {} on {} under {} can no longer be traced"),
    ("cells.json", "which predictions the numbers are of can no longer be told"),
    ("estimates.parquet", "none of its numbers can be relied on"),
    ("curves.parquet", "reliability and risk-coverage can no longer be relied on"),
    ("latency.json", "how fast the models are can no longer be told"),
    ("judged.json", "which results the run was judged with can no longer be told"),
    (r"(report|audit)\..*", "what this page shows may not be what was judged"),
    ("derivable.json", "what the bundle says of what follows from it cannot be relied on"),
)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise UserError(
            str(path), f"it cannot be read: {error.strerror}", "A run's folder, or a bundle of one",
            "Correct the path",
        ) from None  # fmt: skip


def _no_bundle(path: Path, found: str) -> UserError:
    return UserError(
        str(path), f"this is no bundle, or its first bytes were changed: {found}",
        "A bundle is a file that 'affectbench audit RUN --bundle' wrote", "Correct the path, or get it again",
    )  # fmt: skip


def _decrypted(path: Path, private: Path, opener: encryption.Opener | None) -> Path:
    plain = private / "plain"
    with plain.open("xb") as sink:
        encryption.decrypt(path, sink, opener)
    return plain


def _checked(
    unpacked: Unpacked, folder: Path, key: Ed25519PublicKey | None
) -> tuple[Manifest | None, tuple[Fault, ...]]:
    """The manifest, and the faults of container, signature and files: one a file, what says most first."""
    if MANIFEST not in unpacked.files:
        return None, unpacked.faults or (Fault(MANIFEST, "it is not there"),)
    try:
        manifest = read_manifest((folder / MANIFEST).read_bytes())
    except NoManifest as error:
        return None, (Fault(MANIFEST, f"it is no manifest: {error}"),)
    found = [*_unsigned(unpacked, folder, manifest, key), *_differing(unpacked, manifest), *unpacked.faults]
    return manifest, tuple({fault.path: fault for fault in reversed(found)}.values())[::-1]


def _unsigned(
    unpacked: Unpacked, folder: Path, manifest: Manifest, key: Ed25519PublicKey | None
) -> Iterator[Fault]:
    """Whether the manifest is signed by the key that it names and, where one is given, by that."""
    named = _public(folder / SIGNER) if SIGNER in unpacked.files else None
    own = named is not None and fingerprint(named) == manifest.signer
    if not own and (unpacked.ended or SIGNER in unpacked.files):
        yield Fault(SIGNER, "it is not the key that the manifest names")
    elif key is not None and fingerprint(key) != manifest.signer:
        yield Fault(SIGNER, f"{manifest.signer} signed it, and not the key given, {fingerprint(key)}")
    by = named if own else key
    if SIGNATURE in unpacked.files and by is not None:
        signature = (folder / SIGNATURE).read_bytes()
        if not signs(by, signature, (folder / MANIFEST).read_bytes()):
            yield Fault(SIGNATURE, f"it does not hold: it or {MANIFEST} was changed")
    elif unpacked.ended and SIGNATURE not in unpacked.files:
        yield Fault(SIGNATURE, "it is not there")


def _public(path: Path) -> Ed25519PublicKey | None:
    """The key in a file that is written as ``public_pem`` writes it."""
    data = path.read_bytes()
    try:
        key = load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey) and public_pem(key) == data else None


def _differing(unpacked: Unpacked, manifest: Manifest) -> Iterator[Fault]:
    """Files that are not as the manifest says, are missing, or are not in it."""
    stated = {file.path: (file.size, file.sha256) for file in manifest.files}
    if len(stated) < len(manifest.files):
        yield Fault(MANIFEST, "it names a file twice")
    for path, held in unpacked.files.items():
        if path in stated and held != stated[path]:
            yield Fault(path, "its digest differs from the one that was signed")
        elif path not in stated and path not in (MANIFEST, SIGNATURE):
            yield Fault(path, "it is not in the manifest")
    if unpacked.ended:  # else what lies behind the first fault is not known
        yield from _missing(unpacked, manifest, stated.keys())


def _missing(unpacked: Unpacked, manifest: Manifest, stated: Set[str]) -> Iterator[Fault]:
    for path in sorted(stated - unpacked.files.keys()):
        yield Fault(path, "it is in the manifest, and not in the bundle")
    for path in _NEEDED[manifest.bundle]:
        if path not in stated:
            yield Fault(path, f"an {manifest.bundle} bundle needs it, and the manifest has it not")
    if manifest.bundle == "external":
        for path in sorted(stated - set(EXTERNAL)):
            yield Fault(path, "an external bundle holds no such file")
