"""Faces on disk: what detectors found, so that no later run need seek it again; a folder of bounded size.

Faces are biometric data. A file holds boxes, five points and scores alone: no pixels, no name of a target or
of a medium, and its own name is a digest. Folders are open to their owner alone (0700), files too (0600), and
the folder can be removed at any time.

A file is the sha256 of its key and of what follows, in hex, then a table in Parquet: one that is cut short,
damaged or has another's name is told before any of it is read, counts as absent and is written again. Nothing
here ends a run: what cannot be written costs one warning.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench.digest import digest_bytes
from bench.predict.lock import cache_folder

__all__ = ["MOST_BYTES", "FaceCache", "open_cache"]

MOST_BYTES = 4 << 30  # of all files together: about 30 million faces
_LEFT = 0.9  # of that, once old files had to go, so that they are not listed for every file written
_DIGITS = 64
_LOST = "warning: faces are not kept for later runs"


def open_cache(warn: Callable[[str], None]) -> FaceCache | None:
    """The cache beside the weights that were pulled; None, with a warning, for who has no home."""
    try:
        return FaceCache(cache_folder() / "faces", warn)
    except RuntimeError as error:
        warn(f"{_LOST}: {error}")
        return None


class FaceCache:
    """Tables by key, a sha256, in a folder; those not read for longest go first where they are too many.

    ``warn`` is told once, in a line, that nothing can be kept. ``recalled``: frames whose faces were taken
    from here, for whoever counts them.
    """

    def __init__(
        self, folder: Path, warn: Callable[[str], None] = lambda _: None, most: int = MOST_BYTES
    ) -> None:
        self._folder, self._warn, self._most = folder, warn, most
        self._room: int | None = None
        self._writable = True
        self.recalled = 0

    def read(self, key: str) -> pa.Table | None:
        """The table of a key, None where there is none that is whole; threads may ask at once."""
        path = self._path(key)
        try:
            data = path.read_bytes()
            if data[:_DIGITS] != _seal(key, data[_DIGITS:]):
                return None
            with pq.ParquetFile(pa.BufferReader(pa.py_buffer(data).slice(_DIGITS))) as file:
                table = file.read(use_threads=False)
        except (OSError, pa.ArrowException):  # the latter: written by a later Arrow
            return None
        with suppress(OSError):
            os.utime(path)
        return table

    def write(self, key: str, table: pa.Table) -> None:
        """Keep a table, under its name whole or not at all; one thread writes."""
        sink = pa.BufferOutputStream()
        pq.write_table(table.combine_chunks(), sink, compression="zstd", use_dictionary=False)
        data = sink.getvalue().to_pybytes()
        if not self._writable:
            return
        try:
            self._make_room(len(data) + _DIGITS)
            self._replace(self._path(key), _seal(key, data) + data)
        except OSError as error:
            self._writable = False
            cause = error.strerror or error
            self._warn(f"{_LOST}, in {self._folder}: {cause}")

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.faces"

    def _replace(self, path: Path, data: bytes) -> None:
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self._folder, path.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _make_room(self, size: int) -> None:
        """Remove the oldest files where one more of this size would be too much."""
        if self._room is None or self._room < size:
            files = sorted(_files(self._folder))
            taken = sum(held for _, held, _ in files)
            if taken + size > self._most:
                for _, held, path in files:
                    if taken + size <= _LEFT * self._most:
                        break
                    path.unlink(missing_ok=True)
                    taken -= held
            self._room = self._most - taken
        self._room -= size


def _files(folder: Path) -> list[tuple[int, int, Path]]:
    """Time of last use, size and path of each file, also of what a killed run left half written."""
    found = []
    for path in folder.glob("*/*"):
        with suppress(FileNotFoundError):  # another run made room, too
            stat = path.stat()
            found.append((stat.st_mtime_ns, stat.st_size, path))
    return found


def _seal(key: str, data: bytes) -> bytes:
    return digest_bytes(key.encode() + data).encode()
