"""Soft labels on real people: single votes on CREMA-D against the emotion that the actor intended."""

from __future__ import annotations

import pyarrow as pa
import pytest

from bench.judge.score import Cell, judge
from bench.labels import CREMA_6
from bench.predict.datasets import crema_d
from bench.spec import Facts
from bench.tables import validate_predictions, validate_targets
from tests.judge.made import make_suite, row

SUITE = make_suite(metrics=("crowd_agreement", "js", "cross_entropy", "soft_brier"))


def crowd(shared, presentation):
    """Targets that carry the votes of one presentation, and those votes as shares."""
    root = shared / "data" / "crema_d_tables"
    clips, votes = crema_d._votes(root, presentation)
    facts = Facts(name="crema-d", labels=CREMA_6.labels, label_space=CREMA_6.name)
    intended = [clip.split("_")[2] for clip in clips]
    columns = {"target": clips, "subject": [c[:4] for c in clips], "label": intended, "votes": votes.tolist()}
    return validate_targets(pa.table(columns), facts, "crema-d"), crema_d._shares(clips, votes)


@pytest.mark.parametrize(("presentation", "published"), [("voice", 0.400), ("face", 0.574), ("both", 0.631)])
def test_the_share_of_single_votes_for_the_intended_emotion_is_as_published(shared, presentation, published):
    """A model that says what was intended: Cao et al. 2014 print 40.9, 58.2 and 63.6 % of all responses."""
    targets, _ = crowd(shared, presentation)
    said = pa.table({"target": targets.table["target"], "predicted": targets.table["label"]})
    cell = Cell("actor", "crema-d", "clean", 0, None, targets, validate_predictions(said, targets, "actor"))
    found = row(judge([cell], SUITE), metric="crowd_agreement")
    assert (round(found["estimate"], 3), found["n"], found["clusters"]) == (published, 7442, 91)
    assert found["low"] < found["estimate"] < found["high"]


def test_the_crowd_is_at_no_distance_from_itself_and_agrees_with_itself_no_further(shared):
    targets, shares = crowd(shared, "both")
    cells = [
        Cell(name, "crema-d", "clean", 0, None, targets, validate_predictions(table, targets, name))
        for name, table in (("crowd", shares), ("face", crowd(shared, "face")[1]))
    ]
    table = judge(cells, SUITE)
    found = {(r["model"], r["metric"]): r["estimate"] for r in table.to_pylist() if r["kind"] == "value"}
    assert [found["crowd", name] for name in ("js", "soft_brier")] == pytest.approx([0, 0], abs=1e-12)
    assert 0 < found["crowd", "cross_entropy"] < found["face", "cross_entropy"]
    assert 0.05 < found["face", "js"] < 0.3
    assert 0.6 < found["face", "crowd_agreement"] < found["crowd", "crowd_agreement"] < 0.85
