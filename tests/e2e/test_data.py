"""``affectbench data write`` from the outside: what it writes, and that it replaces nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from bench.tables import read_targets
from tests.e2e.conftest import Affectbench


def write_faces(root: Path, emotions: str) -> None:
    """A table as of FER2013, of blank faces."""
    pixels = " ".join(["7"] * 48 * 48)
    rows = [f"{emotion},{pixels},PrivateTest" for emotion in emotions]
    root.mkdir(exist_ok=True)
    (root / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")


def test_a_table_of_another_content_is_never_replaced(affectbench: Affectbench, tmp_path: Path) -> None:
    words = ("data", "write", "fer2013=faces", "--out", "tables")
    write_faces(tmp_path / "faces", "036")
    first = affectbench(*words, cwd=tmp_path)
    assert (first.returncode, first.stdout) == (0, "tables/targets.parquet: 3 targets\n"), first.stderr
    written = (tmp_path / "tables" / "targets.parquet").read_bytes()

    again = affectbench(*words, cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert (tmp_path / "tables" / "targets.parquet").read_bytes() == written

    write_faces(tmp_path / "faces", "035")
    other = affectbench(*words, cwd=tmp_path)
    assert (other.returncode, other.stdout) == (2, "")
    assert other.stderr == (
        "error: tables: it holds targets.parquet with another content. A table is written where none is, or again "
        "where it would be the same. Choose another --out.\n"
    )
    assert (tmp_path / "tables" / "targets.parquet").read_bytes() == written
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == ["targets.parquet"]


SUITE = """
suite: turned
data: [{adapter: manifest, labels: ekman-7, cluster_unit: clip}]
slices: [yaw, measured]
bins: {yaw: [-90, -30, 30, 90]}
metrics: [uar]
slice_rule: {suppress_below: 1}
"""
PHOTOGRAPHS = {
    "0-f1-su-ph": ("0-f1-su-ph.jpg", "surprise"), "0-f15-hao-ph": ("0-f15-hao-ph.jpg", "happiness"),
    "15-f13-anc-ph": ("15-f13-anc-ph.jpg", "anger"), "45-m7-di-ph": ("45-m7-di-ph.jpg", "disgust"),
    "landscape": ("free-mountain-vector-01.jpg", "neutral"), "broken": ("001.csv", "neutral"),
}  # fmt: skip


def write_photographs(folder: Path) -> None:
    rows = [f"{name},{media},{label}" for name, (media, label) in PHOTOGRAPHS.items()]
    (folder / "T.csv").write_text("\n".join(["target,media,label", *rows]) + "\n")
    said = [f"{name},{label}" for name, (_, label) in PHOTOGRAPHS.items()]
    (folder / "P.csv").write_text("\n".join(["target,predicted", *said]) + "\n")
    (folder / "turned.yaml").write_text(SUITE)


def test_measures_become_slices(
    affectbench: Affectbench, tmp_path: Path, shared: Path, weights: Path
) -> None:
    write_photographs(tmp_path)
    root = shared / "data/pyfeat/tests_data"
    words = ("data", "measure", "--targets", "T.csv", "--root", root, "--out", "m.parquet", "--device", "cpu")
    env = {"AFFECTBENCH_WEIGHTS": str(weights)}
    first = affectbench(*words, cwd=tmp_path, env=env)
    assert (first.returncode, first.stderr) == (0, ""), first.stderr
    assert first.stdout == "m.parquet: 6 targets, 4 ok, 1 no_face, 1 decode_error\n"
    table = pq.read_table(tmp_path / "m.parquet")
    assert table["target"].to_pylist() == list(PHOTOGRAPHS)
    yaw = dict(zip(PHOTOGRAPHS, table["yaw"].to_pylist(), strict=True))
    assert yaw["45-m7-di-ph"] < -30
    assert yaw["landscape"] is yaw["broken"] is None

    written = (tmp_path / "m.parquet").read_bytes()
    again = affectbench(*words, cwd=tmp_path, env=env)
    assert (again.returncode, again.stdout) == (0, "m.parquet: it was measured already\n")
    (tmp_path / "m.parquet").unlink()
    affectbench(*words, "--quiet", "--workers", "1", cwd=tmp_path, env=env)
    assert (tmp_path / "m.parquet").read_bytes() == written
    other = affectbench(*words, "--detector", "retinaface", cwd=tmp_path, env=env)
    assert other.returncode == 2
    assert "m.parquet is there, measured of other media or in another way" in other.stderr

    score = ("score", "--targets", "T.csv", "--suite", "turned.yaml", "--predictions", "P.csv")
    judged = affectbench(
        *score, "--attributes", "m.parquet", "--out", "run", "--tracking-uri", "off", cwd=tmp_path
    )
    assert judged.returncode == 0, judged.stderr
    plan = json.loads((tmp_path / "run" / "run.json").read_text())
    assert plan["datasets"][0]["facts"]["attributes"]["yaw"] == "measured"
    rows = pq.read_table(tmp_path / "run" / "estimates.parquet").to_pylist()
    counts = {(r["slice"], r["value"]): r["n"] for r in rows if r["kind"] == "value" and r["metric"] == "uar"}
    assert counts[("yaw", "[-90, -30)")] == 1
    assert counts[("yaw", "[-30, 30)")] == 3
    assert counts[("yaw", "unmeasured")] == 2
    assert {value: n for (name, value), n in counts.items() if name == "measured"} == {
        "ok": 4, "no_face": 1, "decode_error": 1,
    }  # fmt: skip


def test_attributes_of_a_run_are_joined_by_subject(
    affectbench: Affectbench, drawn: Path, tmp_path: Path
) -> None:
    targets = read_targets(drawn / "targets.csv")
    subjects = sorted(set(targets.table["subject"].to_pylist()))
    ages = [f"{subject},{20 + 10 * (place % 2)}" for place, subject in enumerate(subjects)]
    (tmp_path / "ages.csv").write_text("\n".join(["subject,age", *ages]) + "\n")
    words = (
        "run", "--model", "oracle", "--targets", drawn / "targets.csv", "--root", drawn,
        "--tracking-uri", "off", "--quiet", "--device", "cpu",
    )  # fmt: skip
    aged = ("--attributes", "ages.csv", "--slice", "age", "--bins", "age=25")
    done = affectbench(*words, *aged, "--out", "with", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert affectbench(*words, "--out", "without", cwd=tmp_path).returncode == 0
    plans = [json.loads((tmp_path / name / "run.json").read_text()) for name in ("with", "without")]
    digests = [plan["datasets"][0]["digest"] for plan in plans]
    assert digests[0] != digests[1]
    written = next((tmp_path / "with").rglob("targets*.parquet"))
    assert set(read_targets(written).table["age"].to_pylist()) == {20.0, 30.0}
    twice = affectbench(*words, *aged, "--attributes", "ages.csv", "--out", "twice", cwd=tmp_path)
    assert twice.returncode == 2
    assert "ages.csv: the targets have a column 'age' already. An attribute has one source." in twice.stderr
    strange = affectbench(*words, "--attributes", "FER=ages.csv", "--out", "strange", cwd=tmp_path)
    assert "--attributes: 'FER=ages.csv' is of no data set." in strange.stderr


def test_measure_refuses_what_is_not_one_source(affectbench: Affectbench, tmp_path: Path) -> None:
    write_faces(tmp_path / "faces", "036")
    (tmp_path / "T.csv").write_text("target,media\na,a.png\n")
    refused = {
        "--out m.parquet": "data measure: exactly one source of data is needed.",
        "fer2013=faces --targets T.csv --out m.parquet": "exactly one source of data is needed.",
        "fer2013=faces --aligned --out m.parquet": "--aligned: it is given beside NAME=ROOT.",
        "--targets T.csv --split test --out m.parquet": "--split: it is given beside --targets.",
        "--targets T.csv --out m.parquet": "1 of 1 row lacks its media.",
        "--targets T.csv --out T.csv/m.parquet": "--out: the folder T.csv cannot be made: ",
        "fer2013=faces --out m.csv": "--out: m.csv does not end in .parquet.",
        "fer2013=faces --detector oracle --out m.parquet": "--detector: 'oracle' is no face detector.",
        "fer2013=faces --detector !! --out m.parquet": "--detector: '!!' names no entry.",
    }
    for words, said in refused.items():
        found = affectbench("data", "measure", *words.split(), cwd=tmp_path)
        assert (found.returncode, found.stdout) == (2, ""), words
        assert said in found.stderr, (words, found.stderr)
    assert not (tmp_path / "m.parquet").exists()
