"""The faces of a batch of targets, remembered: taken from the cache where a run before found them.

What is found depends on the frames, which are those of the media under a sampling and a condition on frames
or films, and on the detector: its weights and code, how often it looks, its device, the versions of what
computes. A file is of one chunk of windows, and all of that is its key, with the frames that were detected
together: rounding may depend on these, and results have the same bytes as without it. Which batch the chunk
was of is no part of it, so that another ``--batch`` finds what it packs alike: videos whose windows fill a
chunk, hardly stills. Nor is what is done to crops or sound, nor an oracle, which comes after. A detector of
which not all of that is known, or whose numbers are no float64, is asked every time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa

from bench.digest import digest_bytes, digest_json
from bench.predict.cell import DECODE_VERSION, Cell
from bench.predict.clip import Clip
from bench.predict.datasets.media import media_path
from bench.predict.device import versions
from bench.predict.face_cache import FaceCache
from bench.predict.faces import Faces
from bench.predict.front import FaceFinder
from bench.tables import Targets

__all__ = ["Remembered", "Seek", "pack", "unpack"]

VERSION = 2

Seek = Callable[[FaceFinder, Sequence[Clip]], list[list[Faces]]]
"""How the faces of every frame of every clip are come by."""

_SOFTWARE = (
    "affectbench", "av", "numpy", "onnxruntime", "opencv-python", "opencv-python-headless", "torch",
    "torchvision",
)  # fmt: skip
_SCHEMA = pa.schema(
    [
        ("place", pa.int32()),  # of the target among those of the chunk
        ("frame", pa.int64()),  # its number in the medium
        ("face", pa.int32()),  # best first from 0; -1 is a frame without any
        ("box", pa.list_(pa.float64(), 4)),
        ("score", pa.float64()),
        ("points", pa.list_(pa.float64(), 10)),
    ]
)


class Remembered:
    """What was found in the frames of a batch: the rows ``rows`` of the targets, as ``cell`` decodes them.

    ``cell`` is any of those that see the same decoding. Threads may seek in several chunks at once. Memory
    holds a few numbers a new face until the batch is written.
    """

    def __init__(self, faces: FaceCache | None, cell: Cell, rows: range) -> None:
        self._faces, self._cell, self._rows = faces, cell, rows
        self._lock = Lock()
        self._media: list[Any] | None = None
        self._new: dict[str, pa.Table] = {}
        self._recalled = 0

    def seek(self, cell: Cell | None, places: Sequence[int]) -> Seek:
        """What finds the faces in the windows of a chunk, which belong to the targets at ``places``.

        ``cell`` is one whose condition the frames show; None where they are as decoded.
        """
        cell = cell or (self._cell if self._cell.harm.of_film else None)
        return FaceFinder.detect if self._faces is None else partial(self._seek, cell, places)

    def write(self) -> None:
        """Keep what is new."""
        if self._faces is not None:
            for key, table in self._new.items():
                self._faces.write(key, table)
            self._faces.recalled += self._recalled

    def _seek(
        self, cell: Cell | None, places: Sequence[int], finder: FaceFinder, clips: Sequence[Clip]
    ) -> list[list[Faces]]:
        assert self._faces is not None
        targets = list(dict.fromkeys(places))
        ranks = [targets.index(place) for place in places]
        key = self._key(cell, finder, targets, list(zip(ranks, clips, strict=True)))
        if key is None:
            return finder.detect(clips)
        with self._lock:
            table = self._new.get(key)
        if table is None:
            table = self._faces.read(key)
        found = None if table is None else unpack(table, ranks, clips)
        if found is None:
            found = finder.detect(clips)
            if (table := pack(ranks, clips, found)) is not None:
                with self._lock:
                    self._new[key] = table
            return found
        with self._lock:
            self._recalled += sum(map(len, clips))
        return found

    def _key(
        self,
        cell: Cell | None,
        finder: FaceFinder,
        targets: Sequence[int],
        windows: Sequence[tuple[int, Clip]],
    ) -> str | None:
        """What tells these frames, and what seeks in them, from all others; None where nothing can.

        ``windows``: each with which of ``targets``, places in the batch, it belongs to.
        """
        detector = finder.describe()
        if detector is None or not windows:
            return None
        with self._lock:
            try:
                self._media = self._media or _media(self._cell.targets, self._rows)
            except OSError:  # gone since it was decoded
                return None
        sampling = self._cell.model.pipeline.sampling
        return digest_json(
            {
                "version": VERSION,
                "media": [self._media[place] for place in targets],
                "windows": [[rank, clip.index.tolist()] for rank, clip in windows],
                "decode": [DECODE_VERSION, sampling.rate, sampling.count],
                "condition": _condition(cell),
                "detector": detector,
                "software": _software(),
            }
        )


def pack(places: Sequence[int], clips: Sequence[Clip], found: Sequence[Sequence[Faces]]) -> pa.Table | None:
    """The faces of every frame of clips as rows, a frame without any as one; None unless all are float64."""
    frames = [faces for seen in found for faces in seen]
    if not all(_declared(faces) for faces in frames):
        return None
    none = Faces(np.full((1, 4), np.nan), np.full((1, 5, 2), np.nan), np.full(1, np.nan))
    rows = [faces if len(faces) else none for faces in frames]
    counts = [len(faces) for faces in rows]
    ranks = [np.arange(len(faces)) if len(faces) else np.array([-1]) for faces in frames]
    place, frame = _frames(places, clips)
    columns = [
        place.repeat(counts),
        frame.repeat(counts),
        np.concatenate(ranks),
        pa.FixedSizeListArray.from_arrays(np.concatenate([faces.boxes for faces in rows]).ravel(), 4),
        np.concatenate([faces.scores for faces in rows]),
        pa.FixedSizeListArray.from_arrays(np.concatenate([faces.points for faces in rows]).ravel(), 10),
    ]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA)


def unpack(table: pa.Table, places: Sequence[int], clips: Sequence[Clip]) -> list[list[Faces]] | None:
    """The faces of every frame of clips, from the rows of a chunk; None where those are of others."""
    ranks = table["face"].to_numpy()
    starts = np.flatnonzero(ranks <= 0)
    asked = _frames(places, clips)
    held = (table[name].to_numpy()[starts] for name in ("place", "frame"))
    if not all(np.array_equal(one, other) for one, other in zip(asked, held, strict=True)):
        return None
    boxes, points = (
        table[name].combine_chunks().flatten().to_numpy().reshape(-1, *shape).copy()
        for name, shape in (("box", (4,)), ("points", (5, 2)))
    )
    scores = table["score"].to_numpy().copy()
    ends = np.where(ranks[starts] < 0, starts, np.append(starts[1:], len(ranks)))
    faces = (Faces(boxes[i:j], points[i:j], scores[i:j]) for i, j in zip(starts, ends, strict=True))
    return [[next(faces) for _ in range(len(clip))] for clip in clips]


def _frames(places: Sequence[int], clips: Sequence[Clip]) -> tuple[np.ndarray, np.ndarray]:
    """The target and the number of every frame of clips."""
    sizes = [len(clip) for clip in clips]
    return np.repeat(np.asarray(places), sizes), np.concatenate([clip.index for clip in clips])


def _declared(faces: Faces) -> bool:
    count = len(faces)
    shapes = {"boxes": (count, 4), "points": (count, 5, 2), "scores": (count,)}
    held = {name: getattr(faces, name) for name in shapes}
    return all(held[name].shape == shape and held[name].dtype == np.float64 for name, shape in shapes.items())


def _condition(cell: Cell | None) -> dict[str, Any]:
    """What was done to the frames before faces were sought in them."""
    if cell is None:
        return {}
    meshes = {} if cell.meshes is None else {"meshes": cell.meshes.described}
    return {**cell.harm.describe(), "severity": cell.harm.severity, "seed": cell.seed, **meshes}


def _media(targets: Targets, rows: range) -> list[Any]:
    """What tells the media of some targets from all others, by target; OSError for a file that is gone."""
    table = targets.table.slice(rows.start, len(rows))
    kept = [n for n in ("target", "media", "media_bytes", "sha256") if n in table.column_names]
    return [_medium(row, targets) for row in table.select(kept).to_pylist()]


def _medium(row: dict[str, Any], targets: Targets) -> list[Any]:
    """A copy elsewhere is the same medium, where its digest is known."""
    sha256, held = row.get("sha256"), row.get("media_bytes")
    if held is not None:
        return [row["target"], sha256 or digest_bytes(held)]
    assert targets.root is not None
    path = media_path(targets.root, row["media"], targets.facts.name)
    stat = path.stat()
    return [row["target"], sha256 or str(path.resolve()), stat.st_size, stat.st_mtime_ns]


@cache
def _software() -> dict[str, str]:
    return versions(_SOFTWARE)
