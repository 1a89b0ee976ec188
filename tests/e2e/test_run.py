"""``affectbench run`` from the outside: what it writes, what it refuses, and that a kill changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import filelock
import pyarrow.parquet as pq
import pytest

from bench.cli import main
from tests.e2e.conftest import Affectbench

DEMO = ("--suite", "demo", "--tracking-uri", "off")


# A test run in the background of a shell hands on that interrupts are ignored.
_STOPPING = (
    "import os, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from bench.predict.cell import Store; write = Store.write_part; "
    "Store.write_part = lambda *a: (write(*a), os.kill(os.getpid(), signal.SIGSTOP))[0]"
)


def run_words(drawn: Path, out: Path, *more: object) -> list[object]:
    return ["run", "--model", "oracle", "--data", f"drawn={drawn}", "--out", out, *DEMO, *more]


@pytest.fixture(scope="module")
def finished(affectbench: Affectbench, drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "run"
    done = affectbench(*run_words(drawn, out, "--model", "planted_bias@tint=cool", "--batch", 8), cwd=drawn)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == f"report: {out / 'report.html'}"
    return out


def test_every_cell_has_every_target_once(finished: Path) -> None:
    targets = pq.read_table(finished / "targets" / "drawn.parquet")["target"].to_pylist()
    cells = sorted(finished.glob("cells/*/*/*/predictions.parquet"))
    assert len(cells) == 2 * 7
    for cell in cells:
        table = pq.read_table(cell)
        assert table["target"].to_pylist() == targets
        assert set(table["status"].to_pylist()) == {"ok"}
        assert json.loads((cell.parent / "cell.json").read_text())["rows"] == 42


def test_doubles_are_found_for_what_they_are(finished: Path) -> None:
    table = pq.read_table(finished / "estimates.parquet").to_pylist()
    rows = [r for r in table if r["kind"] == "value"]
    chosen = [r for r in rows if r["metric"] == "accuracy" and r["condition"] == "clean"]
    overall = {r["model"]: r["estimate"] for r in chosen if r["slice"] is None}
    assert overall["oracle"] == 1
    biased = {r["value"]: r["estimate"] for r in chosen if r["slice"] == "tint" and r["model"] != "oracle"}
    # 21 targets a group: 0.8 of them is 17, 0.6 of them is 13 (the double rounds to whole rows).
    assert biased == pytest.approx({"warm": 17 / 21, "cool": 13 / 21})
    ccc = [r for r in rows if r["metric"] == "ccc_valence" and r["slice"] is None and r["model"] == "oracle"]
    assert [r["estimate"] for r in ccc] == pytest.approx([1] * 7, abs=1e-12)
    assert {r["low"] for r in ccc} == {None}


def outcome(run: Path) -> dict[str, bytes]:
    names = ("predictions.parquet", "frames.parquet", "estimates.parquet", "report.html")
    files = [path for name in names for path in run.rglob(name)]
    return {str(path.relative_to(run)): path.read_bytes() for path in files}


def test_the_same_run_gives_the_same_bytes(
    affectbench: Affectbench, drawn: Path, finished: Path, tmp_path: Path
) -> None:
    words = run_words(drawn, tmp_path / "again", "--model", "planted_bias@tint=cool", "--batch", 8)
    assert affectbench(*words, cwd=tmp_path).returncode == 0
    again, before = outcome(tmp_path / "again"), outcome(finished)
    assert set(again) == set(before)
    differing = [name for name in again if again[name] != before[name]]
    assert not differing


@pytest.mark.parametrize("seconds_after_first_part", [0.0, 0.15, 0.4])
def test_a_killed_run_ends_in_the_same_bytes(
    affectbench: Affectbench, drawn: Path, finished: Path, tmp_path: Path, seconds_after_first_part: float
) -> None:
    out = tmp_path / "killed"
    words = run_words(drawn, out, "--model", "planted_bias@tint=cool", "--batch", 8)
    command = [sys.executable, "-c", "from bench.cli import main; main()", *map(str, words)]
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while not list(out.rglob("parts/0*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(seconds_after_first_part)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (out / "estimates.parquet").exists()
    left = {path: path.stat().st_mtime_ns for path in out.rglob("parts/0*.parquet")}
    done = affectbench(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert left or list(out.rglob("cell.json"))
    assert outcome(finished) == outcome(out)
    assert not list(out.rglob("parts"))


def test_a_finished_run_predicts_nothing_again(
    affectbench: Affectbench, drawn: Path, finished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("predictions.parquet")}
    words = run_words(drawn, out, "--model", "planted_bias@tint=cool", "--batch", 8)
    assert affectbench(*words, cwd=tmp_path).returncode == 0
    assert stamps == {path: path.stat().st_mtime_ns for path in out.rglob("predictions.parquet")}


def test_a_folder_of_another_run_is_refused(
    affectbench: Affectbench, drawn: Path, finished: Path, tmp_path: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    done = affectbench(*run_words(drawn, finished), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {finished}: the folder holds another run; these differ: models. A folder holds one run, and "
        "the same command again finishes it. Choose another --out.\n"
    )
    assert before == {path: path.stat().st_mtime_ns for path in finished.rglob("*")}


def test_json_is_one_object_and_quiet_is_nothing_but_warnings(
    affectbench: Affectbench, finished: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "run")
    done = affectbench("report", tmp_path / "run", "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)
    quiet = affectbench("report", tmp_path / "run", "--quiet", cwd=tmp_path)
    assert (quiet.returncode, quiet.stdout) == (0, "")
    assert quiet.stderr == "warning: These are doubles of known quality, not models.\n"
    table = affectbench("report", tmp_path / "run", cwd=tmp_path)
    assert "\x1b" not in table.stdout


@pytest.mark.parametrize(
    ("number", "code", "what"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "told to end (SIGTERM)")],
)
def test_an_interrupt_has_its_exit_code_and_says_how_to_go_on(
    drawn: Path, tmp_path: Path, number: signal.Signals, code: int, what: str
) -> None:
    # Stopped as soon as something is made, so that a slow machine does not finish it first.
    words = run_words(drawn, tmp_path / "run", "--batch", 1)
    command = [sys.executable, "-c", f"{_STOPPING}; from bench.cli import main; main()", *map(str, words)]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == code
    assert errors == f"{what}; the same command goes on from here\n"


@pytest.mark.parametrize(
    ("words", "then"), [(["run"], "goes on from here"), (["data", "measure"], "begins anew")]
)
def test_what_an_interrupted_command_does_next_is_said(
    words: list[str], then: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.cli.app.app", interrupted)
    monkeypatch.setattr(sys, "argv", ["affectbench", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == f"interrupted; the same command {then}\n"


def test_a_run_that_was_changed_is_not_judged_but_made_again(
    affectbench: Affectbench, drawn: Path, finished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    changed, removed = sorted(out.rglob("predictions.parquet"))[:2]
    table = pq.read_table(changed)
    wrong = table.set_column(
        2, "predicted", table["predicted"].combine_chunks().take(list(range(41, -1, -1)))
    )
    pq.write_table(wrong, changed)
    (removed.parent / "cell.json").unlink()
    before = (out / "estimates.parquet").read_bytes()
    report = affectbench("report", out, cwd=tmp_path)
    assert report.returncode == 2
    assert "2 of 14 cells are unfinished or changed, this first." in report.stderr
    assert (out / "estimates.parquet").read_bytes() == before
    words = run_words(drawn, out, "--model", "planted_bias@tint=cool", "--batch", 8)
    assert affectbench(*words, cwd=tmp_path).returncode == 0
    assert outcome(out) == outcome(finished)


def test_one_process_a_run(affectbench: Affectbench, drawn: Path, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    with filelock.FileLock(out / ".lock"):
        words = run_words(drawn, out, "--model", "planted_bias@tint=cool", "--batch", 8)
        done = affectbench(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {out}: another process is at work here. One process a run. Wait for it, or choose another --out.\n"
    )


def test_json_stays_json_whatever_a_model_prints(
    affectbench: Affectbench, drawn: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "zoo" / "noisy"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(
        "print('import')\nimport torch\nfrom bench.predict.clip import Scores\n"
        "from bench.predict.pipeline import Pipeline\n"
        "def build(request):\n    print('build')\n    def predict(clips):\n        print('predict')\n"
        "        return [Scores(c.times, {'labels': torch.full((len(c), 2), 0.5)}) for c in clips]\n"
        "    return Pipeline(predict, labels=('happiness', 'neutral'))\n"
    )
    done = affectbench(
        "run", "--model", "noisy", "--zoo", "zoo", "--targets", drawn / "targets.csv", "--out", "RUN", "--json",
        "--tracking-uri", "off", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run"]
    assert {"import", "build", "predict"} <= set(done.stderr.split())


def test_numbers_are_cut_by_bins_on_the_command_line(affectbench: Affectbench, tmp_path: Path) -> None:
    rows = [f"t{i},s{i % 25},{'happy' if i % 3 else 'sad'},happy,{20 + i % 25}" for i in range(100)]
    (tmp_path / "T.csv").write_text("\n".join(["target,subject,label,predicted,age", *rows]) + "\n")
    words = [
        "score",
        "--targets",
        "T.csv",
        "--predictions",
        "m=T.csv",
        "--out",
        "RUN",
        "--tracking-uri",
        "off",
    ]
    done = affectbench(*words, "--slice", "age", "--bins", "age=25,35", "--metric", "accuracy", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = pq.read_table(tmp_path / "RUN" / "estimates.parquet").to_pylist()
    assert [(r["value"], r["clusters"]) for r in found if r["slice"] == "age" and r["kind"] == "value"] == [
        ("<25", 5), ("[25, 35)", 10), (">=35", 10),
    ]  # fmt: skip
    wrong = affectbench(*words[:-3], "OTHER", "--slice", "age", "--bins", "age=35,25", cwd=tmp_path)
    assert wrong.stderr == (
        "error: --bins: the edges of 'age' are '35,25'. Numbers that ascend, as in age=30,45,60. Correct the edges.\n"
    )
