"""An oracle from real people: human votes on CREMA-D as three models, against the intended emotion."""

from __future__ import annotations

import csv

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import workflow
from bench.judge.audit import audit
from bench.judge.score import Cell, judge
from bench.labels import CREMA_6, canonical
from bench.question import Question
from bench.spec import Facts
from bench.tables import validate_predictions, validate_targets
from tests.judge.made import make_suite, row
from tests.judge.scored import faults

VOTES = {"A": "anger", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness"}
MODELS = {"1": "voice", "2": "face", "3": "both"}
SUITE = make_suite(slices=("sex", "race", "ethnicity", "age", ("race", "sex")), bins={"age": (30, 40, 50)})


@pytest.fixture(scope="module")
def voted(shared):
    """Targets, and what each model decides of them."""
    folder = shared / "data" / "crema_d_tables"
    with (folder / "VideoDemographics.csv").open() as file:
        actors = {r["ActorID"]: r for r in csv.DictReader(file)}
    with (folder / "processedResults" / "tabulatedVotes.csv").open() as file:
        votes = [(MODELS[r[""][0]], r["fileName"], r["emoVote"]) for r in csv.DictReader(file)]
    clips = sorted({clip for _, clip, _ in votes})
    people = [actors[clip[:4]] for clip in clips]
    table = pa.table(
        {
            "target": clips, "clip": clips, "subject": [clip[:4] for clip in clips],
            "label": [canonical(clip.split("_")[2]) for clip in clips],
            "age": [p["Age"] for p in people], "sex": [p["Sex"] for p in people],
            "race": [p["Race"] for p in people], "ethnicity": [p["Ethnicity"] for p in people],
        }
    )  # fmt: skip
    facts = Facts(name="crema-d", labels=CREMA_6.labels, label_space=CREMA_6.name, attributes_public=True)
    predictions = {}
    for model in MODELS.values():
        decided = {clip: VOTES.get(vote) for name, clip, vote in votes if name == model}  # "A:N" is a tie
        columns = {"target": clips, "predicted": pa.array([decided[clip] for clip in clips], pa.string())}
        predictions[model] = pa.table(columns)
    return validate_targets(table, facts, "crema-d"), predictions


@pytest.fixture(scope="module")
def estimates(voted):
    targets, predictions = voted
    cells = [
        Cell(model, "crema-d", "clean", 0, None, targets, validate_predictions(table, targets, model))
        for model, table in predictions.items()
    ]
    return judge(cells, SUITE)


@pytest.mark.parametrize(
    ("model", "slice_", "value", "expected"),
    [
        ("voice", None, None, 0.4164),
        ("face", None, None, 0.6626),
        ("both", None, None, 0.7221),
        ("face", "sex", "Male", 0.6257),
        ("face", "sex", "Female", 0.7039),
        ("both", "sex", "Male", 0.6873),
        ("both", "sex", "Female", 0.7611),
        ("face", "race", "Caucasian", 0.6684),
        ("face", "race", "African American", 0.6630),
        ("face", "race", "Asian", 0.6197),
    ],
)
def test_known_shares(estimates, model, slice_, value, expected):
    found = row(estimates, model=model, slice=slice_, value=value, metric="accuracy")
    assert round(found["estimate"], 4) == expected
    assert found["low"] < expected < found["high"]


def test_few_actors_are_insufficient_and_named(estimates):
    asian = row(estimates, model="face", slice="race", value="Asian", metric="accuracy")
    assert (asian["clusters"], asian["status"], asian["cluster_unit"]) == (7, "insufficient", "person")
    unknown = row(estimates, model="face", slice="race", value="Unknown", metric="accuracy")
    assert (unknown["clusters"], unknown["low"]) == (1, None)
    whole = row(estimates, model="face", metric="accuracy")
    assert (whole["n"], whole["clusters"], whole["clips"], whole["status"]) == (7442, 91, 7442, "reportable")
    assert whole["n_eff"] < 7442 / 4  # 82 clips an actor are far from 82 independent ones


def test_the_share_of_ties_is_printed(estimates, shared):
    votes = (shared / "data" / "crema_d_tables" / "processedResults" / "tabulatedVotes.csv").read_text()
    lines = [line.split(",") for line in votes.splitlines()[1:]]
    for code, model in MODELS.items():
        ties = [":" in line[10] for line in lines if line[0][1] == code]
        said = row(estimates, model=model, metric="accuracy")["warning"]
        assert f"no decision (tie or empty): {sum(ties) / len(ties):.2%} of rows" in said


@pytest.mark.usefixtures("no_report")
def test_the_audit_agrees(voted, tmp_path):
    targets, predictions = voted
    files = {model: tmp_path / f"{model}.parquet" for model in predictions}
    for model, path in files.items():
        pq.write_table(predictions[model], path)
    run = workflow.score(Question(SUITE, {"crema-d": targets}, str.join), files, {}, tmp_path / "run")
    workflow.finish(run)
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))
    assert found.withheld == 0
    assert found.compared["accuracy"] == 3 * (1 + 2 + 4 + 2 + 4 + 7)
    assert found.largest is not None
    assert found.largest.size < 1e-12
