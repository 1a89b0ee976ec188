"""Plans locked before a run: suite, policy and targets under one digest, in a file that is made once.

A run follows a lock if it has the suite and the targets of the lock; where it differs it says in what first.
A digest guards against a changed file, not against whoever makes a new one: when a lock was made is what the
file says, so a lock that is to convince others lies where they can see since when. Refused are a lock whose
content is not that of its digest, one from the future, and one over a file that is there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, ValidationError

from bench import __version__
from bench.digest import canonical_json, digest_json
from bench.errors import UserError, counted, listed
from bench.folder import RunFolder, save
from bench.spec import Record, Suite

__all__ = [
    "Followed", "Lock", "LockedData", "LockedPolicy", "claim", "follow", "make_lock", "read_lock",
    "require_new", "write_lock",
]  # fmt: skip

_LONG = 60


class LockedPolicy(Record):
    """The name of a policy and the sha256 of its file."""

    name: str
    sha256: str


class LockedData(Record):
    """A data set: the digests that its targets have in a ``score`` and, with their media, in a ``run``.

    ``run`` is None where the media could not be read when the lock was made.
    """

    name: str
    rows: int
    score: str
    run: str | None


class Lock(Record):
    """A plan: ``lock`` is the digest of everything else; ``time`` is UTC."""

    format: Literal[2]
    affectbench: str
    suite: dict[str, Any]
    suite_digest: str
    policy: LockedPolicy | None
    datasets: tuple[LockedData, ...]
    time: AwareDatetime
    lock: str


class Followed(Record):
    """What a run says of the lock that it was given: which, and in what it ``differs`` if it does."""

    lock: str
    time: str
    policy: LockedPolicy | None
    followed: bool
    differs: str | None

    def covers(self, policy: str) -> bool:
        """Whether the run followed a lock that names the policy of a digest."""
        return self.followed and self.policy is not None and self.policy.sha256 == policy


def make_lock(suite: Suite, policy: LockedPolicy | None, datasets: Sequence[LockedData]) -> Lock:
    """Lock a plan, now."""
    plain = suite.model_dump(mode="json")
    content = {
        "format": 2, "affectbench": __version__, "suite": plain, "suite_digest": digest_json(plain),
        "policy": policy, "datasets": tuple(datasets), "time": datetime.now(UTC).replace(microsecond=0),
    }  # fmt: skip
    lock = Lock(**content, lock="")
    return lock.model_copy(update={"lock": _digest(lock)})


def require_new(path: Path) -> None:
    """UserError where something is there: a lock is made once."""
    if path.exists() or path.is_symlink():
        raise UserError(
            str(path), "it is there already", "A lock is made once, and never written over",
            "Choose another --out",
        )  # fmt: skip


def write_lock(lock: Lock, path: Path) -> None:
    """Write a lock as JSON for people; UserError where something is there or nothing can be."""
    require_new(path)
    text = json.dumps(lock.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False)
    save(path, text + "\n", "new")


def read_lock(path: Path) -> Lock:
    """Read a lock; UserError names the file where it is none, was changed, or lies in the future."""
    try:
        lock = Lock.model_validate_json(path.read_bytes(), strict=True)
        whole = lock.lock == _digest(lock) and lock.suite_digest == digest_json(lock.suite)
        lock.time.astimezone(UTC)
    except FileNotFoundError:
        raise _refused(path, "there is no such file", "Correct the path") from None
    except OSError as error:
        raise _refused(path, f"it cannot be read: {error.strerror}", "Correct the path") from None
    except ValidationError as error:
        first = error.errors()[0]
        named = ".".join(map(str, first["loc"]))
        found = f"this is no lock: {f'{named}: ' if named else ''}{first['msg']}"
        raise _refused(path, found, "Correct the path") from None
    except (OverflowError, ValueError) as error:  # times and numbers that no lock has
        raise _refused(path, f"this is no lock: {error}", "Correct the path") from None
    if not whole:
        raise _refused(
            path, "it was changed: its content is not that of its digest", "Take it as it was made"
        )
    if lock.time > datetime.now(UTC):
        raise _refused(
            path, f"it says that it was made at {_said(lock)}, which is yet to come", "Set the clock"
        )
    return lock


def _refused(path: Path, found: str, remedy: str) -> UserError:
    return UserError(
        str(path),
        found,
        "A file that 'affectbench suite lock' wrote, before the run and never changed",
        remedy,
    )


def _digest(lock: Lock) -> str:
    return digest_json(lock.model_dump(mode="json", exclude={"lock"}))


def _said(lock: Lock) -> str:
    """The time of a lock, in UTC.

    >>> _said(Lock.model_construct(time=datetime(2026, 3, 1, 9, 30, tzinfo=UTC)))
    '2026-03-01T09:30:00Z'
    """
    return lock.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def follow(lock: Lock, plan: dict[str, Any]) -> Followed:
    """Hold the plan of a run, as in its ``run.json``, against a lock."""
    differs = next(_differences(lock, plan), None)
    return Followed(
        lock=lock.lock, time=_said(lock), policy=lock.policy, followed=differs is None, differs=differs
    )


def claim(folder: RunFolder, plan: dict[str, Any], lock: Lock | None) -> RunFolder:
    """Claim the folder of a run for its plan, with what is to be said of the lock that it was given.

    UserError where the run began without it, or as ``RunFolder.claim``.
    """
    if lock is None:
        return folder.claim(plan)
    said = follow(lock, plan).model_dump(mode="json")
    before = folder.plan.get("lock") if (folder.path / "run.json").is_file() else said
    if before != said:
        other = before.get("lock") if isinstance(before, dict) else None
        its = "Leave it out" if other is None else f"Give the lock {str(other)[:12]} that it began with"
        raise UserError(
            "--lock", f"the run in {str(folder.path)!r} began without it",
            "A lock is made before a run, and given to it from its start",
            f"{its} to finish that run, or choose another --out",
        )  # fmt: skip
    return folder.claim(plan | {"lock": said})


def _differences(lock: Lock, plan: dict[str, Any]) -> Iterator[str]:
    """In what a plan is not as locked, in words, what comes first in a suite first."""
    if plan["suite_digest"] != lock.suite_digest:
        for name in dict.fromkeys([*plan["suite"], *lock.suite]):
            yield from _of_field(name, lock.suite, plan["suite"])
    locked = {data.name: data for data in lock.datasets}
    names = [entry["name"] for entry in plan["datasets"]]
    if set(names) != set(locked):
        yield f"the data are {listed(names)}, and {listed(locked)} in the lock"
        return
    for entry in plan["datasets"]:
        yield from _of_data(locked[entry["name"]], entry, plan["kind"])


def _of_field(name: str, locked: dict[str, Any], suite: dict[str, Any]) -> Iterator[str]:
    """How a field of a suite differs; one that is not there is not one that is empty."""
    called = f"{name.replace('_', ' ')} of the suite"
    if (name in locked) != (name in suite):
        yield f"{called}: {'not in the lock' if name in suite else 'in the lock alone'}"
    elif canonical_json(locked[name]) != canonical_json(suite[name]):
        yield f"{called}: {_apart(locked[name], suite[name])}"


def _of_data(locked: LockedData, entry: dict[str, Any], kind: str) -> Iterator[str]:
    digest = locked.run if kind == "run" else locked.score
    if digest is None:
        yield f"the lock does not know the media of {locked.name}"
    elif locked.rows != entry["rows"]:
        yield f"{locked.name} has {counted(entry['rows'], 'target')}, and {locked.rows} in the lock"
    elif digest != entry["digest"]:
        what = "the targets or media" if kind == "run" else "the targets"
        yield f"{what} of {locked.name} are others ({entry['digest'][:12]}, and {digest[:12]} in the lock)"


def _apart(then: Any, now: Any) -> str:
    """How a field of a suite differs; of lists, what was added and what is left out.

    >>> _apart(["sex"], ["sex", "age"]), _apart(0, 1)
    ('"age" is added', '1, and 0 in the lock')
    """
    if not (isinstance(then, list) and isinstance(now, list)):
        return f"{_shown(now)}, and {_shown(then)} in the lock"
    added, gone = ([one for one in a if one not in b] for a, b in ((now, then), (then, now)))
    said = [(added, "added"), (gone, "left out")]
    parts = [
        f"{listed([_shown(one) for one in some], 3)} {'is' if len(some) == 1 else 'are'} {what}"
        for some, what in said
        if some
    ]
    return " and ".join(parts) or "in another order"


def _shown(value: Any) -> str:
    text = canonical_json(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."
