"""Measure: what clean media show of each target's face, as attributes that slices can cut by.

Five frames a second, or the one of a still image, go through detector and tracker; head pose and appearance
are read off each face; a target's number is the median over the frames of the person it means, as a run
chooses that one. One row a target, in their order. A medium that does not decode, or without a face, is a row
that says so. Of aligned media the whole picture is the face: its pose is that of the whole picture, and the
detector only looks for the five points. Nothing here guesses race, ethnicity, age or sex.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from bench.errors import MediaFault
from bench.memory import keep_freed_memory
from bench.predict.ahead import ahead
from bench.predict.align import cut, squares
from bench.predict.appearance import INNER, NAMES, SIDE, looks
from bench.predict.clip import Clip, Sampling
from bench.predict.datasets.media import media_path
from bench.predict.device import strict_numbers
from bench.predict.faces import Faces, filling
from bench.predict.front import FaceFinder, Front, Persons
from bench.predict.given import Given
from bench.predict.pipeline import Build
from bench.predict.pose import Pose, mean_angles
from bench.predict.reader import Medium, Reader, chunks
from bench.predict.zoo import Zoo
from bench.tables import Targets
from bench.tables.places import given_places

__all__ = ["COLUMNS", "Instruments", "Sighting", "load_instruments", "measure"]

VERSION = 2
SAMPLING = Sampling(rate=5)
POSES = ("fsanet@1x1", "fsanet@var")
COLUMNS = ("yaw", "pitch", "roll", "face_size", *NAMES)
"""What is measured; after them ``measured`` says "ok", "no_face" or "decode_error"."""


@dataclass(frozen=True)
class Sighting:
    """The faces of a window: their frames, tracks, boxes and points as in ``Faces``; one row a face."""

    clip: Clip
    which: np.ndarray
    tracks: np.ndarray
    boxes: np.ndarray
    points: np.ndarray


@dataclass(frozen=True)
class Instruments:
    """What measures: a detector and head pose networks. ``described``: all that changes what they say."""

    finder: FaceFinder
    poses: tuple[Pose, ...]
    described: dict[str, Any]

    def read(self, sightings: Sequence[Sighting], *, aligned: bool = False) -> np.ndarray:
        """``COLUMNS`` of every face, float64 [N, 8]; NaN where undefined, as the size of an aligned face."""
        if not sum(len(seen.which) for seen in sightings):
            return np.empty((0, len(COLUMNS)))
        scenes = [
            (seen.clip.frames, seen.which, _whole(seen.boxes) if aligned else seen.boxes)
            for seen in sightings
        ]
        crops = [
            cut(seen.clip.frames, seen.which, squares(seen.boxes, seen.points, INNER), SIDE)
            for seen in sightings
        ]
        heights = [seen.boxes[:, 2:].max(1) / seen.clip.frames.shape[-2] for seen in sightings]
        size = np.full_like(np.concatenate(heights), np.nan) if aligned else np.concatenate(heights)
        angles, pixels = mean_angles(self.poses, scenes), torch.cat(crops)
        seen_as = looks(pixels, torch.from_numpy(angles[:, 0]).to(pixels.device))
        return np.column_stack([angles, size, seen_as.cpu().numpy()])


def load_instruments(zoo: Zoo, detector: str, device: torch.device) -> Instruments:
    """Find and build what measures; UserError for a name that is no detector, or weights not at hand."""
    request = Build(device, torch.float32)
    found = zoo.load_part(detector, "detector", request, ("--detector", "Name one of them"))
    poses = [zoo.load_part(name, "pose", request, ("measure", "Name one of them")) for name in POSES]
    described = {
        "version": VERSION,
        "sampling": SAMPLING.rate,
        "parts": [
            {"name": part.name, "weights": list(part.weights_sha256), "code": part.code_sha256}
            for part in (found, *poses)
        ],
    }
    finder = FaceFinder(Front(detector), found.built)
    return Instruments(finder, tuple(part.built for part in poses), described)


def measure(
    targets: Targets, instruments: Instruments, device: torch.device, workers: int = 2,
    advance: Callable[[int], None] = lambda _: None,
) -> pa.Table:  # fmt: skip
    """One row a target, in order: ``target``, ``COLUMNS`` float64 with null for undefined, ``measured``.

    Memory holds windows of frames, and of a medium in progress a few numbers a face; ``advance`` is told the
    targets that are done.
    """
    table = _Table(targets)
    finders = workers if device.type == "cpu" else 1
    each = max(1, torch.get_num_threads() // finders)
    keep_freed_memory()
    with strict_numbers(), Reader(len(targets), _media(targets), device, workers) as reader:
        calls = (_Chunk(instruments, *packed).detect for packed in chunks(reader.read(range(len(targets)))))
        with closing(ahead(calls, finders, each)) as detected:
            for chunk in detected:
                advance(table.take(chunk))
    advance(table.finish(len(targets)))
    return table.table(targets)


@dataclass
class _Chunk:
    """Windows of media, each with the place of its target, and media that failed."""

    instruments: Instruments
    windows: list[tuple[int, Clip]]
    faults: list[tuple[int, MediaFault]]
    faces: list[list[Faces]] = field(default_factory=list[list[Faces]])

    def detect(self) -> _Chunk:
        self.faces = self.instruments.finder.detect([clip for _, clip in self.windows])
        return self


@dataclass
class _Target:
    """What was seen of a target so far: numbers of its faces, each with the track it is of."""

    persons: Persons | None  # of an aligned picture there is one, and it is that
    tracks: list[np.ndarray] = field(default_factory=list[np.ndarray])
    values: list[np.ndarray] = field(default_factory=list[np.ndarray])
    fault: MediaFault | None = None

    def result(self) -> tuple[np.ndarray, str]:
        """``COLUMNS``, the median over frames of the person meant; and ``measured``."""
        if self.fault is not None:
            return np.full(len(COLUMNS), np.nan), self.fault.status
        person = 0 if self.persons is None else self.persons.target()
        seen = zip(self.tracks, self.values, strict=True)
        own = [] if person is None else [values[tracks == person] for tracks, values in seen]
        values = np.concatenate(own) if own else np.empty((0, len(COLUMNS)))
        return _medians(values), "ok" if len(values) else "no_face"


class _Table:
    """The rows of all targets, filled in order while few are in progress."""

    def __init__(self, targets: Targets) -> None:
        self._aligned, self._face = targets.facts.media_kind == "aligned", targets.facts.target_face
        self._boxes = given_places(targets.table, "box")
        self._values = np.full((len(targets), len(COLUMNS)), np.nan)
        self._said: list[str] = []
        self._begun: dict[int, _Target] = {}

    def take(self, chunk: _Chunk) -> int:
        """Take down a chunk; how many targets are done by it."""
        places = [place for place, _ in chunk.windows]
        sightings = [
            self._sighting(place, clip, faces)
            for (place, clip), faces in zip(chunk.windows, chunk.faces, strict=True)
        ]
        values = chunk.instruments.read(sightings, aligned=self._aligned)
        ends = np.cumsum([len(seen.which) for seen in sightings])
        for place, seen, end in zip(places, sightings, ends, strict=True):
            self._target(place).tracks.append(seen.tracks)
            self._target(place).values.append(values[end - len(seen.which) : end])
        for place, fault in chunk.faults:
            self._target(place).fault = fault
        return self.finish(max([*places, *(place for place, _ in chunk.faults)]))

    def finish(self, end: int) -> int:
        """End the targets before ``end``, of which nothing more comes; how many they are."""
        begun = len(self._said)
        for place in range(begun, end):
            self._values[place], said = self._target(place).result()
            del self._begun[place]
            self._said.append(said)
        return end - begun

    def table(self, targets: Targets) -> pa.Table:
        columns = {
            name: pa.array(self._values[:, place], pa.float64(), mask=np.isnan(self._values[:, place]))
            for place, name in enumerate(COLUMNS)
        }
        return pa.table({"target": targets.table["target"], **columns, "measured": self._said})

    def _target(self, place: int) -> _Target:
        if place not in self._begun:
            given = Given(self._face, self._boxes[place])
            self._begun[place] = _Target(None if self._aligned else Persons(given))
        return self._begun[place]

    def _sighting(self, place: int, clip: Clip, faces: Sequence[Faces]) -> Sighting:
        persons = self._target(place).persons
        if persons is None:
            return _filling(clip, faces)
        tracks = persons.meet(clip, faces)
        return Sighting(
            clip,
            np.repeat(np.arange(len(clip)), [len(found) for found in faces]),
            np.array([track for numbers in tracks for track in numbers], dtype=np.int64),
            np.concatenate([f.boxes for f in faces]).reshape(-1, 4),
            np.concatenate([f.points for f in faces]).reshape(-1, 5, 2),
        )


def _filling(clip: Clip, faces: Sequence[Faces]) -> Sighting:
    """One face a frame that fills the picture, with the points of the largest found if that is large."""
    whole = [filling(clip.frames.shape[-2:], found) for found in faces]
    boxes, points = np.concatenate([f.boxes for f in whole]), np.concatenate([f.points for f in whole])
    return Sighting(clip, np.arange(len(clip)), np.zeros(len(clip), dtype=np.int64), boxes, points)


def _whole(boxes: np.ndarray) -> np.ndarray:
    """The square around each box, complex128 [N, 2]."""
    return squares(boxes, np.full((len(boxes), 5, 2), np.nan), 0.0)


def _medians(values: np.ndarray) -> np.ndarray:
    """The median of each column [N, C] over its numbers; NaN where it has none."""
    columns: Iterator[np.ndarray] = (column[~np.isnan(column)] for column in values.T)
    return np.array([np.median(column) if len(column) else np.nan for column in columns])


def _media(targets: Targets) -> Callable[[int], Medium]:
    names = {"target", "media", "media_bytes"} & set(targets.table.column_names)
    columns = {name: targets.table[name] for name in names}

    def medium(i: int) -> Medium:
        row = {name: column[i].as_py() for name, column in columns.items()}
        source = row.get("media_bytes")
        if source is None:
            assert targets.root is not None
            source = media_path(targets.root, row["media"], targets.facts.name)
        return Medium(row["target"], source, SAMPLING)

    return medium
