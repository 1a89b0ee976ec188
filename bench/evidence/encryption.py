"""Encryption of a whole bundle in the age format (age-encryption.org/v1), by the library pyrage.

To recipients (``age1...``) it is streamed; with a passphrase it is held in memory, which that library
wants, and therefore limited. What was changed in the ciphertext is found when it is decrypted, and nothing
of it is used. A file that no given key opens may be of another key, or its header was changed: these look
the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import BinaryIO

import pyrage

from bench.errors import UserError, counted
from bench.evidence.keys import write_secret

__all__ = [
    "MAGIC", "Locked", "Opener", "decrypt", "encrypt", "make_identity", "read_identities", "read_passphrase",
    "read_recipients", "wants_passphrase",
]  # fmt: skip

MAGIC = b"age-encryption.org/v1\n"
_SCRYPT = b"-> scrypt "
_IN_MEMORY = 512 << 20


@dataclass(frozen=True)
class Opener:
    """What opens a bundle, or whom it is for: recipients or identities, or a passphrase."""

    keys: tuple[pyrage.x25519.Recipient | pyrage.x25519.Identity, ...] = ()
    passphrase: str | None = None

    def __repr__(self) -> str:
        return "Opener(passphrase)" if self.passphrase is not None else f"Opener({len(self.keys)} keys)"


class Locked(Exception):  # noqa: N818 (a fault is data)
    """The content cannot be had: it was changed after it was encrypted; the text says what was seen."""


def make_identity(path: Path) -> str:
    """Write a new age identity; returns its recipient. UserError where a file is there or none can be."""
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    write_secret(path, f"# public key: {recipient}\n{identity}\n".encode())
    return recipient


def read_recipients(texts: Sequence[str]) -> Opener:
    """Recipients as they are written, ``age1...``; UserError for what is none."""
    found = []
    for text in texts:
        try:
            found.append(pyrage.x25519.Recipient.from_str(text))
        except pyrage.RecipientError:
            secret = text.upper().startswith("AGE-SECRET-KEY-")
            raise UserError(
                "--recipient", "this is a secret key" if secret else f"{text[:80]!r} is no recipient",
                "A recipient is the public key age1..., as 'affectbench key new --for encryption' prints it",
                "Correct it",
            ) from None  # fmt: skip
    return Opener(tuple(found))


def read_identities(path: Path) -> Opener:
    """The secret keys in a file, one a line, ``#`` before comments, as of age-keygen; UserError for none."""
    lines = [line.strip() for line in _text(path, "--identity").splitlines()]
    try:
        keys = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except pyrage.IdentityError:
        keys = []
    if not keys:
        raise UserError(
            f"--identity {path}", "it holds no secret key, or something else beside",
            "A file of lines AGE-SECRET-KEY-1..., as 'affectbench key new FILE --for encryption' writes it",
            "Correct the path",
        )  # fmt: skip
    return Opener(tuple(keys))


def read_passphrase(path: Path) -> Opener:
    """The first line of a file; UserError where it is empty or others follow."""
    lines = _text(path, "--passphrase-file").splitlines()
    if not lines or not lines[0] or any(lines[1:]):
        raise UserError(
            f"--passphrase-file {path}", f"it has {counted(len(lines), 'line')}" if lines else "it is empty",
            "A passphrase is one line, which is not empty", "Correct the file",
        )  # fmt: skip
    return Opener(passphrase=lines[0])


def encrypt(blocks: Iterable[bytes], size: int, sink: BinaryIO, to: Opener) -> None:
    """Write blocks of ``size`` bytes in all as an age file; UserError where a passphrase is for too many.

    What the blocks and the sink raise comes through.
    """
    if to.passphrase is not None:
        _require_small(size)
        sink.write(pyrage.passphrase.encrypt(b"".join(blocks), to.passphrase))
        return
    reader, writer = _Pulled(blocks), _Pushed(sink)
    try:
        pyrage.encrypt_io(BufferedReader(reader, 1 << 20), writer, list(to.keys))
    except pyrage.EncryptError as error:
        raise _first(error, reader.failure, writer.failure) from None


def wants_passphrase(path: Path) -> bool:
    """Whether a file is an age file that opens with a passphrase."""
    with path.open("rb") as file:
        return file.read(len(MAGIC) + len(_SCRYPT)) == MAGIC + _SCRYPT


def decrypt(path: Path, sink: BinaryIO, opener: Opener | None) -> None:
    """Write the content of an age file; Locked where it was changed, UserError for a key that is not its.

    What the sink raises comes through.
    """
    writer, opener = _Pushed(sink), _fitting(path, wants_passphrase(path), opener)
    with path.open("rb") as file:
        try:
            if opener.passphrase is None:
                pyrage.decrypt_io(file, writer, list(opener.keys))
            elif path.stat().st_size > 2 * _IN_MEMORY:
                raise Locked("it is larger than a bundle with a passphrase may be")
            else:
                writer.write(pyrage.passphrase.decrypt(file.read(), opener.passphrase))
        except (pyrage.DecryptError, OSError) as error:  # the latter for a chunk that was changed
            raise _first(_unopened(path, str(error).partition("\n")[0]), writer.failure) from None


def _require_small(size: int) -> None:
    if size > _IN_MEMORY:
        raise UserError(
            "--passphrase-file", f"the bundle has {size:,} bytes",
            f"With a passphrase it is held in memory, and has at most {_IN_MEMORY:,}", "Give a --recipient",
        )  # fmt: skip


def _first(error: Exception, *failures: BaseException | None) -> BaseException:
    """What our own side raised, which the library wraps as text, or else what the library did."""
    if "KeyboardInterrupt" in str(error):  # it may come before our own side is ready to keep it
        return KeyboardInterrupt()
    return next((failure for failure in failures if failure is not None), error)


def _fitting(path: Path, scrypt: bool, opener: Opener | None) -> Opener:  # noqa: FBT001 (a fact of the file)
    if opener is not None and (opener.passphrase is not None) == scrypt:
        return opener
    with_what = "a passphrase" if scrypt else "a key"
    flag = "--passphrase-file FILE" if scrypt else "--identity FILE"
    raise UserError(
        str(path), f"the bundle is encrypted with {with_what}", f"It opens with {flag}", f"Give {flag}"
    )


def _unopened(path: Path, said: str) -> Exception:
    """No key fits: the user's fault or a changed header; anything else is a change."""
    if any(
        words in said.lower() for words in ("no matching keys", "incorrect passphrase", "decryption failed")
    ):
        return UserError(
            str(path), "what was given does not open it: it is for another key, or its header was changed",
            "The key or passphrase that it was encrypted for", "Give that, or get the bundle again",
        )  # fmt: skip
    return Locked(f"it was changed or cut short after it was encrypted ({said})")


def _text(path: Path, flag: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        found = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UserError(f"{flag} {path}", str(found), "A text file", "Correct the path") from None


class _Pulled(RawIOBase):
    """Blocks as a file that is read: each is made when it is asked for; keeps what making one raised."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        super().__init__()
        self._blocks, self._left = iter(blocks), b""
        self.failure: BaseException | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            while not self._left:
                block = next(self._blocks, None)
                if block is None:
                    return 0
                self._left = block
        except BaseException as error:
            self.failure = error
            raise
        taken = self._left[: len(buffer)]
        buffer[: len(taken)] = taken
        self._left = self._left[len(taken) :]
        return len(taken)


class _Pushed:
    """A file that is written; keeps what writing raised."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self.failure: BaseException | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._sink.write(data)
        except BaseException as error:
            self.failure = error
            raise

    def flush(self) -> None:
        self._sink.flush()
