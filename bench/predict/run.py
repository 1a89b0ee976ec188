"""The run loop: targets in batches, each medium decoded once, every cell served, parts written as they come.

``predict_cells`` is the loop; the rest of ``predict`` is its frame. Infrastructure is never a row: an error
of the machine ends the run, finished batches stay, and the same command goes on from there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, redirect_stdout
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from bench.folder import RunFolder
from bench.memory import keep_freed_memory
from bench.predict.ahead import ahead
from bench.predict.batch import Batch, Chunk
from bench.predict.cell import Cell, Store
from bench.predict.datasets.media import media_path
from bench.predict.device import describe_environment, strict_numbers
from bench.predict.face_cache import FaceCache
from bench.predict.forward import harm_film, harm_sound
from bench.predict.reader import Item, Medium, Reader
from bench.predict.voices import Voices
from bench.tables import Targets

__all__ = ["Options", "media_of", "predict_cells"]


@dataclass(frozen=True)
class Options:
    """How to run, as far as it must not change outputs.

    ``cache``: where faces are remembered from run to run, if they are to be.
    """

    device: torch.device
    workers: int = 2
    advance: Callable[[int], None] = lambda _: None
    cache: FaceCache | None = None


def predict_cells(run: RunFolder, stores: Sequence[Store], options: Options) -> None:
    """Finish every cell; ``options.advance`` is told the rows made (targets x cells), none made before."""
    keep_freed_memory()
    with strict_numbers():
        for group in _decoded_together(stores):
            decoding = _predict_group(run, group, options)
            for store in group:
                store.finish(
                    {
                        "environment": describe_environment(options.device),
                        "precision": store.cell.precision,
                        "batch": store.batch,
                        "decoding": decoding,
                    }
                )


def _recalled(options: Options) -> int:
    """Frames so far whose faces were known from runs before, which took no time."""
    return 0 if options.cache is None else options.cache.recalled


def _predict_group(run: RunFolder, group: Sequence[Store], options: Options) -> dict[str, Any]:
    """Make the parts that cells of one decoding lack, working ahead over the ends of batches.

    Returns what ``cell.json`` says of the decoding, which is of all these cells: how many were served, and of
    how many targets, in which time; what an interrupted run made before is in none of it.
    """
    began, known = time.monotonic(), _recalled(options)
    lacking = {b: [s for s in group if s.lacks(b)] for b in range(group[0].batches)}
    rows = [row for batch, stores in lacking.items() if stores for row in group[0].rows(batch)]
    served = sum(any(store in stores for stores in lacking.values()) for store in group)
    # A CPU detects more faces in a few chunks at once than with all threads in each layer of one; a model may
    # keep something from layer to layer, so that one thread alone calls it, beside the one that writes.
    finders = options.workers if options.device.type == "cpu" else 1
    threads = torch.get_num_threads()
    with Reader(len(rows), media_of(group[0].cell, rows), options.device, options.workers) as reader:
        calls = (chunk.detect for chunk in _read(reader, lacking, group, options))
        with closing(ahead(calls, finders, max(1, threads // finders))) as detected:
            asked = (ask for chunk in detected for ask in chunk.ask())
            # Around the threads, for all share it: stdout is the command's own, whatever a model prints.
            with redirect_stdout(sys.stderr), closing(ahead(asked, 1, threads)) as predicted:
                for heard in predicted:
                    heard.note()
                    if isinstance(heard, Chunk) and heard.last:
                        heard.batch.write(run)
    seconds = round(time.monotonic() - began, 3)
    recalled = _recalled(options) - known
    return {"cells": served, "targets": len(rows), "seconds": seconds, "recalled": recalled}


def _read(
    reader: Reader, lacking: dict[int, list[Store]], group: Sequence[Store], options: Options
) -> Iterator[Chunk]:
    """The chunks of the batches that some cells lack, one batch after another."""
    begun = 0
    for number, stores in lacking.items():
        size = len(group[0].rows(number))
        if not stores:
            continue
        items = reader.read(range(begun, begun + size))
        yield from Batch(stores, number, options.cache).chunks(_counted(items, size, len(stores), options))
        begun += size


def _counted(items: Iterator[Item], size: int, cells: int, options: Options) -> Iterator[Item]:
    """Pass items on, telling of every target that is behind."""
    behind = 0
    for place, item in items:
        if place > behind:
            options.advance((place - behind) * cells)
            behind = place
        yield place, item
    options.advance((size - behind) * cells)


def _decoded_together(stores: Sequence[Store]) -> Iterator[list[Store]]:
    """Cells that see the same frames of the same targets in the same batches, by condition.

    What acts on whole videos or, where the model listens, on their sound changes what is decoded, so that its
    cells have a decoding of their own.
    """

    def sight(store: Store) -> tuple[Any, ...]:
        pipeline, harm = store.cell.model.pipeline, store.cell.harm
        own = harm.label if harm.of_film or (harm.of_sound and pipeline.sound_rate) else ""
        return (store.cell.dataset, repr(pipeline.sampling), pipeline.sound_rate or 0, store.batch, own)

    for _, group in groupby(sorted(stores, key=sight), sight):
        yield sorted(group, key=lambda store: store.cell.harm.label)


def media_of(cell: Cell, rows: Sequence[int]) -> Callable[[int], Medium]:
    """What to decode for the i-th of some rows of the targets, as the cell's model samples it."""
    targets, pipeline = cell.targets, cell.model.pipeline
    names = {"target", "media", "media_bytes", "audio"} & set(targets.table.column_names)
    columns = {name: targets.table[name] for name in names}
    harm, seed = cell.harm, cell.seed
    alter = partial(harm_film, harm=harm, seed=seed) if harm.of_film else None
    hear = partial(harm_sound, harm=harm, seed=seed) if harm.of_sound and pipeline.sound_rate else None
    voices = Voices(targets)

    def value(name: str, row: int) -> Any:
        return columns[name][row].as_py() if name in columns else None

    def source(row: int) -> Path | bytes:
        held: bytes | None = value("media_bytes", row)
        return _path(targets, value("media", row)) if held is None else held

    def sound(row: int) -> Path | None:
        return _path(targets, value("audio", row)) if value("audio", row) and pipeline.sound_rate else None

    def medium(i: int) -> Medium:
        row = rows[i]

        def others(number: float) -> Iterator[Path | bytes]:
            return (sound(other) or source(other) for other in voices.of_others(row, number))

        return Medium(
            value("target", row), source(row), pipeline.sampling, pipeline.sound_rate, sound(row), alter,
            hear, others,
        )  # fmt: skip

    return medium


def _path(targets: Targets, name: str) -> Path:
    assert targets.root is not None
    return media_path(targets.root, name, targets.facts.name)
