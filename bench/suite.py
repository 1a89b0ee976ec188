"""Suites on disk: YAML in, ``Suite`` out, with errors that name file and line.

A suite is data: anchors, aliases, tags, merge keys, a second document and repeated keys are refused, and so
are files that are not UTF-8 or larger than 1 MiB. Nothing in the file is ever executed. What flags add to a
suite is held against the same rules, with errors that name the flag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bench.errors import UserError, listed, nearest
from bench.shipped import shipped
from bench.spec import Condition, DataSource, SliceRule, Suite

__all__ = ["Plan", "extend", "find_suite", "read_mapping", "read_suite"]

_LIMIT = 1 << 20
_RECORDS: dict[str, type[BaseModel]] = {"data": DataSource, "conditions": Condition, "slice_rule": SliceRule}
_CORRECT = "Correct the line"
_PLAIN = "The file is plain data: no anchors, aliases, merge keys or tags"
_Loc = tuple[str | int, ...]
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
    lines: dict[_Loc, int] = field(default_factory=dict, repr=False)

    def place(self, kind: str, name: str) -> str:
        """Say where the file names a "slice", "control", "metric", "perturbation", "bins", "primary" ...

        ``file:line``, or the file alone where the suite does not name it; of a slice, one of its attributes.
        """
        for loc in self._places(kind, name):
            if loc in self.lines:
                return f"{self.path}:{self.lines[loc]}"
        return str(self.path)

    def _places(self, kind: str, name: str) -> list[_Loc]:
        suite = self.suite
        if kind == "slice":
            whole: list[_Loc] = [("slices", i) for i, s in enumerate(suite.slices) if s == name]
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
    value, lines = _read(path)
    try:
        return Plan(Suite.model_validate(value, strict=True), path, lines)
    except ValidationError as error:
        faults = [(_known(details["loc"], lines), details) for details in error.errors()]
        known, details = min(faults, key=lambda fault: lines[fault[0]])
        raise _fault(path, lines[known], *_explain(details, known)) from None


def extend(suite: Suite, added: Mapping[str, object]) -> Suite:
    """The suite with ``slices``, ``bins`` and ``metrics`` as flags make them; UserError names the flag."""
    try:
        return Suite.model_validate({**suite.model_dump(), **added}, strict=True)
    except ValidationError as error:
        details = error.errors()[0]
        flag, remedy = _FLAGS[str(details["loc"][0])]
        found, allowed = _explain(details, details["loc"][:2])[:2]
        raise UserError(flag, found, allowed, remedy) from None


def read_mapping(path: Path) -> dict[str, str]:
    """Read a YAML file of one text per name, such as the columns of predictions; UserError as for suites."""
    value, lines = _read(path)
    for name, text in value.items():
        if not isinstance(text, str) or not text:
            found, allowed = f"{name!r} is {_shown(text)}", f"Allowed: {_TYPES['string_type']}"
            raise _fault(path, lines[(name,)], found, allowed)
    return value


def _read(path: Path) -> tuple[dict[str, Any], dict[_Loc, int]]:
    """The mapping in a file, and the line of everything in it."""
    lines: dict[_Loc, int] = {}
    text = _text(path)
    try:
        value = _value(_compose(text, path), (), lines, path)
    except RecursionError:
        raise _fault(path, 1, "the file is nested too deeply", "Three levels are enough") from None
    if not isinstance(value, dict):
        raise _fault(path, 1, "this is not a mapping", "The file is lines of 'field: value'")
    return value, lines


def _text(path: Path) -> str:
    if not path.is_file():
        raise UserError(str(path), "there is no such file", "This is to be a YAML file", "Correct the path")
    data = path.read_bytes()
    if len(data) > _LIMIT:
        raise UserError(str(path), f"the file has {len(data)} bytes", "It has at most 1 MiB", "Shorten it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise _fault(path, line, found, "YAML is UTF-8 text", "Save the file as UTF-8") from None


def _compose(text: str, path: Path) -> yaml.Node:
    try:
        _refuse_code(text, path)
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise _fault(
            path, line, f"this is not YAML: {', '.join(filter(None, (error.context, error.problem)))}"
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _fault(path, line, f"character U+{error.character:04X} is there") from None
    if root is None:
        raise UserError(
            str(path), "the file is empty", "The file is lines of 'field: value'", "Fill it",
        )  # fmt: skip
    return root


def _refuse_code(text: str, path: Path) -> None:
    """A suite is plain data: refuse what makes one part of a file stand for another, or for an object."""
    names = {yaml.AnchorToken: "an anchor", yaml.AliasToken: "an alias", yaml.TagToken: "a tag"}
    for token in yaml.scan(text, yaml.SafeLoader):
        if type(token) in names:
            mark = "&*!"[list(names).index(type(token))]
            found = f"{names[type(token)]} ({mark}) is there"
            raise _fault(
                path, token.start_mark.line + 1, found, _PLAIN,
                "Write the value out, or put the text in quotes",
            )  # fmt: skip


def _value(node: yaml.Node, loc: _Loc, lines: dict[_Loc, int], path: Path) -> Any:
    """The plain value of a node, noting the line of everything in it."""
    lines.setdefault(loc, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return tuple(_value(inner, (*loc, i), lines, path) for i, inner in enumerate(node.value))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, loc, lines, path)
    kind = node.tag.rpartition(":")[2]
    if kind not in ("bool", "float", "int", "null"):
        return node.value
    try:
        return getattr(yaml.constructor.SafeConstructor(), f"construct_yaml_{kind}")(node)
    except ValueError:
        raise _fault(path, node.start_mark.line + 1, f"{node.value[:80]!r} is no number") from None


def _mapping(node: yaml.MappingNode, loc: _Loc, lines: dict[_Loc, int], path: Path) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, inner in node.value:
        line = key.start_mark.line + 1
        if key.tag != "tag:yaml.org,2002:str":
            if key.tag == "tag:yaml.org,2002:merge":
                raise _fault(path, line, "a merge key (<<) is there", _PLAIN, "Write the values out")
            found = (
                f"key {key.value}" if isinstance(key, yaml.ScalarNode) else "a key that is a list or mapping"
            )
            raise _fault(path, line, f"{found} is not text", "Keys are text", "Put it in quotes")
        if key.value in value:
            raise _fault(
                path, line, f"{key.value!r} is there a second time, first in line {lines[*loc, key.value]}",
                "Each key stands once", "Remove one of them",
            )  # fmt: skip
        lines[*loc, key.value] = line
        value[key.value] = _value(inner, (*loc, key.value), lines, path)
    return value


def _known(loc: _Loc, lines: dict[_Loc, int]) -> _Loc:
    """The part of a location that is in the file: the rest is the missing field or a branch of a union."""
    while loc not in lines:
        loc = loc[:-1]
    return loc


def _explain(error: ErrorDetails, known: _Loc) -> tuple[str, str, str]:
    """One pydantic error in plain words: what was found, what is allowed, what to do."""
    kind, loc, context = error["type"], error["loc"], error.get("ctx", {})
    if kind == "missing":
        return f"field {loc[-1]!r} is missing", "It has no default", f"Add a line '{loc[-1]}: ...'"
    if kind == "extra_forbidden":
        name, fields = str(loc[-1]), _RECORDS.get(str(loc[0]), Suite) if len(loc) > 1 else Suite
        for home in (home for home, record in _RECORDS.items() if name in record.model_fields):
            found = f"field {name!r} does not stand here"
            return found, f"It is a field of {home!r}", f"Move it under '{home}:'"
        near, known_fields = nearest(name, fields.model_fields), listed(fields.model_fields, 20)
        return f"field {name!r} is not known.{near}", f"Known fields: {known_fields}", _CORRECT
    if kind == "value_error":
        found, _, allowed = str(context["error"]).rpartition(". ")
        return found, allowed, _CORRECT
    found = f"{_named(known)} is {_shown(error['input'])}"
    return found, f"Allowed: {_allowed(kind, context, loc)}", _CORRECT


def _named(loc: _Loc) -> str:
    """What a location is called in a message.

    >>> _named(("data", 0, "split")), _named(("slices", 1))
    ("'split'", "entry 2 of 'slices'")
    """
    last = loc[-1]
    return f"entry {last + 1} of {_named(loc[:-1])}" if isinstance(last, int) else repr(last)


def _allowed(kind: str, context: dict[str, Any], loc: _Loc) -> str:
    """What a field takes, by the kind of pydantic's complaint."""
    if loc[0] == "slices" and len(loc) > 1:
        return "the name of an attribute, or a list of names for an intersection"
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "string_pattern_mismatch":
        return "up to 64 letters, digits, '_', '-' and '.', the first a letter or digit"
    bounds = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    for key, words in bounds.items():
        if key in context:
            limit = context[key]
            return f"{words} {limit:g}" if isinstance(limit, float) else f"{words} {limit}"
    return _TYPES.get(kind, "text that is not empty")


_TYPES = {
    "bool_type": "true or false",
    "dict_type": "lines of 'name: value'",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_type": "a whole number",
    "model_type": "lines of 'field: value'",
    "string_type": "text; put it in quotes where YAML takes it for something else",
    "tuple_type": "a list",
}


def _shown(value: Any) -> str:
    """A value of the file as YAML would write it, cut to one short line."""
    kinds = {tuple: "a list", dict: "a mapping", bool: str(value).lower(), type(None): "empty"}
    return kinds.get(type(value), repr(value)[:80]) if value != () else "an empty list"


def _fault(
    path: Path,
    line: int,
    found: str,
    allowed: str = "The file is one YAML document",
    remedy: str = _CORRECT,
) -> UserError:
    return UserError(f"{path}:{line}", found, allowed, remedy)
