"""The site on disk: pages and files in one folder, whole or not at all.

::

    SITE/index.html                 the tables
    SITE/boards/board-N.html        accuracy, gaps, robustness, cost; every condition
    SITE/compare/board-N.html       every pair of models
    SITE/models/NAME.html           a model
    SITE/huggingface/NAME.yaml      its model-index
    SITE/leaderboard.{csv,json,parquet}
    SITE/site.json                  which files are the site's, with their digests

It is written beside its place and moved there. A folder that holds anything else is refused: whoever put a
file there wants to keep it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from bench import __version__
from bench.digest import digest_bytes
from bench.errors import UserError, listed
from bench.leaderboard.assemble import Leaderboard
from bench.leaderboard.board_page import board_page
from bench.leaderboard.compare import compare_page
from bench.leaderboard.downloads import downloads
from bench.leaderboard.index import index_page
from bench.leaderboard.model_index import model_index
from bench.leaderboard.model_page import model_page
from bench.report.site import render_page

__all__ = ["require_place", "write_site"]

_MARKER = "site.json"


def require_place(out: Path) -> None:
    """UserError unless a site may be written there: a new or empty folder, or one that holds a site alone."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir() or out.is_symlink():
        raise _occupied(out, "it is no folder")
    present = {path.relative_to(out).as_posix() for path in out.rglob("*") if not _is_folder(path)}
    if not present:
        return
    known = _known(out)
    if known is None:
        raise _occupied(out, "it holds files and no leaderboard")
    strange = sorted(present - known - {_MARKER})
    if strange:
        raise _occupied(out, f"it holds files that are not of the leaderboard: {listed(strange, 3)}")


def write_site(found: Leaderboard, out: Path) -> None:
    """Write the site in place of the one that was there; UserError as ``require_place``, nothing moved."""
    require_place(out)
    files = dict(_files(found))
    files[_MARKER] = _marker(files)
    out = out.absolute()
    partial = out.with_name(f".{out.name}.{os.getpid()}")
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    try:
        for name, data in files.items():
            path = partial / PurePosixPath(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        if out.exists():
            out.replace(old)
        partial.replace(out)
    except OSError as error:
        raise UserError(
            str(out), f"the site cannot be written: {error.strerror}", "A place that can be written",
            "Choose another --out",
        ) from None  # fmt: skip
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if old.exists() and not out.exists():
            old.replace(out)
        shutil.rmtree(old, ignore_errors=True)


def _files(found: Leaderboard) -> Iterator[tuple[str, bytes]]:
    yield "index.html", render_page(index_page(found)).encode()
    for table in found.tables:
        yield f"boards/{table.board.anchor}.html", render_page(board_page(found, table)).encode()
        if table.standing is not None and table.standing.pairs:
            yield f"compare/{table.board.anchor}.html", render_page(compare_page(found, table)).encode()
    for submission in found.submissions:
        yield f"models/{submission.slug}.html", render_page(model_page(found, submission)).encode()
        if not submission.model.double:
            yield f"huggingface/{submission.slug}.yaml", model_index(found, submission).encode()
    yield from downloads(found).items()


def _marker(files: dict[str, bytes]) -> bytes:
    held = {name: digest_bytes(data) for name, data in sorted(files.items())}
    content = {"kind": "leaderboard", "affectbench": __version__, "files": held}
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _known(out: Path) -> set[str] | None:
    """The files that the folder's marker names, None where it has no marker of a leaderboard."""
    try:
        content = json.loads((out / _MARKER).read_text(encoding="utf-8"))
        return set(content["files"]) if content["kind"] == "leaderboard" else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _occupied(out: Path, found: str) -> UserError:
    return UserError(
        f"--out {out}", found, "A new or empty folder, or one that holds a leaderboard alone",
        "Choose another folder, or move these files away",
    )  # fmt: skip
