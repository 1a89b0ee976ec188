"""Media, targets and models made for tests of the run loop, and a run of one cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from bench.folder import RunFolder
from bench.predict.cell import CLEAN, Cell, Harm, Store
from bench.predict.clip import Clip, Sampling, Scores
from bench.predict.datasets.media import digest_media
from bench.predict.pipeline import Pipeline
from bench.predict.run import Options, predict_cells
from bench.predict.zoo import Model
from bench.spec import Facts
from bench.synth.drawn import draw_face
from bench.tables import Targets, validate_targets

CPU = torch.device("cpu")
LABELS = ("happiness", "neutral")


def write_video(path: Path, frames: Sequence[np.ndarray]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"threads": "1"})
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def write_picture(path: Path, label: str = "happiness") -> None:
    import cv2

    cv2.imwrite(str(path), draw_face(label, "warm", "round", size=64)[..., ::-1])


def model_of(predict: Callable[[Sequence[Clip]], list[Scores]], **fields: object) -> Model:
    pipeline = Pipeline(predict, **{"labels": LABELS, "sampling": Sampling(), **fields})
    return Model("probe", "probe", None, pipeline)


def happy(clips: Sequence[Clip]) -> list[Scores]:
    return [Scores(c.times, {"labels": torch.tensor([[0.75, 0.25]]).repeat(len(c), 1)}) for c in clips]


def targets_of(folder: Path, media: Sequence[str], **facts: object) -> Targets:
    rows = [
        {"target": name, "media": name, "subject": f"s{i}", "label": LABELS[i % 2]}
        for i, name in enumerate(media)
    ]
    table = pa.Table.from_pylist(rows)
    return digest_media(validate_targets(table, Facts(name="t", **facts), "T.csv", folder))


def run_one(folder: Path, model: Model, targets: Targets, harm: Harm = CLEAN, batch: int = 4) -> pa.Table:
    run = RunFolder(folder / "run")
    store = Store(run, Cell(model, "t", targets, harm, 0, "fp32"), batch)
    predict_cells(run, [store], Options(CPU))
    return pq.read_table(store.folder.predictions)
