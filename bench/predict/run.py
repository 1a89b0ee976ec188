"""The run loop: targets in batches, each medium decoded once, every cell served, parts written as they come.

``predict_cells`` is the loop; the rest of ``predict`` is its frame. Infrastructure is never a row: an error
of the machine ends the run, finished batches stay, and the same command goes on from there.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from bench.errors import MachineError, MediaFault
from bench.folder import RunFolder
from bench.predict.cell import Store
from bench.predict.clip import Clip
from bench.predict.datasets.media import media_path
from bench.predict.device import describe_environment, keep_freed_memory
from bench.predict.forward import harm_clip, predict_clips, to_rows
from bench.predict.front import FaceFinder, Tracker
from bench.predict.reader import Item, Medium, Reader, chunks
from bench.predict.rows import Hearing, frame_rows, prediction_rows
from bench.tables import Targets

__all__ = ["Options", "predict_cells"]

_HOPELESS = 32  # clips in one batch, none of them answered


@dataclass(frozen=True)
class Options:
    """How to run, as far as it must not change outputs."""

    device: torch.device
    workers: int = 2
    advance: Callable[[int], None] = lambda _: None


def predict_cells(run: RunFolder, stores: Sequence[Store], options: Options) -> None:
    """Finish every cell; ``options.advance`` is told the rows made (targets x cells)."""
    keep_freed_memory()
    with _strict_numbers():
        for group in _decoded_together(stores):
            began = time.monotonic()
            _predict_group(run, group, options)
            for store in group:
                store.finish(
                    {
                        "environment": describe_environment(options.device),
                        "precision": store.cell.precision,
                        "batch": store.batch,
                        "seconds": round(time.monotonic() - began, 3),
                    }
                )


def _predict_group(run: RunFolder, group: Sequence[Store], options: Options) -> None:
    """Make the parts that cells of one decoding lack, reading ahead over the ends of batches."""
    lacking = {b: [s for s in group if s.lacks(b)] for b in range(group[0].batches)}
    rows = [row for batch, stores in lacking.items() if stores for row in _rows(group[0], batch)]
    with Reader(len(rows), _media(group[0], rows), options.device, options.workers) as reader:
        begun = 0
        for batch, stores in lacking.items():
            size = len(_rows(group[0], batch))
            if stores:
                items = _counted(reader.read(range(begun, begun + size)), size, len(group), options)
                _Batch(stores, batch).write(run, items)
                begun += size
            else:
                options.advance(size * len(group))


def _counted(items: Iterator[Item], size: int, cells: int, options: Options) -> Iterator[Item]:
    """Pass items on, telling of every target that is behind."""
    behind = 0
    for place, item in items:
        if place > behind:
            options.advance((place - behind) * cells)
            behind = place
        yield place, item
    options.advance((size - behind) * cells)


class _Batch:
    """One batch of targets of one data set, heard by every cell that lacks it."""

    def __init__(self, stores: Sequence[Store], batch: int) -> None:
        self.stores, self.batch = stores, batch
        self.targets = stores[0].cell.targets
        names = self.targets.table["target"].take(list(_rows(stores[0], batch))).to_pylist()
        self.hearings = [[Hearing(name) for name in names] for _ in stores]
        self.faces: dict[tuple[int, int], Tracker] = {}
        self.errors: list[list[Exception]] = [[] for _ in stores]

    def write(self, run: RunFolder, items: Iterator[Item]) -> None:
        """Hear what was decoded, and write one part per cell."""
        for windows, faults in chunks(items):
            for _, cells in groupby(range(len(self.stores)), lambda i: self.stores[i].cell.harm):
                self._hear(windows, list(cells))
            for position, fault in faults:
                self._fail(position, fault)
        self._log_errors(run)
        for i, store in enumerate(self.stores):
            model, hearings = store.cell.model, self.hearings[i]
            tracks = [self._person(i, position) for position in range(len(hearings))]
            predictions = prediction_rows(model, hearings, tracks)
            store.write_part(self.batch, predictions, frame_rows(model, hearings))

    def _hear(self, windows: list[tuple[int, Clip]], cells: list[int]) -> None:
        """Serve the cells of one condition: the frame is perturbed once for all of them."""
        first = self.stores[cells[0]].cell
        harmed = [(p, harm_clip(clip, first.harm, "frame", first.seed)) for p, clip in windows]
        for i in cells:
            cell = self.stores[i].cell
            crops = self._find_faces(i, harmed)
            crops = [(p, harm_clip(clip, cell.harm, "crop", cell.seed)) for p, clip in crops]
            scores = predict_clips(cell.model, [clip for _, clip in crops])
            for (p, clip), heard in zip(crops, to_rows(cell.model, scores), strict=True):
                if isinstance(heard, Exception):
                    self.errors[i].append(heard)
                    self.hearings[i][p].fail("model_error", f"{type(heard).__name__} in the model")
                else:
                    self.hearings[i][p].hear(clip.track, *heard)

    def _find_faces(self, i: int, windows: list[tuple[int, Clip]]) -> list[tuple[int, Clip]]:
        """One clip per person and window; frames without a face are noted."""
        for p, clip in windows:
            self.hearings[i][p].frames += len(clip)
        finder = self._finder(i)
        if finder is None:
            return windows
        states = [self.faces.setdefault((i, p), finder.start()) for p, _ in windows]
        found = finder.find([(s, clip) for s, (_, clip) in zip(states, windows, strict=True)])
        for (p, clip), crops in zip(windows, found, strict=True):
            seen = {float(t) for crop in crops for t in crop.times}
            self.hearings[i][p].faceless += [float(t) for t in clip.times if float(t) not in seen]
        return [(p, crop) for (p, _), crops in zip(windows, found, strict=True) for crop in crops]

    def _person(self, i: int, position: int) -> int | None:
        finder = self._finder(i)
        if finder is None:
            return 0
        state = self.faces.get((i, position))
        return None if state is None else state.target()

    def _finder(self, i: int) -> FaceFinder | None:
        """Aligned media skip the front-end."""
        aligned = self.targets.facts.media_kind == "aligned"
        return None if aligned else self.stores[i].cell.model.finder

    def _fail(self, position: int, fault: MediaFault) -> None:
        for hearings in self.hearings:
            hearings[position].fail_decoding(fault)

    def _log_errors(self, run: RunFolder) -> None:
        """Write the first traceback a model gave; stop early where it fails on all of many clips."""
        for store, hearings, errors in zip(self.stores, self.hearings, self.errors, strict=True):
            if not errors:
                continue
            with run.log.open("a", encoding="utf-8") as log:
                log.write("".join(traceback.format_exception(errors[0])))
            if len(errors) >= _HOPELESS and not any(hearing.values for hearing in hearings):
                raise MachineError(
                    store.cell.model.name,
                    f"the model failed on all {len(errors)} clips of a batch, first with "
                    f"{type(errors[0]).__name__}",
                    "A model may fail on single clips, which then count as wrong",
                    f"See the traceback in {run.log}",
                )


def _decoded_together(stores: Sequence[Store]) -> Iterator[list[Store]]:
    """Cells that see the same frames of the same targets in the same batches, by condition."""

    def sight(store: Store) -> tuple[Any, ...]:
        pipeline = store.cell.model.pipeline
        return (store.cell.dataset, repr(pipeline.sampling), pipeline.sound_rate or 0, store.batch)

    for _, group in groupby(sorted(stores, key=sight), sight):
        yield sorted(group, key=lambda store: store.cell.harm.label)


def _rows(store: Store, batch: int) -> range:
    return range(batch * store.batch, min((batch + 1) * store.batch, len(store.cell.targets)))


def _media(store: Store, rows: Sequence[int]) -> Callable[[int], Medium]:
    """What to decode for the i-th of some rows of the targets, as the store's model samples it."""
    targets, pipeline = store.cell.targets, store.cell.model.pipeline
    names = {"target", "media", "media_bytes", "audio"} & set(targets.table.column_names)
    columns = {name: targets.table[name] for name in names}

    def medium(i: int) -> Medium:
        row = {name: column[rows[i]].as_py() for name, column in columns.items()}
        held = row.get("media_bytes")
        source = _path(targets, row["media"]) if held is None else held
        sound = _path(targets, row["audio"]) if row.get("audio") and pipeline.sound_rate else None
        return Medium(row["target"], source, pipeline.sampling, pipeline.sound_rate, sound)

    return medium


def _path(targets: Targets, name: str) -> Path:
    assert targets.root is not None
    return media_path(targets.root, name, targets.facts.name)


@contextmanager
def _strict_numbers() -> Iterator[None]:
    """No TF32 and no autotuned kernels: the same device and settings give the same bytes."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = (cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark, matmul.allow_tf32)
    cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark, matmul.allow_tf32 = False, True, False, False
    try:
        yield
    finally:
        cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark, matmul.allow_tf32 = before
