"""From the words of the command line to the question: which suite, which targets."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError, listed, nearest
from bench.question import Place, Question, reread
from bench.spec import DataSource, Suite
from bench.tables import Targets, read_table, validate_targets
from bench.tables.attributes import join_attributes
from bench.tables.targets import carried_facts

__all__ = ["Words", "ask", "map_columns", "name_files", "name_frames", "pairs"]


@dataclass(frozen=True)
class Words:
    """The flags that say what is asked, as typed."""

    suite: str | None = None
    data: Sequence[str] = ()
    targets: Path | None = None
    root: Path | None = None
    labels: str | None = None
    aligned: bool = False
    slices: Sequence[str] = ()
    bins: Sequence[str] = ()
    metrics: Sequence[str] = ()
    controls: Sequence[str] = ()
    attributes: Sequence[str] = ()


def ask(words: Words) -> Question:
    """Read the suite and the targets; a table on the command line stands in for the suite's one data set."""
    if words.suite is not None and words.targets is None and not words.data:
        suite, _ = _suite(words)
        needed = " ".join(f"--data {key}=DIR" for key in [s.key for s in suite.data] or ["ADAPTER[@SPLIT]"])
        or_a_table = ", or --targets T for a table of your own in place of its data"
        raise UserError(
            "--suite", f"{suite.suite} needs to know where its data lie",
            needed + (or_a_table if len(suite.data) <= 1 else ""), f"Add {needed}",
        )  # fmt: skip
    if (words.targets is None) == (not words.data):
        raise UserError(
            "--targets", "exactly one source of data is needed",
            "--targets T (with --suite S too, for its conditions, slices and metrics), or "
            "--suite S --data NAME=ROOT",
            "Give either --targets or --data",
        )  # fmt: skip
    if words.data:
        _refuse_facts_of_a_table(words)
    suite, place = _suite(words)
    if words.targets is not None:
        table = _table(words, words.targets, suite)
        targets = {table.facts.name: table}
    else:
        targets = _data(words, suite)
    targets = _with_attributes(targets, words.attributes)
    question = Question(suite, targets, place)
    return reread(question, words.slices, words.metrics, _bins(words), words.controls)


def pairs(items: Sequence[str], flag: str, shape: str) -> dict[str, str]:
    """Read ``NAME=VALUE`` flags; UserError for another shape or a repeated name.

    >>> pairs(["a=1", "b=2"], "--data", "NAME=ROOT")
    {'a': '1', 'b': '2'}
    """
    found: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not (name and equals and value):
            raise UserError(flag, f"{item!r} has another shape", f"{flag} {shape}", "Write it like this")
        if name in found:
            raise UserError(flag, f"{name!r} is given twice", "Each name once", "Remove one of the two")
        found[name] = value
    return found


def name_files(items: Sequence[str]) -> dict[str, Path]:
    """Read ``[NAME=]FILE`` flags; a file without a name has its stem.

    >>> name_files(["face=P.csv", "voice.parquet"])
    {'face': PosixPath('P.csv'), 'voice': PosixPath('voice.parquet')}
    """
    named = [item if "=" in item else f"{Path(item).stem}={item}" for item in items]
    return {name: Path(path) for name, path in pairs(named, "--predictions", "[NAME=]FILE").items()}


def name_frames(items: Sequence[str], names: Sequence[str]) -> dict[str, Path]:
    """Read ``NAME=FILE`` flags; UserError for a name that no predictions have.

    >>> name_frames(["face=F.parquet"], ["face", "voice"])
    {'face': PosixPath('F.parquet')}
    """
    found = pairs(items, "--frames", "NAME=FILE")
    for name in found:
        if name not in names:
            raise UserError(
                "--frames", f"{name!r} is none of the predictions.{nearest(name, names)}",
                f"--predictions NAME=FILE gives the names: {listed(names)}", "Correct the name",
            )  # fmt: skip
    return {name: Path(path) for name, path in found.items()}


