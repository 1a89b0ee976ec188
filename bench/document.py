"""Documents: YAML that is plain data, read with the line of everything in it and held against records.

Anchors, aliases, tags, merge keys, a second document and repeated keys are refused, and so are files that are
not UTF-8 or larger than 1 MiB. Nothing in a file is ever executed. Every fault names file and line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bench.digest import digest_file
from bench.errors import UserError, listed, nearest

__all__ = ["Document", "Loc", "Read", "Terms", "explain", "fault", "read_document", "shown"]

_LIMIT = 1 << 20
_CORRECT = "Correct the line"
_PLAIN = "The file is plain data: no anchors, aliases, merge keys or tags"
Loc = tuple[str | int, ...]
"""Where something stands: names of fields and places in lists, from the outside in."""
R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True)
class Terms:
    """What messages need to know of a record's fields.

    ``fields``: the known names at the place of an unknown one; ``allowed``: what lists of a field take, where
    their kind alone does not say it; ``homes``: the names known elsewhere, by the field they stand under.
    """

    fields: Callable[[Loc], Mapping[str, object]]
    allowed: Mapping[str, str] = field(default_factory=dict[str, str])
    homes: Mapping[str, Mapping[str, object]] = field(default_factory=dict[str, Mapping[str, object]])


@dataclass(frozen=True)
class Document:
    """The mapping in a file, and the line of everything in it."""

    path: Path
    value: dict[str, Any]
    lines: dict[Loc, int] = field(repr=False)

    def place(self, loc: Loc) -> str:
        """``file:line`` of what stands there, or the file alone where nothing does."""
        return f"{self.path}:{self.lines[loc]}" if loc in self.lines else str(self.path)

    def read(self, record: type[R], terms: Terms) -> R:
        """The record that it holds; UserError names file and line of the first fault."""
        try:
            return record.model_validate(self.value, strict=True)
        except ValidationError as error:
            faults = [(_known(details["loc"], self.lines), details) for details in error.errors()]
            # What is missing stands in no line: it is often there, under a name that is not known.
            known, details = min(faults, key=lambda each: (each[1]["type"] == "missing", self.lines[each[0]]))
            raise fault(self.path, self.lines[known], *explain(details, known, terms)) from None


@dataclass(frozen=True)
class Read(Generic[R]):
    """A record and where in its file each part of it stands."""

    record: R
    document: Document

    @property
    def digest(self) -> str:
        """The sha256 of its file."""
        return digest_file(self.document.path)

    def place(self, *loc: str | int) -> str:
        """``file:line`` of a part, as of ``("rules", 0, "metric")``; of one left out, of what holds it."""
        while loc and loc not in self.document.lines:
            loc = loc[:-1]
        return self.document.place(loc) if loc else str(self.document.path)


def read_document(path: Path) -> Document:
    """Read a YAML file; UserError names the line of what is no plain data."""
    lines: dict[Loc, int] = {}
    text = _text(path)
    try:
        value = _value(_compose(text, path), (), lines, path)
    except RecursionError:
        raise fault(path, 1, "the file is nested too deeply", "Three levels are enough") from None
    if not isinstance(value, dict):
        raise fault(path, 1, "this is not a mapping", "The file is lines of 'field: value'")
    return Document(path, value, lines)


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
        raise fault(path, line, found, "YAML is UTF-8 text", "Save the file as UTF-8") from None


def _compose(text: str, path: Path) -> yaml.Node:
    try:
        _refuse_code(text, path)
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise fault(
            path, line, f"this is not YAML: {', '.join(filter(None, (error.context, error.problem)))}"
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise fault(path, line, f"character U+{error.character:04X} is there") from None
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
            raise fault(
                path, token.start_mark.line + 1, found, _PLAIN,
                "Write the value out, or put the text in quotes",
            )  # fmt: skip


def _value(node: yaml.Node, loc: Loc, lines: dict[Loc, int], path: Path) -> Any:
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
        raise fault(path, node.start_mark.line + 1, f"{node.value[:80]!r} is no number") from None


def _mapping(node: yaml.MappingNode, loc: Loc, lines: dict[Loc, int], path: Path) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, inner in node.value:
        line = key.start_mark.line + 1
        if key.tag != "tag:yaml.org,2002:str":
            if key.tag == "tag:yaml.org,2002:merge":
                raise fault(path, line, "a merge key (<<) is there", _PLAIN, "Write the values out")
            found = (
                f"key {key.value}" if isinstance(key, yaml.ScalarNode) else "a key that is a list or mapping"
            )
            raise fault(path, line, f"{found} is not text", "Keys are text", "Put it in quotes")
        if key.value in value:
            raise fault(
                path, line, f"{key.value!r} is there a second time, first in line {lines[*loc, key.value]}",
                "Each key stands once", "Remove one of them",
            )  # fmt: skip
        lines[*loc, key.value] = line
        value[key.value] = _value(inner, (*loc, key.value), lines, path)
    return value


def _known(loc: Loc, lines: dict[Loc, int]) -> Loc:
    """The part of a location that is in the file: the rest is the missing field or a branch of a union."""
    while loc not in lines:
        loc = loc[:-1]
    return loc


def explain(error: ErrorDetails, known: Loc, terms: Terms) -> tuple[str, str, str]:
    """One pydantic error in plain words: what was found, what is allowed, what to do."""
    kind, loc, context = error["type"], error["loc"], error.get("ctx", {})
    if kind == "missing":
        return f"field {loc[-1]!r} is missing", "It has no default", f"Add a line '{loc[-1]}: ...'"
    if kind == "extra_forbidden":
        for home in (home for home, names in terms.homes.items() if loc[-1] in names):
            found = f"field {loc[-1]!r} does not stand here"
            return found, f"It is a field of {home!r}", f"Move it under '{home}:'"
        fields = terms.fields(loc)
        near = nearest(str(loc[-1]), fields)
        return f"field {loc[-1]!r} is not known.{near}", f"Known fields: {listed(fields, 20)}", _CORRECT
    if kind == "value_error":
        found, _, allowed = str(context["error"]).rpartition(". ")
        return found, allowed, _CORRECT
    found = f"{_named(known)} is {shown(error['input'])}"
    of_list = terms.allowed.get(str(loc[0])) if len(loc) > 1 else None
    return found, f"Allowed: {of_list or _allowed(kind, context)}", _CORRECT


def _named(loc: Loc) -> str:
    """What a location is called in a message.

    >>> _named(("data", 0, "split")), _named(("slices", 1))
    ("'split'", "entry 2 of 'slices'")
    """
    last = loc[-1]
    return f"entry {last + 1} of {_named(loc[:-1])}" if isinstance(last, int) else repr(last)


def _allowed(kind: str, context: dict[str, Any]) -> str:
    """What a field takes, by the kind of pydantic's complaint."""
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


def shown(value: Any) -> str:
    """A value of the file as YAML would write it, cut to one short line."""
    kinds = {tuple: "a list", dict: "a mapping", bool: str(value).lower(), type(None): "empty"}
    return kinds.get(type(value), repr(value)[:80]) if value != () else "an empty list"


def fault(
    path: Path,
    line: int,
    found: str,
    allowed: str = "The file is one YAML document",
    remedy: str = _CORRECT,
) -> UserError:
    """What is wrong in a line of a file."""
    return UserError(f"{path}:{line}", found, allowed, remedy)
