"""Locks: what they hold, what is refused, and in what a run may differ from one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.digest import digest_json
from bench.errors import UserError
from bench.folder import RunFolder
from bench.prereg import Lock, LockedData, LockedPolicy, claim, follow, make_lock, read_lock, write_lock
from bench.spec import Suite

POLICY = LockedPolicy(name="release", sha256="b" * 64)
SUITE = Suite(suite="s", slices=("sex", ("sex", "race"), "age"), bins={"age": (18.0, 65.5)})


def made(**suite: Any) -> Lock:
    data = LockedData(name="d", rows=10, score="1" * 64, run="2" * 64)
    return make_lock(SUITE.model_copy(update=suite), POLICY, [data])


def plan(kind: str = "run", digest: str = "2" * 64, rows: int = 10, **suite: Any) -> dict[str, Any]:
    """The plan of a run, as in run.json."""
    plain = SUITE.model_copy(update=suite).model_dump(mode="json")
    data = [{"name": "d", "digest": digest, "rows": rows, "facts": {}}]
    return {"kind": kind, "suite": plain, "suite_digest": digest_json(plain), "datasets": data}


def test_what_is_written_is_read_and_the_digest_is_of_all_of_it(tmp_path: Path) -> None:
    lock = made()
    write_lock(lock, tmp_path / "new" / "LOCK.json")
    assert read_lock(tmp_path / "new" / "LOCK.json") == lock
    written = json.loads((tmp_path / "new" / "LOCK.json").read_text())
    rest = {name: value for name, value in written.items() if name != "lock"}
    assert set(rest) == {"format", "affectbench", "suite", "suite_digest", "policy", "datasets", "time"}
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["LOCK.json"]
    assert written["lock"] == digest_json(rest)
    assert datetime.fromisoformat(written["time"]).utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(written["time"])) < timedelta(seconds=60)


def test_a_lock_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "LOCK.json"
    path.write_text("mine")
    with pytest.raises(UserError, match="it is there already"):
        write_lock(made(), path)
    assert path.read_text() == "mine"


def test_whatever_is_changed_in_a_lock_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "LOCK.json"
    write_lock(made(), path)
    written = json.loads(path.read_text())
    changes: list[dict[str, Any]] = [
        {"suite": {**written["suite"], "seed": 7}},
        {"suite_digest": "0" * 64},
        {"policy": {**written["policy"], "sha256": "0" * 64}},
        {"policy": None},
        {"datasets": [{**written["datasets"][0], "run": None}]},
        {"datasets": []},
        {"affectbench": "0.0.1"},
        {"time": "2020-01-01T00:00:00Z"},
        {"lock": "0" * 64},
    ]
    for change in changes:
        path.write_text(json.dumps(written | change))
        with pytest.raises(UserError, match="it was changed") as caught:
            read_lock(path)
        assert caught.value.where == str(path)


def test_a_suite_that_is_not_of_its_digest_is_seen_even_under_a_new_digest(tmp_path: Path) -> None:
    lock = made()
    content = json.loads(lock.model_copy(update={"suite": {**lock.suite, "seed": 7}}).model_dump_json())
    rest = {name: value for name, value in content.items() if name != "lock"}
    (tmp_path / "LOCK.json").write_text(json.dumps(content | {"lock": digest_json(rest)}))
    with pytest.raises(UserError, match="it was changed"):
        read_lock(tmp_path / "LOCK.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "this is no lock"), ("[]", "this is no lock"), ("{}", "this is no lock: format"), ("\xff", "no lock"),
        ('{"suite": NaN}', "this is no lock"),
    ],
)  # fmt: skip
def test_what_is_no_lock_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "LOCK.json").write_text(text)
    with pytest.raises(UserError, match=said):
        read_lock(tmp_path / "LOCK.json")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_no_suite_has_are_refused(tmp_path: Path, number: str) -> None:
    path = tmp_path / "LOCK.json"
    write_lock(made(), path)
    path.write_text(path.read_text().replace("65.5", number))
    with pytest.raises(UserError, match=r"this is no lock|it was changed"):
        read_lock(path)


def test_no_file_and_no_time_of_day_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        read_lock(tmp_path / "none.json")
    with pytest.raises(UserError, match="it cannot be read"):
        read_lock(tmp_path)
    write_lock(made(), tmp_path / "LOCK.json")
    written = json.loads((tmp_path / "LOCK.json").read_text())
    (tmp_path / "LOCK.json").write_text(
        json.dumps(written | {"time": "2026-01-01T00:00:00"})
    )  # of which zone
    with pytest.raises(UserError, match="this is no lock: time"):
        read_lock(tmp_path / "LOCK.json")


def test_a_lock_from_the_future_is_refused(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    west = (now - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%S-02:00")  # in 90 minutes
    for later in ((now + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"), west):
        at(later, tmp_path / "LOCK.json")
        with pytest.raises(UserError, match="which is yet to come"):
            read_lock(tmp_path / "LOCK.json")


def at(time: str, path: Path) -> None:
    """Write a lock of a time, with the digest that it then has."""
    content = json.loads(made().model_dump_json()) | {"time": time}
    rest = {name: value for name, value in content.items() if name != "lock"}
    path.write_text(json.dumps(content | {"lock": digest_json(rest)}))


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_time_that_no_clock_has_is_refused(tmp_path: Path, time: str) -> None:
    at(time, tmp_path / "LOCK.json")
    with pytest.raises(UserError, match=r"this is no lock|yet to come"):
        read_lock(tmp_path / "LOCK.json")


def test_a_lock_of_an_older_form_says_so(tmp_path: Path) -> None:
    content = json.loads(made().model_dump_json())
    del content["format"]
    (tmp_path / "LOCK.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="this is no lock: format"):
        read_lock(tmp_path / "LOCK.json")


def test_a_lock_that_another_made_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the writing: nothing is replaced, and nothing half written is left."""
    monkeypatch.setattr("bench.prereg.require_new", lambda path: path.write_text("theirs"))
    with pytest.raises(UserError, match="it cannot be written"):
        write_lock(made(), tmp_path / "LOCK.json")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("LOCK.json", "theirs")]


