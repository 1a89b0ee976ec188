"""The container of a bundle: a zip of stored members of which every byte is determined by names and contents.

Members are not compressed, have no dates and stand in one order, the manifest and its signature first. Any
zip program reads it; here it is read strictly from its first byte to its last, so that no byte is left that
nobody looks at: what differs in one byte from how these members are written is a fault, and nothing is
compressed that could grow. Names are plain and relative. At most 65,535 members and 4 GiB, without the
extensions for more. Source: APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from bench.errors import MachineError, UserError, counted
from bench.evidence.paths import unfit

__all__ = [
    "LIMIT", "MAGIC", "MANIFEST", "SIGNATURE", "Fault", "Member", "Unpacked", "member", "order", "pack",
    "stream", "unpack",
]  # fmt: skip

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
MAGIC = b"PK\x03\x04"
LIMIT = (1 << 32) - 1
"""Bytes of a member, and of a whole container."""

_MEMBERS = (1 << 16) - 1
_BLOCK = 1 << 20
_LOCAL, _CENTRAL, _END = "<4s5H3I2H", "<4s6H3I5H2I", "<4s4H2IH"
_CENTRAL_MAGIC, _END_MAGIC = b"PK\x01\x02", b"PK\x05\x06"
_VERSION, _UNIX, _DATE, _FILE = 20, 3 << 8 | 20, 1 << 5 | 1, 0o100644 << 16  # 1980-01-01, -rw-r--r--


@dataclass(frozen=True)
class Member:
    """A file of a bundle before it is written: its name there, its content, and what its header says."""

    path: str
    source: Path | bytes = field(repr=False)
    size: int
    sha256: str
    crc: int

    def blocks(self) -> Iterator[bytes]:
        """The content; MachineError where a file is not what it was when it was looked at."""
        crc = size = 0
        with io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb") as file:
            while block := file.read(_BLOCK):
                crc, size = zlib.crc32(block, crc), size + len(block)
                yield block
        if (crc, size) != (self.crc, self.size):
            raise MachineError(
                self.path, "it changed while it was bundled", "A finished run does not change",
                "Bundle it again when nothing is at work in the run",
            )  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """What is wrong, and in which file of a bundle: its path, or ``""`` for the container as a whole."""

    path: str
    found: str


@dataclass(frozen=True)
class Unpacked:
    """What was read of a container: size and sha256 of each member in order, and the faults found.

    ``ended`` says whether it could be read to its end.
    """

    files: dict[str, tuple[int, str]]
    faults: tuple[Fault, ...]
    ended: bool = True


class _BrokenError(Exception):
    """The container cannot be read on from here."""

    def __init__(self, path: str, found: str) -> None:
        self.fault = Fault(path, found)
        super().__init__(found)


def member(path: str, source: Path | bytes) -> Member:
    """A file or bytes as a member; UserError for a name that could not be read back anywhere."""
    if found := unfit(path):
        raise UserError(
            path, found, "Members of a bundle have plain relative names", "Name the model or data otherwise"
        )
    sha256, crc, size = hashlib.sha256(), 0, 0
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        while block := file.read(_BLOCK):
            sha256.update(block)
            crc, size = zlib.crc32(block, crc), size + len(block)
    return Member(path, source, size, sha256.hexdigest(), crc)


def order(path: str) -> tuple[int, str]:
    """Where a member stands: the manifest first, then its signature, then by name."""
    return {MANIFEST: 0, SIGNATURE: 1}.get(path, 2), path


def stream(members: Sequence[Member]) -> Iterator[bytes]:
    """The bytes of the container, in blocks; UserError where it would be too large or two names too alike."""
    ordered = sorted(members, key=lambda each: order(each.path))
    _require_room(ordered)
    offset, central = 0, bytearray()
    for each in ordered:
        yield (header := _local(each.path, each.size, each.crc))
        yield from each.blocks()
        central += _entry(each.path, each.size, each.crc, offset)
        offset += len(header) + each.size
    yield bytes(central) + _end(len(ordered), len(central), offset)


def pack(members: Sequence[Member], sink: BinaryIO) -> None:
    """Write the container; raises as ``stream``."""
    for block in stream(members):
        sink.write(block)


def unpack(path: Path, folder: Path) -> Unpacked:
    """Read a container, every byte of it, into an empty folder; faults are said and nothing is raised.

    A structure that is not as ``stream`` writes it ends the reading there. No name leaves the folder.
    """
    size = path.stat().st_size
    files: dict[str, tuple[int, str]] = {}
    faults: list[Fault] = []
    if size > LIMIT:
        found = f"it has {size:,} bytes; a bundle has at most {LIMIT:,}"
        return Unpacked({}, (Fault("", found),), ended=False)
    with path.open("rb") as file:
        try:
            faults.extend(_read(file, size, folder, files))
        except _BrokenError as broken:
            return Unpacked(files, (*faults, broken.fault), ended=False)
    return Unpacked(files, tuple(faults))


def _read(file: BinaryIO, size: int, folder: Path, files: dict[str, tuple[int, str]]) -> Iterator[Fault]:
    central, seen = bytearray(), _Seen()
    while True:
        offset = file.tell()
        if file.read(4) != MAGIC:
            break
        if len(files) == _MEMBERS:
            raise _BrokenError("", f"it has more than {_MEMBERS:,} members")
        name, length, stated = _header(file, offset, size, seen)
        seen.add(name)
        sha256, crc = _extract(file, folder / name, length)
        files[name] = length, sha256
        if crc != stated:
            yield Fault(name, "its content is not what its zip header was written for")
        central += _entry(name, length, stated, offset)
    _require_end(file, offset, bytes(central) + _end(len(files), len(central), offset), list(files))


class _Seen:
    """The names so far, each different from the others on any file system, in their order."""

    def __init__(self) -> None:
        self.last: str | None = None
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def add(self, name: str) -> None:
        """Take a name; _BrokenError where it is not one of its own or not in its place."""
        alike = name.casefold()
        folders = {alike[: found.start()] for found in re.finditer("/", alike)}
        if alike in self._files:
            raise _BrokenError(
                name, "there are two members of this name, or of names that differ in case alone"
            )
        if alike in self._folders or folders & self._files:
            raise _BrokenError(name, "there is a file and a folder of one name")
        if self.last is not None and order(name) <= order(self.last):
            raise _BrokenError(
                name, f"it stands after {self.last}; members stand in order, the manifest first"
            )
        self.last = name
        self._files.add(alike)
        self._folders |= folders


def _header(file: BinaryIO, offset: int, size: int, seen: _Seen) -> tuple[str, int, int]:
    """The name, length and checksum in a local header that is as ``_local`` writes it."""
    head = MAGIC + file.read(struct.calcsize(_LOCAL) - 4)
    if len(head) < struct.calcsize(_LOCAL):
        raise _BrokenError("", f"it ends within a header, after {seen.last or 'its start'}")
    _, _, flags, method, _, _, crc, _, length, spelt, _ = struct.unpack(_LOCAL, head)
    raw = file.read(spelt)
    name = raw.decode("ascii", "backslashreplace")
    if found := unfit(name):
        raise _BrokenError("", f"a member is named {name[:80]!r}: {found}")
    if flags & 1:
        raise _BrokenError(name, "the member is encrypted by zip; a bundle is encrypted as a whole")
    if method:
        raise _BrokenError(name, "the member is compressed; the members of a bundle are stored as they are")
    left = max(size - file.tell(), 0)
    if length > left:
        raise _BrokenError(name, f"its header says {length:,} bytes, and {left:,} follow")
    if head + raw != _local(name, length, crc):
        raise _BrokenError(name, f"its zip header, at byte {offset:,}, is not as a bundle has it")
    return name, length, crc


def _extract(file: BinaryIO, path: Path, length: int) -> tuple[str, int]:
    """Write the next bytes to a new file; their sha256 and checksum."""
    sha256, crc, left = hashlib.sha256(), 0, length
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as sink:
        while left and (block := file.read(min(left, _BLOCK))):
            sha256.update(block)
            crc, left = zlib.crc32(block, crc), left - len(block)
            sink.write(block)
    return sha256.hexdigest(), crc


def _require_end(file: BinaryIO, offset: int, wanted: bytes, names: list[str]) -> None:
    """The rest of the file is the directory of the members that were read, byte for byte, and no more."""
    file.seek(offset)
    found = file.read(len(wanted) + 1)
    if found == wanted:
        return
    last = names[-1] if names else "its start"
    if found[:4] not in (_CENTRAL_MAGIC, _END_MAGIC):
        raise _BrokenError(
            "", f"what follows {last}, at byte {offset:,}, is neither a member nor the zip directory"
        )
    if wanted.startswith(found):
        raise _BrokenError("", "it is cut short: its zip directory is not whole")
    if found.startswith(wanted):
        raise _BrokenError("", "bytes follow its end")
    at = next(n for n, (one, other) in enumerate(zip(found, wanted, strict=False)) if one != other)
    raise _BrokenError(
        _listed_at(at, names), f"its zip directory, at byte {offset + at:,}, is not that of its members"
    )


def _listed_at(at: int, names: list[str]) -> str:
    """The member whose entry of the directory holds a byte; none for the end record."""
    for name in names:
        at -= struct.calcsize(_CENTRAL) + len(name)
        if at < 0:
            return name
    return ""


def _require_room(members: Sequence[Member]) -> None:
    fixed = struct.calcsize(_LOCAL) + struct.calcsize(_CENTRAL)
    size = struct.calcsize(_END) + sum(fixed + 2 * len(each.path) + each.size for each in members)
    if size > LIMIT or len(members) > _MEMBERS:
        raise UserError(
            "--bundle", f"it would have {counted(len(members), 'file')} and {size:,} bytes",
            f"A bundle has at most {_MEMBERS:,} files and {LIMIT:,} bytes",
            "Bundle runs of fewer models each",
        )  # fmt: skip
    seen: dict[str, str] = {}
    for each in members:
        other = seen.setdefault(each.path.casefold(), each.path)
        if other is not each.path:
            raise UserError(
                each.path, f"beside it is {other!r}, which differs in case alone or not at all",
                "Names in a bundle are different on every file system", "Name the model or data otherwise",
            )  # fmt: skip


def _local(name: str, size: int, crc: int) -> bytes:
    fields = MAGIC, _VERSION, 0, 0, 0, _DATE, crc, size, size, len(name), 0
    return struct.pack(_LOCAL, *fields) + name.encode("ascii")


def _entry(name: str, size: int, crc: int, offset: int) -> bytes:
    head = _CENTRAL_MAGIC, _UNIX, _VERSION, 0, 0, 0, _DATE, crc, size, size, len(name), 0, 0, 0, 0
    return struct.pack(_CENTRAL, *head, _FILE, offset) + name.encode("ascii")


def _end(count: int, size: int, offset: int) -> bytes:
    return struct.pack(_END, _END_MAGIC, 0, 0, count, count, size, offset, 0)
