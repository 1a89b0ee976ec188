"""The site on disk: the same bytes, whole or not at all, nothing of others lost, and hostile names harmless."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.leaderboard import site as site_module
from bench.leaderboard.assemble import Leaderboard, assemble
from bench.leaderboard.site import require_place, write_site
from bench.report.notes import of_dataset
from bench.report.results import read_results
from tests.leaderboard.conftest import as_double, invoke, predictions, right

SCRIPT = "<script>alert(1)</script>"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_runs_give_the_same_bytes(planted: Path, site: Path, tmp_path: Path) -> None:
    runs = tmp_path / "moved"
    runs.mkdir()
    for name in ("one", "two", "three"):
        shutil.copytree(planted / name, runs / name)
    write_site(
        assemble([runs / name for name in ("one", "two", "three")], title="Planted <b>"), tmp_path / "again"
    )
    assert contents(tmp_path / "again") == contents(site)
    assert str(planted).encode() not in b"".join(contents(site).values())


def test_a_site_takes_the_place_of_a_site(board: Leaderboard, planted: Path, tmp_path: Path) -> None:
    write_site(board, tmp_path / "site")
    write_site(assemble([planted / "three"]), tmp_path / "site")
    assert not (tmp_path / "site" / "compare").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    marker = json.loads((tmp_path / "site" / "site.json").read_text())
    held = contents(tmp_path / "site")
    assert marker["files"] == {n: hashlib.sha256(d).hexdigest() for n, d in held.items() if n != "site.json"}


def test_an_empty_folder_is_a_place(board: Leaderboard, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    write_site(board, tmp_path / "site")
    assert (tmp_path / "site" / "index.html").is_file()


def hold_others(out: Path) -> None:
    out.mkdir()
    (out / "thesis.txt").write_text("mine")


def hold_more(out: Path) -> None:
    (out / "models" / "notes.txt").write_text("mine")


def be_a_file(out: Path) -> None:
    out.write_text("mine")


def be_a_link(out: Path) -> None:
    (out.parent / "elsewhere").mkdir()
    out.symlink_to(out.parent / "elsewhere")


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (hold_others, "it holds files and no leaderboard"),
        (hold_more, r"files that are not of the leaderboard: models/notes\.txt"),
        (be_a_file, "it is no folder"),
        (be_a_link, "it is no folder"),
    ],
)
def test_what_is_not_ours_is_never_touched(
    board: Leaderboard, planted: Path, tmp_path: Path, prepare: object, words: str
) -> None:
    out = tmp_path / "site"
    if prepare is hold_more:
        write_site(board, out)
    prepare(out)  # type: ignore[operator]
    before = contents(tmp_path)
    with pytest.raises(UserError, match=words):
        write_site(board, out)
    done = invoke("leaderboard", planted / "one", "--out", out)
    assert isinstance(done.exception, UserError)
    assert contents(tmp_path) == before


def test_a_write_that_fails_leaves_what_was_there(
    board: Leaderboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "site"
    write_site(board, out)
    before = contents(out)
    moved = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if Path(target) == out and not self.name.endswith(".old"):
            raise OSError(28, "No space left on device")
        return moved(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(UserError, match="cannot be written: No space left"):
        write_site(board, out)
    assert contents(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_nothing_is_written_before_everything_is_made(
    board: Leaderboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_module, "downloads", lambda found: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_site(board, tmp_path / "site")
    assert list(tmp_path.iterdir()) == []


def test_a_policy_allows_this_style_and_this_script_alone(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
        assert policy is not None
        for tag in ("style", "script"):
            (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
            digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy[1]
        assert policy[1].startswith("default-src 'none'")
        assert "unsafe" not in policy[1]
        assert not re.search(r"\son\w+=|https?://", text)


def test_hostile_names_are_text(planted: Path, tmp_path: Path) -> None:
    shutil.copy(planted / "T.parquet", tmp_path)
    hostile = tmp_path / "h.parquet"
    predictions(hostile, lambda p, r: right("best", p, r + 1))
    words = ["score", "--targets", tmp_path / "T.parquet", "--predictions", f"{SCRIPT}\u202e\"'={hostile}",
             "--out", tmp_path / "run", "--metric", "accuracy", "--tracking-uri", "off", "--quiet"]  # fmt: skip
    done = invoke(*words)
    assert done.exit_code == 0, done.exception
    card = tmp_path / "CARD.md"
    card.write_text(f"# {SCRIPT}\n\n- **Training data**: {SCRIPT} </blockquote>\n")
    name = assemble([tmp_path / "run"]).submissions[0].name
    found = assemble([planted / "one", tmp_path / "run"], title=SCRIPT, cards=[f"{name}={card}"])
    write_site(found, tmp_path / "site")
    for path in (tmp_path / "site").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert text.count("<script>") == 1
        assert SCRIPT not in text
        assert "\u202e" not in text
        assert path.name.isascii()
    page = next((tmp_path / "site" / "models").glob("script*")).read_text(encoding="utf-8")
    assert "<blockquote" in page
    assert "&lt;/blockquote&gt;" in page
    assert "unchecked: given as CARD.md" in page


def test_no_page_promises_anything(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8").lower()
        for word in ("compliant", "certified", "ai act pass", "presumption of conformity", "unbiased"):
            assert word not in text


def test_there_is_no_composite_score_and_it_says_why(site: Path) -> None:
    assert "There is no composite score." in (site / "boards" / "board-1.html").read_text(encoding="utf-8")


def test_the_command_prints_its_tables(planted: Path, tmp_path: Path) -> None:
    done = invoke(
        "leaderboard", planted / "one", planted / "two", "--out", tmp_path / "site", "--title", "Ours"
    )
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "1. T: 4 models, ranked by accuracy (WAR)",
        f"leaderboard: {tmp_path / 'site' / 'index.html'}",
    ]
    assert "<title>Ours</title>" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


def test_a_place_is_checked_before_runs_are_read(tmp_path: Path) -> None:
    hold_others(tmp_path / "site")
    with pytest.raises(UserError, match="no leaderboard"):
        require_place(tmp_path / "site")
    done = invoke("leaderboard", tmp_path / "nothing", "--out", tmp_path / "site")
    assert "it holds files and no leaderboard" in str(done.exception)


def test_doubles_alone_are_shown_and_not_ranked(planted: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(planted / "one", copy)
    as_double(copy, "best")
    as_double(copy, "worst")
    write_site(assemble([copy]), tmp_path / "site")
    assert "fewer than two models have a value" in (tmp_path / "site" / "index.html").read_text(
        encoding="utf-8"
    )
    assert not (tmp_path / "site" / "huggingface").exists()


def test_a_card_of_the_zoo_is_given_where_its_file_ran(planted: Path, tmp_path: Path) -> None:
    from bench.digest import digest_file
    from bench.folder import RunFolder, write_json
    from bench.shipped import shipped
    from bench.workflow import finish

    copy = tmp_path / "run"
    shutil.copytree(planted / "one", copy)
    plan = json.loads((copy / "run.json").read_text())
    own = digest_file(shipped("model_zoo") / "mini-xception" / "model.py")
    for model, digest in zip(plan["models"], (own, "0" * 64), strict=True):
        model["entry"], model["code_sha256"] = "mini-xception", {"mini-xception/model.py": digest}
    write_json(copy / "run.json", plan)
    finish(RunFolder(copy))
    found = assemble([copy])
    card = found.cards["worst"]
    assert list(found.cards) == ["worst"]  # the other ran another file, whatever it is called
    results = read_results(copy)
    facts = results.datasets[0].facts
    known = replace(results.datasets[0], facts=facts.model_copy(update={"name": "fer2013"}))
    told = "worst (by its card, which may say which part)"
    assert dict(of_dataset(results, known))["Trained on by"] == told
    assert card.trained_on is not None
    assert card.trained_on.startswith(
        "FER2013, training part. The images, 48 x 48 grey, come with no attribute"
    )
    assert card.text == (shipped("model_zoo") / "mini-xception" / "CARD.md").read_text(encoding="utf-8")
    assert hashlib.sha256(card.text.encode()).hexdigest() == card.sha256


def test_a_card_is_text(planted: Path, tmp_path: Path) -> None:
    (tmp_path / "CARD.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="it is not UTF-8 text"):
        assemble([planted / "one"], cards=[f"best={tmp_path / 'CARD.md'}"])
    (tmp_path / "CARD.md").write_text("a" * 200_001)
    with pytest.raises(UserError, match="it has 200,001 bytes"):
        assemble([planted / "one"], cards=[f"best={tmp_path / 'CARD.md'}"])
