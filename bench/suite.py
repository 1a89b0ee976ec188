"""Suites on disk: YAML in, ``Suite`` out, with errors that name file and line.

A suite is a document of plain data (``bench.document``). What flags add to a suite is held against the same
rules, with errors that name the flag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ValidationError

from bench.document import Loc, Terms, explain, fault, read_document, shown
from bench.errors import UserError, listed, nearest
from bench.folder import RunFolder
from bench.shipped import shipped
from bench.spec import Condition, DataSource, SliceRule, Suite

__all__ = ["Plan", "extend", "find_suite", "planned_suite", "read_mapping", "read_suite"]

_RECORDS: dict[str, type[BaseModel]] = {"data": DataSource, "conditions": Condition, "slice_rule": SliceRule}
_TERMS = Terms(
    lambda loc: (_RECORDS.get(str(loc[0]), Suite) if len(loc) > 1 else Suite).model_fields,
    {"slices": "the name of an attribute, or a list of names for an intersection"},
    {name: record.model_fields for name, record in _RECORDS.items()},
)
_FLAGS = {  # by the field that a flag adds to: the flag, and what to do where that makes no suite
    "slices": ("--slice", "Write --slice sex or --slice 'race&sex', each attribute once"),
    "controls": ("--control", "Write --slice sex --control age, each attribute once"),
    "bins": ("--bins", "Slice by it too, as in --slice age --bins age=30,45,60"),
    "metrics": ("--metric", "Correct the metric's name"),
    "primary": ("--metric", "Name the metrics of the suite's primary tests too"),
}


@dataclass(frozen=True)
class Plan:
    """A suite, the file it came from, and where in it each thing stands."""

    suite: Suite
    path: Path
    lines: dict[Loc, int] = field(default_factory=dict, repr=False)

    def place(self, kind: str, name: str) -> str:
        """Say where the file names a "slice", "control", "metric", "perturbation", "bins", "primary" ...

        ``file:line``, or the file alone where the suite does not name it; of a slice, one of its attributes.
        """
        for loc in self._places(kind, name):
            if loc in self.lines:
                return f"{self.path}:{self.lines[loc]}"
        return str(self.path)

    def _places(self, kind: str, name: str) -> list[Loc]:
        suite = self.suite
        if kind == "slice":
            whole: list[Loc] = [("slices", i) for i, s in enumerate(suite.slices) if s == name]
            parts = [(i, s) for i, s in enumerate(suite.slices) if not isinstance(s, str) and name in s]
            return whole + [("slices", i, s.index(name)) for i, s in parts]
        if kind in ("metric", "control", "primary"):
            field = {"metric": "metrics", "control": "controls"}.get(kind, kind)
            return [(field, i) for i, named in enumerate(getattr(suite, field)) if named == name]
        if kind == "perturbation":
            return [("conditions", i, "perturb") for i, c in enumerate(suite.conditions) if c.perturb == name]
        if kind == "bins":
            return [("bins", name)]
        if kind not in ("adapter", "data"):
            raise ValueError(f"a suite has no {kind!r}")
        named = [d.adapter if kind == "adapter" else d.key for d in suite.data]
        return [("data", i, "adapter") for i, found in enumerate(named) if found == name]


def find_suite(name: str) -> Path:
    """The file of a suite given by path or by the name of a shipped one.

    >>> find_suite("crema-d").name
    'crema-d.yaml'

    Raises UserError where it is neither.
    """
    if Path(name).is_file():
        return Path(name)
    folder = shipped("suites")
    known = [path.stem for path in folder.glob("*.yaml")]
    if name not in known:
        raise UserError(
            name, f"there is no such file and no such suite.{nearest(name, known)}",
            f"Shipped suites: {listed(known)}", "Name one of them or the path of a YAML file",
        )  # fmt: skip
    return folder / f"{name}.yaml"


def read_suite(path: Path) -> Plan:
    """Read and validate a suite; UserError names file and line of the first fault."""
    document = read_document(path)
    return Plan(document.read(Suite, _TERMS), path, document.lines)


def planned_suite(run: RunFolder) -> Suite:
    """The suite that a run was planned with; UserError where this version has no such suite.

    Older versions took suites that this one refuses.
    """
    try:
        return Suite.model_validate(run.plan["suite"])
    except KeyError:
        found, allowed = "there is no suite", "The plan of a run has one"
    except ValidationError as error:
        details = error.errors()[0]
        found, allowed = explain(details, details["loc"][:2], _TERMS)[:2]
    remedy = "Run it again, with a suite of this version, or use the version that wrote it"
    raise UserError(str(run.path / "run.json"), found, allowed, remedy)


def extend(suite: Suite, added: Mapping[str, object]) -> Suite:
    """The suite with ``slices``, ``bins`` and ``metrics`` as flags make them; UserError names the flag."""
    try:
        return Suite.model_validate({**suite.model_dump(), **added}, strict=True)
    except ValidationError as error:
        details = error.errors()[0]
        flag, remedy = _FLAGS[str(details["loc"][0])]
        found, allowed = explain(details, details["loc"][:2], _TERMS)[:2]
        raise UserError(flag, found, allowed, remedy) from None


def read_mapping(path: Path) -> dict[str, str]:
    """Read a YAML file of one text per name, such as the columns of predictions; UserError as for suites."""
    document = read_document(path)
    for name, text in document.value.items():
        if not isinstance(text, str) or not text:
            raise fault(
                path, document.lines[(name,)], f"{name!r} is {shown(text)}",
                "Allowed: text; put it in quotes where YAML takes it for something else",
            )  # fmt: skip
    return document.value