def test_a_field_that_is_not_there_is_not_an_empty_one() -> None:
    """As of a suite of a version that had no such field: the digests differ, and the run does not follow."""
    lock, other = made(), plan()
    gone = {name: value for name, value in other["suite"].items() if value is not None}
    assert gone != other["suite"]
    said = follow(lock, other | {"suite": gone, "suite_digest": digest_json(gone)})
    assert not said.followed
    assert (said.differs or "").endswith(" of the suite: in the lock alone")
    more = {**other["suite"], "new": None}
    said = follow(lock, other | {"suite": more, "suite_digest": digest_json(more)})
    assert said.differs == "new of the suite: not in the lock"


def test_a_run_and_a_score_of_the_locked_plan_follow_it() -> None:
    lock = made()
    for one in (plan(), plan("score", "1" * 64)):
        said = follow(lock, one)
        assert (said.followed, said.differs, said.lock, said.policy) == (True, None, lock.lock, POLICY)
        assert datetime.fromisoformat(said.time) == lock.time
        assert said.covers(POLICY.sha256)
        assert not said.covers("c" * 64)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (plan(slices=("sex", "age", "skin")), 'slices of the suite: "skin" is added and ["sex","race"] is left out'),
        (plan(slices=("sex", "age")), 'slices of the suite: ["sex","race"] is left out'),
        (plan(slices=(("sex", "race"), "sex", "age")), "slices of the suite: in another order"),
        (plan(seed=7), "seed of the suite: 7, and 0 in the lock"),
        (plan(suite="t", seed=7), 'suite of the suite: "t", and "s" in the lock'),
        (plan(rows=9), "d has 9 targets, and 10 in the lock"),
        (plan("score"), f"the targets of d are others ({'2' * 12}, and {'1' * 12} in the lock)"),
        (plan(digest="3" * 64), f"the targets or media of d are others ({'3' * 12}, and {'2' * 12} in the lock)"),
        (plan() | {"datasets": [{"name": "e", "rows": 10}]}, "the data are e, and d in the lock"),
    ],
)  # fmt: skip
def test_the_first_difference_in_words(other: dict[str, Any], said: str) -> None:
    found = follow(made(), other)
    assert (found.followed, found.differs) == (False, said)
    assert not found.covers(POLICY.sha256)


def test_a_lock_without_media_is_followed_by_no_run() -> None:
    data = LockedData(name="d", rows=10, score="1" * 64, run=None)
    lock = make_lock(SUITE, None, [data])
    assert follow(lock, plan()).differs == "the lock does not know the media of d"
    assert follow(lock, plan("score", "1" * 64)).followed


def test_a_run_goes_on_with_its_lock_alone(tmp_path: Path) -> None:
    lock, other = made(), made(seed=7)
    claim(RunFolder(tmp_path / "with"), plan(), lock)
    assert RunFolder(tmp_path / "with").plan["lock"]["lock"] == lock.lock
    claim(RunFolder(tmp_path / "with"), plan(), lock)
    with pytest.raises(UserError, match="these differ: lock"):
        claim(RunFolder(tmp_path / "with"), plan(), None)
    claim(RunFolder(tmp_path / "without"), plan(), None)
    before = (tmp_path / "without" / "run.json").read_bytes()
    its = f"Give the lock {lock.lock[:12]} that it began with"
    for name, given, remedy in (("with", other, its), ("without", lock, "Leave it out")):
        with pytest.raises(UserError, match="began without it") as caught:
            claim(RunFolder(tmp_path / name), plan(), given)
        assert caught.value.where == "--lock"
        assert caught.value.remedy == f"{remedy} to finish that run, or choose another --out"
    assert (tmp_path / "without" / "run.json").read_bytes() == before
