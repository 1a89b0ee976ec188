"""Tracking from the outside: the default store, a server that is not there, and a registered model."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.e2e.conftest import Affectbench

CSV = "target,subject,label,predicted\n" + "".join(
    f"t{i},s{i % 25},{['happy', 'sad'][i % 2]},{['happy', 'sad'][(i // 2) % 2]}\n" for i in range(100)
)


@pytest.fixture
def score(tmp_path: Path) -> list[str]:
    (tmp_path / "T.csv").write_text(CSV)
    return ["score", "--targets", "T.csv", "--predictions", "mine=T.csv", "--out", "RUN"]


def metrics_of(uri: str) -> dict[str, float]:
    """The metrics of all runs in a store; every run of these tests is of the one model."""
    from bench.track.store import session

    with session(uri, "") as client:
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return {k: v for run in client.search_runs(experiments) for k, v in run.data.metrics.items()}


def test_the_default_store_is_a_file_here(affectbench: Affectbench, score: list[str], tmp_path: Path) -> None:
    done = affectbench(*score, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mlflow.db").is_file()
    rows = pq.read_table(tmp_path / "RUN" / "estimates.parquet").to_pylist()
    (accuracy,) = [r["estimate"] for r in rows if r["metric"] == "accuracy"]
    assert metrics_of(f"sqlite:///{tmp_path}/mlflow.db")["accuracy"] == accuracy == 0.5


def test_an_unreachable_server_costs_a_warning(
    affectbench: Affectbench, score: list[str], tmp_path: Path
) -> None:
    done = affectbench(*score, "--tracking-uri", "http://127.0.0.1:9", cwd=tmp_path)
    assert done.returncode == 0
    (warning,) = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert "affectbench track RUN" in warning
    assert done.stdout.strip().splitlines()[-1] == "report: RUN/report.html"
    assert not (tmp_path / "mlflow.db").exists()
    later = affectbench("track", "RUN", "--tracking-uri", f"sqlite:///{tmp_path}/later.db", cwd=tmp_path)
    assert later.returncode == 0, later.stderr
    assert metrics_of(f"sqlite:///{tmp_path}/later.db")["accuracy"] == 0.5


def test_estimates_that_were_changed_after_the_run_are_not_sent(
    affectbench: Affectbench, score: list[str], tmp_path: Path
) -> None:
    command = [*score, "--tracking-uri", "off"]
    assert affectbench(*command, cwd=tmp_path).returncode == 0
    path = tmp_path / "RUN" / "estimates.parquet"
    before = path.read_bytes()
    table = pq.read_table(path)
    better = pa.array([0.99] * len(table), table.schema.field("estimate").type)
    place = table.schema.get_field_index("estimate")
    pq.write_table(table.set_column(place, table.schema.field("estimate"), better), path)
    words = ("track", "RUN", "--tracking-uri", f"sqlite:///{tmp_path}/later.db")
    done = affectbench(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert " ".join(done.stderr.split()) == (
        "error: RUN: plan, estimates, curves, latencies or report were changed. What was judged, as it was written. "
        "Run 'affectbench report RUN', which judges anew."
    )
    assert not (tmp_path / "later.db").exists()
    assert affectbench("report", "RUN", cwd=tmp_path).returncode == 0
    assert path.read_bytes() == before
    assert affectbench(*words, cwd=tmp_path).returncode == 0
    (tmp_path / "RUN" / "judged.json").unlink()
    done = affectbench(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "RUN: there is no readable judged.json." in done.stderr


def test_off_is_off(affectbench: Affectbench, score: list[str], tmp_path: Path) -> None:
    assert affectbench(*score, "--tracking-uri", "off", cwd=tmp_path).returncode == 0
    assert not (tmp_path / "mlflow.db").exists()


def test_a_registered_model_is_run_by_its_alias(
    affectbench: Affectbench, drawn: Path, weights: Path, tmp_path: Path
) -> None:
    from bench.track.store import session

    uri = f"sqlite:///{tmp_path}/registry.db"
    source = tmp_path / "candidate"
    source.mkdir()
    file = weights / "mini_xception" / "fer2013_mini_XCEPTION.119-0.65.hdf5"
    (source / "weights.hdf5").write_bytes(file.read_bytes())
    with session(uri, "") as client:
        client.create_registered_model("emotion", tags={"affectbench.entry": "mini-xception"})
        version = client.create_model_version("emotion", str(source))
        client.set_registered_model_alias("emotion", "candidate", version.version)
    done = affectbench(
        "run", "--model", "models:/emotion@candidate", "--targets", drawn / "targets.csv", "--aligned",
        "--out", "RUN", "--tracking-uri", uri, cwd=tmp_path, env={"AFFECTBENCH_WEIGHTS": str(weights)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    by_file = affectbench(
        "run", "--model", "mini-xception", "--weights", file, "--targets", drawn / "targets.csv", "--aligned",
        "--out", "BY_FILE", "--tracking-uri", "off", cwd=tmp_path, env={"AFFECTBENCH_WEIGHTS": str(weights)},
    )  # fmt: skip
    assert by_file.returncode == 0, by_file.stderr
    (one,) = (tmp_path / "RUN").rglob("predictions.parquet")
    (other,) = (tmp_path / "BY_FILE").rglob("predictions.parquet")
    assert one.parent.parent.parent.name == other.parent.parent.parent.name == "mini-xception@c6100e8155bd"
    assert one.read_bytes() == other.read_bytes()
