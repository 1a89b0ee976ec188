"""From scores to rows: means and frame rows against plain loops over what a model said."""

from __future__ import annotations

import numpy as np
import torch

from bench.predict.clip import Scores
from bench.predict.forward import to_rows
from bench.predict.pipeline import Pipeline
from bench.predict.rows import Hearings, Rows, frame_rows, prediction_rows
from bench.predict.zoo import Model

LABELS = ("fear", "anger")
MODEL = Model("probe", "probe", None, Pipeline(lambda clips: [], LABELS, ("labels", "valence")))


def said(draw: np.random.Generator, rows: int, start: float) -> Scores:
    shares = draw.dirichlet((1, 1), rows)
    outputs = {"labels": torch.from_numpy(shares), "valence": torch.from_numpy(draw.uniform(-1, 1, rows))}
    return Scores(start + np.arange(rows) / 25, outputs)


def test_a_target_gets_the_mean_over_the_rows_of_its_person_from_whichever_chunks() -> None:
    """Three targets over four chunks, out of order; two persons in each; one target nobody answered."""
    draw, hearings = np.random.default_rng(3), Hearings(MODEL, ["a", "b", "c"])
    heard: dict[tuple[int, int], list[np.ndarray]] = {}
    for chunk in range(4):
        who = [(place, track) for place in (1, 0) for track in (0, 1)]
        scores = [said(draw, int(draw.integers(1, 6)), chunk) for _ in who]
        for of, score in zip(who, scores, strict=True):
            both = torch.cat([score.outputs["labels"], score.outputs["valence"][:, None]], dim=1)
            heard.setdefault(of, []).append(both.numpy())
        hearings.hear(to_rows(MODEL, who, scores))
    table = prediction_rows(MODEL, hearings, [(1, None), (0, None), (0, None)], sought=False)
    for place, track in ((0, 1), (1, 0)):
        mean = np.concatenate(heard[place, track]).mean(axis=0)
        assert [table[name][place].as_py() for name in ("p_fear", "p_anger", "valence")] == mean.tolist()
    assert table["status"].to_pylist() == ["ok", "ok", "abstained"]
    assert table["p_fear"][2].as_py() is None


def test_frame_rows_lie_by_target_then_time_then_person() -> None:
    hearings = Hearings(MODEL, ["a", "still", "b"])
    for place, frames in enumerate((3, 1, 2)):
        hearings.targets[place].frames = frames
    hearings.targets[0].faceless = [0.5]
    late = Rows(
        np.array([2, 0, 0]), np.array([0, 1, 0]), np.array([0.0, 1.0, 1.0]), np.arange(9.0).reshape(3, 3)
    )
    early = Rows(np.array([0, 1]), np.array([0, 0]), np.array([0.0, 0.0]), np.full((2, 3), 9.0))
    hearings.hear(late)
    hearings.hear(early)
    table = frame_rows(MODEL, hearings)
    assert table["target"].to_pylist() == ["a", "a", "a", "a", "b"]
    assert table["timestamp"].to_pylist() == [0.0, 0.5, 1.0, 1.0, 0.0]
    assert table["track"].to_pylist() == [0, None, 0, 1, 0]
    assert table["p_fear"].to_pylist() == [9.0, None, 6.0, 3.0, 0.0]


def test_a_value_that_is_not_finite_costs_its_target_alone() -> None:
    hearings = Hearings(MODEL, ["a", "b"])
    values = np.array([[0.5, 0.5, 0.0], [0.5, 0.5, np.inf], [0.5, 0.5, 0.0]])
    hearings.hear(Rows(np.array([0, 1, 1]), np.zeros(3, int), np.zeros(3), values))
    table = prediction_rows(MODEL, hearings, [(0, None), (0, None)], sought=False)
    assert table["status"].to_pylist() == ["ok", "model_error"]
    assert table["valence"].to_pylist() == [0.0, None]
    assert table["fault"].to_pylist() == [None, "the model returned a value that is not finite"]
