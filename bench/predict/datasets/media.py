"""Media files of targets: where they lie, that all are there, and their digests.

A path that leaves the root, by being absolute, by ``..`` or by a link, is refused, and so is a table that
names a file which is not there: a run scores every row or does not start.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import pyarrow as pa

from bench.digest import digest_bytes, digest_file
from bench.errors import UserError, counted
from bench.tables import Targets
from bench.tables.files import require_columns, row_of

__all__ = ["digest_media", "media_path", "require_media"]

_POINTER = b"version https://git-lfs.github.com/"
_POINTER_SIZE = 200  # bytes; a git-lfs pointer is about 130
_BYTES = "media_bytes"
_OTHER = "give the folder they lie in (--root DIR with --targets, NAME=DIR with --data)"


def media_path(root: Path, media: str, where: str) -> Path:
    """The file that a table names, which need not exist; UserError where it lies outside the root.

    >>> media_path(Path("/data"), "faces/a.png", "T.csv row 1").as_posix()
    '/data/faces/a.png'
    """
    path = root / media
    if Path(media).is_absolute() or ".." in Path(media).parts or "\0" in media:
        raise UserError(
            where, f"path {media!r} leaves the data folder",
            f"Paths are relative to {root.absolute()} and stay in it",
            "Move the file into the folder and name it from there",
        )  # fmt: skip
    folder = _real(path.parent.absolute())
    real = Path(os.path.realpath(path)) if path.is_symlink() else folder / path.name
    if not real.is_relative_to(_real(root.absolute())):
        raise UserError(
            where,
            f"path {media!r} is, or passes, a link that leads out of the data folder, to {str(real)!r}",
            f"The files themselves lie in {root.absolute()}", f"Copy them there, or {_OTHER}",
        )  # fmt: skip
    return path


def require_media(targets: Targets) -> None:
    """Raise UserError unless every row has a medium: bytes, or a file under the root.

    The message names the column that is missing, or the first row without a medium and how many there are. A
    sound file that a row names must be there too; the pointer that git-lfs leaves in place of a file is none.
    """
    if _BYTES not in targets.table.column_names:
        require_columns(targets.table, ("media",), _table(targets))
    faults = {row: fault for row in range(len(targets)) if (fault := _fault(targets, row)) is not None}
    lack = "lacks its" if len(faults) == 1 else "lack their"
    for row, found in list(faults.items())[:1]:
        raise UserError(
            _where(targets, row), f"{found}; {len(faults)} of {counted(len(targets), 'row')} {lack} media",
            f"Every row names a file under {targets.root.absolute() if targets.root else 'the data folder'}",
            f"Fetch the missing files, correct the table, or {_OTHER}",
        )  # fmt: skip


def digest_media(targets: Targets) -> Targets:
    """The same targets with the sha256 of every medium, and of every sound file of its own.

    ``sha256`` is filled from bytes or file and ``audio_sha256`` from the sound file; null where the row has
    none. A digest that the table already gives is checked: UserError where the file has another one, and
    where a file is not there.
    """
    table = targets.table
    if _BYTES in table.column_names or "media" in table.column_names:
        table = _filled(targets, table, "sha256", partial(_medium, targets))
    if "audio" in table.column_names:
        table = _filled(targets, table, "audio_sha256", partial(_file, targets, "audio"))
    return replace(targets, table=table)


def _filled(
    targets: Targets, table: pa.Table, name: str, medium: Callable[[int], bytes | Path | None]
) -> pa.Table:
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(lambda row: _digest(medium(row), targets, row), range(len(targets))))
    column = pa.array(digests, pa.string())
    if name not in table.column_names:
        return table.append_column(name, column)
    for row, (found, said) in enumerate(zip(digests, table[name].to_pylist(), strict=True)):
        if said is not None and said.lower() != found:
            raise UserError(
                _where(targets, row),
                f"{_named(targets, row, name)} has sha256 {found or 'none'}; the table says {said}",
                "A medium is the one that was labelled",
                "Fetch the file again, or correct the table if the file is right",
            )
    return table.set_column(table.column_names.index(name), name, column)


def _digest(medium: bytes | Path | None, targets: Targets, row: int) -> str | None:
    if isinstance(medium, Path):
        if not medium.is_file():
            raise UserError(
                _where(targets, row), f"there is no file {str(medium)!r}", "Every row names a file",
                "Fetch the missing file, or correct the table",
            )  # fmt: skip
        return digest_file(medium)
    return None if medium is None else digest_bytes(medium)


def _fault(targets: Targets, row: int) -> str | None:
    """What is wrong with the media of a row, None if nothing."""
    medium = _medium(targets, row)
    if medium is None:
        return "the row names no medium"
    for path in (medium, _file(targets, "audio", row)):
        if isinstance(path, Path):
            if not path.is_file():
                return f"there is no file {str(path)!r}"
            if _is_pointer(path):
                return f"{str(path)!r} is a git-lfs pointer, not the file itself"
    return None


def _is_pointer(path: Path) -> bool:
    if path.stat().st_size > _POINTER_SIZE:
        return False
    return path.read_bytes().startswith(_POINTER)


def _medium(targets: Targets, row: int) -> bytes | Path | None:
    if _BYTES in targets.table.column_names:
        held: bytes | None = targets.table[_BYTES][row].as_py()
        if held is not None:
            return held
    return _file(targets, "media", row)


def _file(targets: Targets, column: str, row: int) -> Path | None:
    name = targets.table[column][row].as_py() if column in targets.table.column_names else None
    if name is None:
        return None
    if targets.root is None:
        raise UserError(
            _where(targets, row), f"path {name!r} has no folder", "Paths are relative to the data folder",
            "Say where the media lie with --root DIR",
        )  # fmt: skip
    return media_path(targets.root, name, _where(targets, row))


def _where(targets: Targets, row: int) -> str:
    return row_of(_table(targets), row)


def _table(targets: Targets) -> str:
    """The table as messages name it."""
    return targets.where or targets.facts.name


def _named(targets: Targets, row: int, digest: str) -> str:
    column = {"sha256": "media", "audio_sha256": "audio"}[digest]
    name = targets.table[column][row].as_py() if column in targets.table.column_names else None
    return "the medium" if name is None else repr(name)


@lru_cache(maxsize=65_536)
def _real(folder: Path) -> Path:
    return Path(os.path.realpath(folder))
