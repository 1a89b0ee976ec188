"""Data sets: one file and one line here each; ``open_data`` turns a folder into targets.

The dict below is the registry; nothing is registered by an import elsewhere, and an unknown name is refused.
"""

from __future__ import annotations

from pathlib import Path

from bench.errors import UserError, listed, nearest
from bench.predict.datasets.adapter import Adapter
from bench.predict.datasets.crema_d import CREMA_D
from bench.predict.datasets.fer2013 import FER2013
from bench.predict.datasets.ferplus import FERPLUS
from bench.predict.datasets.manifest import MANIFEST
from bench.predict.datasets.media import digest_media, media_path, require_media
from bench.spec import DataSource
from bench.tables import Targets

__all__ = ["ADAPTERS", "Adapter", "digest_media", "find_adapter", "media_path", "open_data", "require_media"]

ADAPTERS: dict[str, Adapter] = {
    "manifest": MANIFEST,
    "crema-d": CREMA_D,
    "fer2013": FER2013,
    "ferplus": FERPLUS,
}


def open_data(source: DataSource, root: Path) -> Targets:
    """The targets of one data set of a suite, its media under ``root``.

    Raises UserError for an unknown adapter or split and for a folder without the files of the data set.
    """
    adapter = find_adapter(source, source.key)
    if not root.is_dir():
        raise UserError(
            str(root), "there is no such folder", f"Data set {source.key!r} lies in a folder",
            "Correct the path",
        )  # fmt: skip
    return adapter.open(source, root)


def find_adapter(source: DataSource, where: str) -> Adapter:
    """The adapter that a data set of a suite names; UserError with the nearest name otherwise."""
    if source.adapter not in ADAPTERS:
        raise UserError(
            where, f"data set {source.adapter!r} is not known.{nearest(source.adapter, ADAPTERS)}",
            f"Known: {listed(ADAPTERS)}", "Name one of them, or use 'manifest' with a table of your own",
        )  # fmt: skip
    return ADAPTERS[source.adapter]