def map_columns(items: Sequence[str], path: Path | None, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Our column names to those of each predictions table, by its name.

    ``[NAME:]OURS=YOURS`` flags win over a YAML file of ``ours: yours`` lines, and in each of them what is
    said of one NAME over what is said of all. UserError where NAME is none of the predictions.

    >>> map_columns(["target=id", "new:target=clip"], None, ["old", "new"])
    {'old': {'target': 'id'}, 'new': {'target': 'clip'}}
    """
    written: dict[str, str] = {}
    if path is not None:
        from bench.suite import read_mapping

        written = read_mapping(path)
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    for said, flag in ((written, str(path)), (pairs(items, "--column", "[NAME:]OURS=YOURS"), "--column")):
        split = {key: _name_and_column(key, names, flag) for key in said}
        for key in sorted(said, key=lambda key: split[key][0] is not None):  # what is of one name comes last
            name, ours = split[key]
            for each in names if name is None else (name,):
                found[each][ours] = said[key]
    return found


def _name_and_column(key: str, names: Sequence[str], where: str) -> tuple[str | None, str]:
    """The parts of ``NAME:OURS``, None for a column of all; a label's name may have a colon too."""
    for name in names:
        if key.startswith(f"{name}:"):
            return name, key.removeprefix(f"{name}:")
    name, colon, _ = key.partition(":")
    if colon and not key.startswith("p_"):
        raise UserError(
            where, f"{key!r} is of {name!r}, which no predictions are called.{nearest(name, names)}",
            f"--predictions NAME=FILE gives the names: {listed(names)}", "Correct the name",
        )  # fmt: skip
    return None, key


def _with_attributes(targets: dict[str, Targets], items: Sequence[str]) -> dict[str, Targets]:
    """The targets with the attributes of ``[NAME=]FILE`` flags; NAME where there are several data sets."""
    found = dict(targets)
    for item in items:
        name, equals, path = item.partition("=")
        if not equals and len(targets) == 1:
            (name,), path = targets, item
        elif "@" in name and name not in targets:  # as it was written at --data
            name = _source(name).key
        if name not in targets:
            raise UserError(
                "--attributes", f"{item!r} is of no data set.{nearest(name, targets)}",
                f"--attributes NAME=FILE, where NAME is one of: {listed(targets)}", "Write it like this",
            )  # fmt: skip
        found[name] = join_attributes(found[name], Path(path))
    return found


def _refuse_facts_of_a_table(words: Words) -> None:
    """Raise UserError for a flag that says what --targets are, beside --data: it would change nothing."""
    given = {
        "--root": (words.root is not None, "--data NAME=ROOT says where the media lie"),
        "--aligned": (words.aligned, "write 'media_kind: aligned' at the data set in the suite"),
        "--labels": (
            words.labels is not None,
            f"write 'labels: {words.labels}' at the data set in the suite",
        ),
    }
    for flag, (is_given, instead) in given.items():
        if is_given:
            raise UserError(
                flag, "it is given beside --data", f"{flag} is a fact of the table of --targets",
                f"Take it out; {instead}",
            )  # fmt: skip


def _bins(words: Words) -> dict[str, tuple[float, ...]]:
    """Read ``ATTRIBUTE=EDGES`` flags; UserError for edges that are no numbers or do not ascend."""
    found = {}
    for name, text in pairs(words.bins, "--bins", "ATTRIBUTE=EDGES, as in age=30,45,60").items():
        try:
            edges = tuple(float(edge) for edge in text.split(","))
        except ValueError:
            edges = ()
        if not edges or list(edges) != sorted(set(edges)) or not all(map(math.isfinite, edges)):
            raise UserError(
                "--bins", f"the edges of {name!r} are {text!r}", "Numbers that ascend, as in age=30,45,60",
                "Correct the edges",
            )  # fmt: skip
        found[name] = edges
    return found


def _suite(words: Words) -> tuple[Suite, Place]:
    if words.suite is not None:
        from bench.suite import find_suite, read_suite

        plan = read_suite(find_suite(words.suite))
        return plan.suite, plan.place
    if words.targets is None:
        raise UserError(
            "--data", "there is no suite to say what the data are", "--suite S --data NAME=ROOT",
            "Add --suite; 'affectbench suite list' names the shipped ones",
        )  # fmt: skip
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", words.targets.stem).strip("._-")[:64] or "table"
    return Suite(suite=name, data=(DataSource(adapter="manifest"),)), lambda kind, _name: f"--{kind}"


def _table(words: Words, path: Path, suite: Suite) -> Targets:
    """The targets of --targets: facts from flags, over the suite's one data set, over the file itself."""
    from bench.predict.datasets.adapter import overridden

    if words.root is not None and not words.root.is_dir():
        raise UserError(
            "--root", f"there is no folder {str(words.root)!r}", "The media of --targets lie under it",
            "Correct the path",
        )  # fmt: skip
    if len(suite.data) > 1:
        raise UserError(
            "--targets", f"the suite {suite.suite} has {len(suite.data)} data sets: "
            f"{listed(source.key for source in suite.data)}",
            "A table takes the place of one data set, with what the suite says of its labels and clusters",
            "Name a suite of one data set, or give " + " ".join(f"--data {s.key}=DIR" for s in suite.data),
        )  # fmt: skip
    source = suite.data[0] if suite.data else DataSource(adapter="manifest")
    source = source.model_copy(update={"name": None})
    said = {"labels": words.labels, "media_kind": "aligned" if words.aligned else None}
    source = source.model_copy(update={k: v for k, v in said.items() if v is not None})
    table = read_table(path)
    facts = overridden(carried_facts(table, path), source)
    return validate_targets(table, facts, str(path), words.root or path.parent)


def _data(words: Words, suite: Suite) -> dict[str, Targets]:
    from bench.predict.datasets import open_data

    roots = pairs(words.data, "--data", "NAME=ROOT")
    wanted = {source.key: source for source in suite.data} or {name: _source(name) for name in roots}
    if set(roots) != set(wanted):
        raise UserError(
            "--data", f"given: {listed(roots)}", f"The suite {suite.suite} asks for: {listed(wanted)}",
            "Give one NAME=ROOT for each",
        )  # fmt: skip
    return {source.key: open_data(source, Path(roots[name])) for name, source in wanted.items()}


def _source(name: str) -> DataSource:
    """The data set that ``ADAPTER`` or ``ADAPTER@SPLIT`` means beside a suite that names none."""
    adapter, at, split = name.partition("@")
    if not adapter:
        raise UserError(
            "--data", f"{name!r} names no data set", "--data ADAPTER=DIR, or ADAPTER@SPLIT=DIR",
            "Name the data set",
        )  # fmt: skip
    called = re.sub(r"[^A-Za-z0-9_.-]", "-", name)[:64] if at else None
    return DataSource(adapter=adapter, name=called, split=split if at else None)
