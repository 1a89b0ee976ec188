"""Which models share a table, which are one model, and which runs are refused."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bench.errors import UserError
from bench.folder import RunFolder, write_json
from bench.leaderboard.assemble import assemble
from bench.leaderboard.index import index_page
from bench.leaderboard.words import contamination
from bench.report.model_card import ModelCard
from bench.tables import write_table
from bench.workflow import finish
from tests.leaderboard.conftest import as_double, invoke, predictions, right, score, targets


def texts(runs: list[Path]) -> str:
    """What the sections of the first page say."""
    return "\n".join(text for section in index_page(assemble(runs)).sections for text in section.text)


def edited(run: Path, folder: Path, **changes: object) -> Path:
    """A copy of a run whose plan says something else, judged again."""
    copy = folder / f"{run.name}-edited"
    shutil.copytree(run, copy)
    plan = json.loads((copy / "run.json").read_text())
    for name, value in changes.items():
        plan[name] = {**plan["suite"], **value} if name == "suite" else value
    write_json(copy / "run.json", plan)
    finish(RunFolder(copy))
    return copy


def test_the_same_targets_share_a_table(planted: Path) -> None:
    (table,) = assemble([planted / "one", planted / "two"]).tables
    assert [member.name for member in table.board.members] == ["worst", "best", "twin", "middle"]


def test_other_targets_never_do(planted: Path, tmp_path: Path) -> None:
    targets(tmp_path / "T.parquet", people=30)
    predictions(tmp_path / "best.parquet", lambda p, r: right("best", p, r), people=30)
    other = score(tmp_path, "other", ["best"])
    found = assemble([planted / "one", other])
    assert [len(table.board.members) for table in found.tables] == [2, 1]
    said = texts([planted / "one", other])
    assert "the targets differ (sha256" in said
    assert "numbers on other targets are not comparable" in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"affectbench": "0.0.9"}, "affectbench 0.1.0 here, affectbench 0.0.9 there"),
        ({"suite": {"seed": 7}}, "seed 0 here, seed 7 there"),
        ({"suite": {"level": 0.9}}, "intervals of 95 % here, intervals of 90 % there"),
        ({"oracle": "align"}, "no stage given here, given what a stage would find (--oracle align) there"),
    ],
)
def test_other_settings_never_do(
    planted: Path, tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    copy = edited(planted / "two", tmp_path, **changes)
    assert len(assemble([planted / "one", copy]).tables) == 2
    assert words in texts([planted / "one", copy])


def test_a_run_given_a_stage_says_that_it_is_no_system(planted: Path, tmp_path: Path) -> None:
    assert "these are not numbers of a system" in texts([edited(planted / "two", tmp_path, oracle="align")])


def test_the_same_model_in_two_runs_is_one(planted: Path) -> None:
    found = assemble([planted / "one", planted / "all"])
    assert [s.name for s in found.submissions] == ["worst", "best", "twin", "middle"]
    (table,) = found.tables
    assert [len(member.sources) for member in table.board.members] == [2, 2, 1, 1]


def test_another_model_of_the_same_name_is_told_apart(planted: Path, tmp_path: Path) -> None:
    shutil.copy(planted / "T.parquet", tmp_path)
    predictions(tmp_path / "best.parquet", lambda p, r: right("worst", p, r + 1))
    found = assemble([planted / "one", score(tmp_path, "later", ["best"])])
    assert [s.name for s in found.submissions] == ["worst", "best (one)", "best (later)"]
    assert len({s.slug for s in found.submissions}) == 3


def test_one_model_with_other_predictions_is_refused(planted: Path, tmp_path: Path) -> None:
    """The plan says that it is the same model, and its cell is another."""
    copy = tmp_path / "copy"
    shutil.copytree(planted / "one", copy)
    cell = RunFolder(copy).cell("best", "T", "clean")
    shutil.copy(RunFolder(planted / "one").cell("worst", "T", "clean").predictions, cell.predictions)
    facts = cell.facts
    assert facts is not None
    cell.finish({k: v for k, v in facts.items() if not k.endswith("_sha256")})
    finish(RunFolder(copy))
    with pytest.raises(
        UserError, match=r"predictions of best on T, clean, are not those of .*Leave one of the runs out"
    ):
        assemble([planted / "one", copy])


def test_a_run_given_twice_is_refused(planted: Path) -> None:
    with pytest.raises(UserError, match="given twice"):
        assemble([planted / "one", planted / "two" / ".." / "one"])


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ((), False),
        (("--slice", "sex"), True),
        (("--slice", "sex", "--slice", "kind", "--slice", "sex&kind"), True),
    ],
)
def test_slices_that_together_show_what_is_withheld_are_refused(
    planted: Path, tmp_path: Path, asked: tuple[str, ...], refused: bool
) -> None:
    words = ["score", "--targets", planted / "T.parquet", "--predictions", planted / "best.parquet", "--out", tmp_path / "run",
             "--metric", "accuracy", "--tracking-uri", "off", "--quiet", *asked]  # fmt: skip
    assert invoke(*words).exit_code == 0
    if refused:
        with pytest.raises(UserError, match=r"it cuts T by other slices than .*could be worked out"):
            assemble([planted / "one", tmp_path / "run"])
    else:
        assert len(assemble([planted / "one", tmp_path / "run"]).tables) == 1


def test_runs_of_one_name_are_told_apart(planted: Path, tmp_path: Path) -> None:
    shutil.copytree(planted / "two", tmp_path / "one")
    assert [s.name for s in assemble([planted / "one", tmp_path / "one"]).sources] == ["one", "one #2"]


@pytest.mark.parametrize(
    ("file", "words"),
    [("estimates.parquet", "estimates, curves.* or report were changed"), ("cells", "unfinished or changed")],
)
def test_what_is_changed_or_unfinished_is_refused(
    planted: Path, tmp_path: Path, file: str, words: str
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(planted / "one", copy)
    if file == "cells":
        next((copy / "cells").rglob("cell.json")).unlink()
    else:
        shutil.copy(planted / "two" / file, copy / file)
    with pytest.raises(UserError, match=words):
        assemble([copy])


def test_a_run_without_estimates_says_what_is_unfinished(planted: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(planted / "one", copy)
    (copy / "estimates.parquet").unlink()
    next((copy / "cells").rglob("cell.json")).unlink()
    with pytest.raises(UserError, match="1 of 2 cells is unfinished"):
        assemble([copy])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--metric", "uaar"], "no run was judged by it. A metric of the runs .* accuracy, uar"),
        (["--metric", "coverage"], "it ranks nothing"),
        (
            ["--card", "nobody=CARD.md"],
            "it names no model of these runs. NAME=FILE, NAME one of: best, worst",
        ),
        (["--card", "best=/nowhere/CARD.md"], "it cannot be read: No such file"),
    ],
)
def test_refusals_of_the_command_touch_nothing(
    planted: Path, tmp_path: Path, words: list[str], told: str
) -> None:
    done = invoke("leaderboard", planted / "one", "--out", tmp_path / "site", *words)
    assert isinstance(done.exception, UserError)
    assert re.search(told, str(done.exception)), str(done.exception)
    assert not (tmp_path / "site").exists()


def test_a_metric_asked_for_ranks(planted: Path) -> None:
    (table,) = assemble([planted / "one"], metric="uar").tables
    assert table.metric == "uar"
    assert table.standing is not None
    assert table.standing.metric == "uar"


def test_contamination_is_declared_or_unknown(planted: Path, tmp_path: Path) -> None:
    (table,) = assemble([planted / "one"]).tables
    assert {contamination(table.board, member, None)[0] for member in table.board.members} == {"unknown"}
    known = edited(planted / "one", tmp_path)
    path = known / "run.json"
    plan = json.loads(path.read_text())
    plan["datasets"][0]["facts"]["trained_on_by"] = ["best"]
    write_json(path, plan)
    RunFolder(known).seal()
    (table,) = assemble([known]).tables
    assert {m.name: contamination(table.board, m, None)[0] for m in table.board.members} == {
        "best": "declared",
        "worst": "unknown",
    }


def test_media_of_a_data_set_that_was_trained_on_count_under_any_name(tmp_path: Path) -> None:
    """As FER+, whose images are those of FER2013: labels of others do not make media unseen."""
    path = targets(tmp_path / "T.parquet")
    table = pq.read_table(path)
    # All media but three are the same, and each is there twice.
    digests = {"old": [f"{n // 2:064x}" for n in range(len(table))],
               "new": [f"{n // 2 + 9000 * (n < 3):064x}" for n in range(len(table))]}  # fmt: skip
    for name, each in digests.items():
        write_table(table.append_column("sha256", [each]), tmp_path / f"{name}.parquet")
    for name in ("best", "worst"):
        predictions(tmp_path / f"{name}.parquet", lambda p, r, name=name: right(name, p, r))
    runs = [score(tmp_path, name, ["best", "worst"], targets_file=f"{name}.parquet") for name in digests]
    plan = json.loads((runs[0] / "run.json").read_text())
    plan["datasets"][0]["facts"]["trained_on_by"] = ["best"]
    write_json(runs[0] / "run.json", plan)
    RunFolder(runs[0]).seal()
    old, new = assemble(runs).tables
    flags = {m.name: contamination(new.board, m, None, new.shared) for m in new.board.members}
    assert flags["best"] == (
        "shared",
        "597 of 600 rows here are on media of old. The facts of old declare that best was trained on it.",
    )
    assert flags["worst"][0] == "unknown"
    assert contamination(old.board, old.board.members[0], None, old.shared)[0] == "declared"


def test_a_card_may_name_the_data_set(planted: Path) -> None:
    (table,) = assemble([planted / "one"]).tables
    board, member = table.board, table.board.members[0]
    object.__setattr__(
        board,
        "dataset",
        replace(board.dataset, facts=board.dataset.facts.model_copy(update={"name": "fer2013"})),
    )
    flags = {
        text: contamination(board, member, ModelCard(f"- **Training data**: {text}", "", ""))[0]
        for text in ("FER-2013, training part", "AffectNet", "fer 2012")
    }
    assert flags == {"FER-2013, training part": "card", "AffectNet": "unknown", "fer 2012": "unknown"}


def test_doubles_are_marked(planted: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(planted / "one", copy)
    as_double(copy, "worst")
    (table,) = assemble([copy]).tables
    assert [m.double for m in table.board.members] == [True, False]
