"""A batch of targets on its way through a run: what each cell hears of them, and the part it becomes.

Windows travel in chunks. ``detect`` of a chunk depends on nothing else, so that threads may do it; ``ask``
goes by what came before, so that it is gone through one chunk after the other, and what it hands out is
called by one thread, in order.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

from bench.errors import MachineError, MediaFault
from bench.folder import RunFolder
from bench.predict.cell import Cell, Harmed, Store
from bench.predict.clip import Clip
from bench.predict.device import one_thread
from bench.predict.face_cache import FaceCache
from bench.predict.faces import Faces
from bench.predict.forward import harm_clip, harm_faces, predict_clips, to_rows
from bench.predict.front import FaceFinder, Persons
from bench.predict.given import Given, Move
from bench.predict.perturb import find_perturbation
from bench.predict.perturb.face import FaceClip
from bench.predict.reader import Item, chunks
from bench.predict.remembered import Remembered
from bench.predict.rows import Hearings, Rows, frame_rows, prediction_rows
from bench.predict.scene import Scene
from bench.tables.places import given_places

__all__ = ["Batch", "Chunk", "Heard", "given_of"]

_HOPELESS = 32  # clips in one batch, none of them answered


class Batch:
    """Some targets of one data set and the cells that lack them."""

    def __init__(self, stores: Sequence[Store], number: int, cache: FaceCache | None = None) -> None:
        self.stores, self.number = stores, number
        first = stores[0]
        names = first.cell.targets.table["target"].take(list(first.rows(number))).to_pylist()
        self.hearings = [Hearings(store.cell.model, names) for store in stores]
        self.given = [given_of(store.cell, first.rows(number), names) for store in stores]
        self.persons: dict[tuple[int, int], Persons] = {}
        self.errors: list[list[Exception]] = [[] for _ in stores]
        self.answered = [0] * len(stores)
        self.remembered = Remembered(cache, first.cell, first.rows(number))
        self.harmed = [Harmed() if store.cell.harm.of_face else None for store in stores]

    def chunks(self, items: Iterator[Item]) -> Iterator[Chunk]:
        """What was decoded, once for each condition, whose cells see the same; the last is empty."""
        conditions = groupby(range(len(self.stores)), lambda i: self.stores[i].cell.harm)
        cells = [list(places) for _, places in conditions]
        aligned = self.stores[0].cell.targets.facts.media_kind == "aligned"
        for windows, faults in chunks(items):
            seek = self.remembered.seek(None, [p for p, _ in windows])
            scene = Scene([clip for _, clip in windows], aligned=aligned, seek=seek)
            yield from (Chunk(self, places, windows, scene) for places in cells)
            yield Chunk(self, [], [], scene, faults)
        yield Chunk(self, [], [], Scene([], aligned=aligned), last=True)

    def finder(self, i: int) -> FaceFinder | None:
        """What finds the faces for cell i; aligned media skip the front-end."""
        cell = self.stores[i].cell
        return None if cell.targets.facts.media_kind == "aligned" else cell.model.finder

    def write(self, run: RunFolder) -> None:
        """Write one part per cell, and before them the faces found."""
        self.remembered.write()
        self._log_errors(run)
        for i, store in enumerate(self.stores):
            model, hearings = store.cell.model, self.hearings[i]
            ends = [self._end(i, place, hearing.frames) for place, hearing in enumerate(hearings.targets)]
            predictions = prediction_rows(model, hearings, ends, sought=self.finder(i) is not None)
            store.write_part(self.number, predictions, frame_rows(model, hearings), self.harmed[i])

    def _end(self, i: int, position: int, frames: int) -> tuple[int | None, str | None]:
        """The person that a target means, and the stage of the front-end that lost the target."""
        if self.finder(i) is None:
            return 0, None
        persons = self.persons.get((i, position), Persons())
        return persons.target(), persons.stage(frames)

    def _log_errors(self, run: RunFolder) -> None:
        """Write the first traceback a model gave; stop early where it fails on all of many clips."""
        for store, answered, errors in zip(self.stores, self.answered, self.errors, strict=True):
            if not errors:
                continue
            with run.log.open("a", encoding="utf-8") as log:
                log.write("".join(traceback.format_exception(errors[0])))
            if len(errors) >= _HOPELESS and not answered:
                raise MachineError(
                    store.cell.model.name,
                    f"the model failed on all {len(errors)} clips of a batch, first with "
                    f"{type(errors[0]).__name__}",
                    "A model may fail on single clips, which then count as wrong",
                    f"See the traceback in {run.log}",
                )


def given_of(cell: Cell, rows: range, names: Sequence[str]) -> list[Given]:
    """What is known beforehand of the faces of some rows, whose targets are named, under the condition."""
    harm, table = cell.harm, cell.targets.table.slice(rows.start, len(rows))
    done = find_perturbation(harm.name, harm.label) if harm.where == "frame" else None
    places = zip(names, given_places(table, "box"), given_places(table, "points"), strict=True)

    def move(name: str) -> Move | None:
        return None if done is None else partial(done.moved, which=(name, harm.severity, cell.seed))

    face, turned = cell.targets.facts.target_face, done is not None and done.turns_face
    return [
        Given(face, box, None if turned else points, cell.oracle, move(name)) for name, box, points in places
    ]


Placed = list[tuple[int, Clip]]
"""Clips, each with the place of its target in the batch."""

Failed = list[tuple[int, Exception]]
"""How a model failed on clips, each with the place of its target in the batch."""


@dataclass
class Chunk:
    """Windows of a batch under one condition, for the cells at ``cells``, and media that failed.

    ``scene``: the same windows, shared with the other conditions as long as this one changes no frame.
    """

    batch: Batch
    cells: list[int]
    windows: Placed
    scene: Scene
    faults: list[tuple[int, MediaFault]] = field(default_factory=list[tuple[int, MediaFault]])
    last: bool = False
    faces: list[list[list[Faces]] | None] = field(default_factory=list[list[list[Faces]] | None])
    harmed: Harmed = field(default_factory=Harmed)

    def detect(self) -> Chunk:
        """Perturb the frames, once for all cells, and detect the faces in them."""
        for i in self.cells[:1]:
            windows = self._harm(i, self.windows, "frame")
            if windows is not self.windows:
                cell, places = self.batch.stores[i].cell, [p for p, _ in windows]
                seek = self.batch.remembered.seek(cell, places)
                self.windows = windows
                self.scene = Scene([clip for _, clip in windows], aligned=False, seek=seek)
        for i in self.cells:
            finder = self.batch.finder(i)
            found = None if finder is None else self.scene.faces(finder)
            self.faces.append(None if found is None else self._substituted(i, found))
        return self

    def _substituted(self, i: int, found: list[list[Faces]]) -> list[list[Faces]]:
        """What an oracle makes of the faces of each frame of each window."""
        given = self.batch.given[i]
        return [
            [given[p].substitute(faces, clip.size) for faces in seen]
            for (p, clip), seen in zip(self.windows, found, strict=True)
        ]

    def ask(self) -> Iterator[Callable[[], Heard | Chunk]]:
        """What each cell's model is to be called with, one call a cell, and at last the chunk itself.

        Faces are tracked from the chunks before into this one and cut when a call is taken.
        """
        for i, faces in zip(self.cells, self.faces, strict=True):
            yield partial(self._predict, i, self.windows if faces is None else self._cut(i, faces))
        yield lambda: self

    def note(self) -> None:
        """Note the media that failed."""
        for hearings in self.batch.hearings:
            for p, fault in self.faults:
                hearings.targets[p].fail_decoding(fault)

    def _predict(self, i: int, crops: Placed) -> Heard:
        """Perturb the crops of a cell, and ask its model about them."""
        model = self.batch.stores[i].cell.model
        said = predict_clips(model, [clip for _, clip in self._harm(i, crops, "crop")])
        failed = [(p, s) for (p, _), s in zip(crops, said, strict=True) if isinstance(s, Exception)]
        rows = to_rows(model, [(p, clip.track) for p, clip in crops], said)
        return Heard(self, i, rows, failed, len(said) - len(failed), self.harmed)

    def _harm(self, i: int, clips: Placed, where: str) -> Placed:
        """What cell i sees here: its perturbation, if it acts ``where``, on windows or on crops of them."""
        cell = self.batch.stores[i].cell
        if cell.harm.where != where or not (cell.harm.of_picture or cell.harm.of_face):
            return clips
        if cell.harm.of_picture:
            with one_thread():
                return [(p, harm_clip(clip, cell.harm, cell.seed)) for p, clip in clips]
        fitted = self._fit(i, clips)
        with one_thread():
            faces = [harm_faces(one, cell.harm, cell.seed) for one in fitted]
        self.harmed = Harmed(sum(len(one.clip) for one in faces), sum(one.unfitted for one in faces))
        return [(p, one.clip) for (p, _), one in zip(clips, faces, strict=True)]

    def _fit(self, i: int, clips: Placed) -> list[FaceClip]:
        """The faces of windows, for all conditions at once, or of the crops that one model cut of them."""
        finder = self.batch.stores[i].cell.meshes
        assert finder is not None
        if clips is self.windows:
            return self.scene.fits(finder)
        return finder.find([clip for _, clip in clips], aligned=True)

    def _cut(self, i: int, faces: list[list[Faces]]) -> Placed:
        """One clip per person and window; frames without a face are noted."""
        finder, crops = self.batch.finder(i), []
        assert finder is not None
        for (p, clip), seen in zip(self.windows, faces, strict=True):
            persons = self.batch.persons.setdefault((i, p), finder.start(self.batch.given[i][p]))
            crops += [(p, crop) for crop in finder.cut(persons, clip, seen)]
            without = [float(time) for time, here in zip(clip.times, seen, strict=True) if not len(here)]
            self.batch.hearings[i].targets[p].faceless += without
        return crops


@dataclass(frozen=True)
class Heard:
    """What the model of cell i said of a chunk: rows, how it failed, clips answered, and what was harmed."""

    chunk: Chunk
    i: int
    rows: Rows
    failed: Failed
    answered: int
    harmed: Harmed

    def note(self) -> None:
        """Take it down."""
        batch, i = self.chunk.batch, self.i
        hearings = batch.hearings[i]
        for p, clip in self.chunk.windows:
            hearings.targets[p].frames += len(clip)
        if (harmed := batch.harmed[i]) is not None:
            batch.harmed[i] = harmed + self.harmed
        for p, error in self.failed:
            batch.errors[i].append(error)
            hearings.targets[p].fail("model_error", f"{type(error).__name__} in the model")
        batch.answered[i] += self.answered
        hearings.hear(self.rows)
