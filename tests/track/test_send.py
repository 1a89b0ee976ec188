"""What was asked to be sent is read back with MLflow's own client, from SQLite and from a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import mlflow.data
import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient

from bench.errors import UserError
from bench.track import send
from bench.track.content import Reading
from tests.track.reading import CHILDREN, active, fetched, files_of

DIGEST = "4f" * 32
CLEAN = {
    "uar": 0.6552, "uar.low": 0.64, "uar.high": 0.67,
    "uar/sex/Female": 0.7, "uar/sex/Female.low": 0.65, "uar/sex/Female.high": 0.75,
    "uar/race.and.sex/Asian.and.Male": 0.5,
    "gap/uar/sex": 0.08,
    "contrast/uar/sex/Female.vs.rest": 0.0,
    "contrast/uar/sex/Female.vs.rest.low": -0.1, "contrast/uar/sex/Female.vs.rest.high": 0.1,
    "ccc_valence": 0.0,
}  # fmt: skip


def test_everything_sent_is_read_back(store, make_run, tmp_path):
    run = make_run(suite="read-back")
    sent = send.send(run, store)
    client = MlflowClient(store)
    assert client.get_experiment(sent.experiment_id).name == sent.experiment == "affectbench/read-back"
    (made,) = sent.runs
    parent = client.get_run(made.parent)
    children = {name: client.get_run(run_id) for name, run_id in made.children.items()}
    assert set(children) == CHILDREN
    assert len(active(store, sent.experiment_id)) == 4
    for name, child in children.items():
        assert child.data.tags["mlflow.parentRunId"] == made.parent
        assert child.info.run_name == name
    assert {found.info.status for found in [parent, *children.values()]} == {"FINISHED"}

    assert parent.data.metrics == CLEAN == children["faces clean"].data.metrics
    history = client.get_metric_history(made.children["faces low_light frame"], "uar")
    assert [(m.step, m.value) for m in history] == [(1, 0.61), (3, 0.44)]
    highs = client.get_metric_history(made.children["faces low_light frame"], "uar.high")
    assert [(m.step, m.value) for m in highs] == [(1, 0.62), (3, 0.48)]
    crop = client.get_metric_history(made.children["faces low_light crop"], "uar")
    assert [(m.step, m.value) for m in crop] == [(3, 0.41)]

    found = client.search_runs(
        [sent.experiment_id], "metrics.uar > 0.65 and params.model = 'mini-xception@102-0.66'"
    )
    assert {run.info.run_id for run in found} == {made.parent, made.children["faces clean"]}


def test_parameters_inputs_and_tags_describe_the_run(store, make_run):
    run = make_run(suite="described")
    record = json.loads((run / "run.json").read_text())
    record["oracle"], record["models"][0]["front"] = "track", {"detector": "yunet", "every": 3}
    (run / "run.json").write_text(json.dumps(record))
    sent = send.send(run, store, upload=False)
    client = MlflowClient(store)
    parent = client.get_run(sent.runs[0].parent)
    assert parent.data.params == {
        "affectbench": "0.1.0", "kind": "run", "suite": "described", "suite_digest": "ab" * 32, "seed": "0",
        "model": "mini-xception@102-0.66", "entry": "mini-xception", "checkpoint": "102-0.66",
        "weights_sha256": "cd" * 32, "double": "no", "device": "cpu", "precision": "fp32",
        "oracle": "track", "detect_every": "3", "datasets": "faces", "targets_digest/faces": DIGEST,
    }  # fmt: skip
    child = client.get_run(sent.runs[0].children["faces low_light frame"])
    own = {k: v for k, v in child.data.params.items() if k not in parent.data.params}
    assert own == {"dataset": "faces", "condition": "low_light", "where": "frame", "targets_digest": DIGEST}
    assert parent.data.tags["affectbench.insufficient"] == "1"
    assert parent.data.tags["affectbench.suppressed"] == "1"
    for found in (parent, child):
        (given,) = found.inputs.dataset_inputs
        assert (given.dataset.name, given.dataset.digest) == ("faces", DIGEST[:36])
        assert {tag.key: tag.value for tag in given.tags}["affectbench.digest"] == DIGEST
        assert json.loads(given.dataset.profile) == {"num_rows": 3}
        assert mlflow.data.get_source(given).to_dict()["tags"]["licence"] == "CC0"
    assert files_of(client, sent.runs[0].parent) == set()


def test_artifacts_come_back_byte_for_byte(store, make_run, tmp_path):
    run = make_run(suite="files")
    sent = send.send(run, store)
    client = MlflowClient(store)
    made = sent.runs[0]
    location = client.get_experiment(sent.experiment_id).artifact_location
    beside = (tmp_path / "mlartifacts").as_uri()
    assert location.startswith("mlflow-artifacts:" if store.startswith("http") else beside)
    assert files_of(client, made.parent) == {
        "run.json", "suite.json", "environment.json", "estimates.parquet", "report.html",
        "targets/faces.json",
    }  # fmt: skip
    for name in ("estimates.parquet", "report.html"):
        assert fetched(client, made.parent, name, tmp_path / "got") == (run / name).read_bytes()
    child = made.children["faces low_light frame"]
    cells = {"low_light-1-frame", "low_light-3-frame"}
    assert files_of(client, child) == {
        f"{cell}/{name}" for cell in cells for name in ("predictions.parquet", "cell.json")
    }
    folder = run / "cells" / "mini-xception@102-0.66" / "faces" / "low_light-3-frame"
    for name in ("predictions.parquet", "cell.json"):
        got = fetched(client, child, f"low_light-3-frame/{name}", tmp_path / "got")
        assert got == (folder / name).read_bytes()
    facts = json.loads(fetched(client, made.parent, "targets/faces.json", tmp_path / "got"))
    assert (facts["digest"], facts["rows"], facts["facts"]["licence"]) == (DIGEST, 3, "CC0")
    environments = json.loads(fetched(client, made.parent, "environment.json", tmp_path / "got"))
    assert environments == [{"torch": "2.13.0"}]
    record = json.loads(fetched(client, made.parent, "run.json", tmp_path / "got"))
    assert (record["suite_digest"], record["datasets"][0]["digest"]) == ("ab" * 32, DIGEST)
    assert "root" not in record["datasets"][0], "where media lie is nobody else's business"
    suite = json.loads(fetched(client, made.parent, "suite.json", tmp_path / "got"))
    assert (suite["suite"], suite["data"][0]["targets"]) == ("files", "T.csv")


def test_no_person_no_path_and_no_suppressed_number_leaves(sqlite, make_run, tmp_path):
    run = make_run()
    send.send(run, sqlite)
    client = MlflowClient(sqlite)
    texts = []
    for found in active(sqlite, "1"):
        texts.append(json.dumps(found.to_dictionary()).replace(found.info.artifact_uri, ""))
        assert "uar/race/Other" not in found.data.metrics, "suppressed, though the row holds a number"
        assert "uar/race/None" not in found.data.metrics, "undefined is not logged, least of all as 0"
        assert 0.123 not in found.data.metrics.values()
        run_id = found.info.run_id
        files = [fetched(client, run_id, name, tmp_path / "got") for name in files_of(client, run_id)]
        texts += [file.decode("latin-1") for file in files]
    joined = "\n".join(texts)
    assert "low_light" in joined
    for secret in ("jane", str(tmp_path), "/home"):
        assert secret not in joined


def test_numbers_equal_the_estimates_table(sqlite, make_run):
    run = make_run()
    sent = send.send(run, sqlite)
    client = MlflowClient(sqlite)
    logged = []
    for run_id in sent.runs[0].children.values():
        for name in client.get_run(run_id).data.metrics:
            logged += [(m.value, m.step) for m in client.get_metric_history(run_id, name)]
    rows = [r for r in pq.read_table(run / "estimates.parquet").to_pylist() if r["status"] != "suppressed"]
    expected = [
        (row[column], row["severity"] or 0)
        for row in rows
        for column in ("estimate", "low", "high")
        if row[column] is not None
    ]
    assert sorted(logged) == sorted(expected)


def test_models_and_rows_over_data_sets_have_their_places(sqlite, make_run, rows):
    across = (None, None, None, None, None, None, "uar", "difference", None, 0.25, None, None, "reportable")
    run = make_run(models=("oracle", "chance"), rows=[*rows, across])
    sent = send.send(run, sqlite)
    client = MlflowClient(sqlite)
    assert [made.name for made in sent.runs] == ["oracle spine", "chance spine"]
    oracle = client.get_run(sent.runs[0].parent)
    assert oracle.data.params["double"] == "yes"
    assert oracle.data.metrics["difference/uar"] == 0.25


def test_numbers_travel_in_batches_of_a_thousand(sqlite, monkeypatch):
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    sizes, whole = [], SqlAlchemyStore.log_batch

    def counted(self, run_id, metrics, params, tags):
        sizes.append((len(metrics), len(params)))
        return whole(self, run_id, metrics, params, tags)

    monkeypatch.setattr(SqlAlchemyStore, "log_batch", counted)
    client = MlflowClient(sqlite)
    run_id = client.create_run("0").info.run_id
    send.log(client, run_id, tuple(Reading(f"uar/{i}", float(i), 0) for i in range(2500)), {"model": "m"})
    assert sizes == [(999, 1), (1000, 0), (501, 0)]
    assert client.get_run(run_id).data.metrics == {f"uar/{i}": float(i) for i in range(2500)}


def test_sending_says_nothing_and_leaves_nothing_where_it_ran(make_run, tmp_path):
    run, here = make_run(), tmp_path / "elsewhere"
    here.mkdir()
    program = (
        "import pathlib, sys\n"
        "from bench import track\n"
        "assert 'mlflow' not in sys.modules\n"
        "from bench.track.send import send\n"
        "run = pathlib.Path(sys.argv[1])\n"
        "send(run, track.default_uri(run))\n"
    )
    settings = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    done = subprocess.run(
        [sys.executable, "-c", program, str(run)], capture_output=True, text=True, cwd=here, env=settings
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(here.iterdir()) == []
    assert (run / "mlflow.db").is_file()
    assert list((run / "mlartifacts").rglob("report.html"))


def test_an_unfinished_or_damaged_folder_is_named(sqlite, make_run):
    run = make_run()
    (run / "estimates.parquet").unlink()
    with pytest.raises(UserError, match=r"there is no estimates\.parquet"):
        send.send(run, sqlite)
    (run / "estimates.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"estimates\.parquet cannot be read"):
        send.send(run, sqlite)
    make_run()
    (run / "track.json").write_text("{}")
    with pytest.raises(UserError, match=r"track\.json: the file is damaged"):
        send.send(run, sqlite)
    (run / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"run\.json is not JSON"):
        send.send(run, sqlite)


def test_two_estimates_of_one_name_are_refused(sqlite, make_run, rows):
    with pytest.raises(ValueError, match="two estimates are called 'uar' at severity 0"):
        send.send(make_run(rows=[rows[0], rows[0]]), sqlite)
