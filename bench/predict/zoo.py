"""The zoo: folders of models, loaded by path and never imported by the harness.

A folder holds ``model.py`` with ``build(request)``, ``weights.toml`` and ``CARD.md``. Private zoos stand
beside the shipped one; ``_parts`` modules of either are importable as ``_parts.NAME``. A private entry may
not take a shipped name, nor call itself a double: only shipped doubles are ever handed the targets.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from bench.digest import digest_file
from bench.errors import AffectbenchError, UserError, listed, nearest
from bench.predict.choice import NAME, Choice, parse_choice
from bench.predict.device import kind_of
from bench.predict.front import FaceFinder
from bench.predict.lock import PARTS, Lock, pull, read_lock, verify_format
from bench.predict.pipeline import Build, Pipeline
from bench.predict.source import import_folder, shared_module, shared_names, sources
from bench.shipped import shipped

__all__ = ["Choice", "Entry", "Model", "Part", "Zoo", "parse_choice"]

_FRONT = ("front.detector", "Name one of them in the model's Front")


@dataclass(frozen=True)
class Entry:
    """One folder of a zoo."""

    name: str
    folder: Path
    lock: Lock
    private: bool

    @property
    def card(self) -> str:
        """The text of CARD.md, or a line that says there is none."""
        path = self.folder / "CARD.md"
        return (
            path.read_text(encoding="utf-8")
            if path.is_file()
            else f"# {self.name}\n\nNo card: CARD.md in its folder is the place.\n"
        )


@dataclass(frozen=True)
class Model:
    """A loaded entry: its pipeline, what finds its faces, and the digests of all it was made of."""

    name: str
    entry: str
    checkpoint: str | None
    pipeline: Pipeline
    weights_sha256: tuple[str, ...] = ()
    code_sha256: dict[str, str] = field(default_factory=dict[str, str])
    finder: FaceFinder | None = None
    double: bool = False
    origin: str | None = None

    def describe(self) -> dict[str, Any]:
        """What enters the key of a cell."""
        return {
            "entry": self.entry,
            "checkpoint": self.checkpoint if self.double else None,
            "weights": list(self.weights_sha256),
            "code": self.code_sha256,
            "pipeline": self.pipeline.describe(),
        }


@dataclass(frozen=True)
class Part:
    """A loaded entry that is no model but serves some, as a detector does; ``built`` is what it built."""

    name: str
    built: Any
    weights_sha256: tuple[str, ...]
    code_sha256: dict[str, str]

    def describe(self, request: Build) -> dict[str, Any]:
        """All that changes what it says, built as requested."""
        return {
            "name": self.name,
            "version": str(getattr(self.built, "version", None)),
            "weights": list(self.weights_sha256),
            "code": self.code_sha256,
            "device": kind_of(request.device),
            "precision": str(request.dtype),
            "seed": request.seed,
        }


class Zoo:
    """The shipped zoo and any private ones, searched by name."""

    def __init__(self, private: Sequence[Path] = ()) -> None:
        self._shipped = shipped("model_zoo")
        for folder in private:
            if not folder.is_dir():
                raise UserError(
                    "--zoo", f"{folder} is not a folder", "A folder of folders with a model.py each",
                    "Correct the path",
                )  # fmt: skip
        self._private = tuple(private)
        self._entries = self._scan(private)
        self._loaded: dict[tuple[object, ...], Part] = {}

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries, by name."""
        return tuple(self._entries[name] for name in sorted(self._entries))

    def find(self, name: str, where: str = "--model") -> Entry:
        """The entry of that name; UserError with the nearest name otherwise."""
        if name not in self._entries:
            raise UserError(
                where, f"there is no model {name!r} in the zoo.{nearest(name, self._entries)}",
                f"It has: {listed(self._entries, 40)}", "Name one of them, or add a folder with --zoo DIR",
            )  # fmt: skip
        return self._entries[name]

    def load(self, choice: Choice, request: Build) -> Model:
        """Verify the weights, run the entry's ``build``, and note the digest of all that was loaded.

        ``request`` gives device, dtype, seed and, for doubles, the targets, which no one else is handed.
        """
        entry = self.find(choice.entry)
        if entry.lock.kind in PARTS:
            raise UserError(
                "--model", f"{entry.name!r} is a {PARTS[entry.lock.kind]}", "Models and doubles can be run",
                "See 'affectbench zoo list'",
            )  # fmt: skip
        double = entry.lock.kind == "double"
        weights, checkpoint = self._weights(entry, choice)
        targets = request.targets if double else None
        asked = replace(request, file=weights, checkpoint=checkpoint, targets=targets, asked=[])
        pipeline = _expect(self._build(entry, asked), Pipeline, entry)
        if choice.weights is not None and "weights" not in asked.asked:
            raise UserError(
                "--weights", f"the build() of {entry.name!r} never asked for request.weights",
                "The numbers are those of the file",
                "Load request.weights in build(), or leave out --weights",
            )  # fmt: skip
        code, digests = self._code(entry), [digest_file(weights)] if weights else []
        finder = None
        if pipeline.front is not None:
            detector = self.load_part(pipeline.front.detector, "detector", request, _FRONT)
            finder = FaceFinder(pipeline.front, detector.built, detector.describe(request))
            code, digests = {**code, **detector.code_sha256}, [*digests, *detector.weights_sha256]
        name = _label(entry.name, checkpoint, choice.weights, digests)
        return Model(
            name, entry.name, checkpoint, pipeline, tuple(digests), code, finder, double, choice.origin
        )

    def load_part(self, text: str, kind: str, request: Build, where: tuple[str, str]) -> Part:
        """Verify and build the entry that ``NAME`` or ``NAME@CHECKPOINT`` names, once, if it is of that kind.

        ``where``: who names it, and how another is named, for the message of the UserError.
        """
        choice = parse_choice(text, where=where[0])
        known = {name: entry for name, entry in self._entries.items() if entry.lock.kind == kind}
        if choice.entry not in known:
            raise UserError(
                where[0], f"{choice.entry!r} is no {PARTS[kind]}.{nearest(choice.entry, known)}",
                f"It may be: {listed(known)}", where[1],
            )  # fmt: skip
        entry = known[choice.entry]
        key = (text, kind, request.device, request.dtype, request.seed)
        if key not in self._loaded:
            weights, checkpoint = self._weights(entry, choice)
            asked = replace(request, file=weights, checkpoint=checkpoint, targets=None, asked=[])
            digests = (digest_file(weights),) if weights else ()
            self._loaded[key] = Part(text, self._build(entry, asked), digests, self._code(entry))
        return self._loaded[key]

    def _weights(self, entry: Entry, choice: Choice) -> tuple[Path | None, str | None]:
        if entry.lock.kind == "double":
            if choice.weights is not None:
                raise UserError(
                    "--weights", f"{entry.name!r} is a double and has no weights", "Models take weights",
                    "Leave out --weights",
                )  # fmt: skip
            return None, choice.checkpoint
        if choice.weights is not None:
            return verify_format(choice.weights), None
        where = str(entry.folder.name + "/weights.toml")
        checkpoint = entry.lock.choose(choice.checkpoint, where)
        return (None, None) if checkpoint is None else (pull(checkpoint, where), checkpoint.name)

    def _build(self, entry: Entry, request: Build) -> Any:
        self._expose_parts(entry)
        try:
            # What a model prints is not the command's output.
            with torch.inference_mode(), redirect_stdout(sys.stderr):
                return _call_build(entry, request)
        except (AffectbenchError, MemoryError):
            raise
        except (Exception, SystemExit) as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            raise UserError(
                f"{Path(last.filename).name}:{last.lineno}",
                f"{entry.name!r} could not be built: {type(error).__name__}: {error}",
                "build(request) loads what it needs and returns a Pipeline", "Correct the model",
            ) from error  # fmt: skip

    def _parts(self, entry: Entry) -> list[Path]:
        """Where an entry's ``_parts`` come from: a private zoo adds to the shipped ones for itself alone."""
        zoos = (*self._private, self._shipped) if entry.private else (self._shipped,)
        return [zoo / "_parts" for zoo in zoos if (zoo / "_parts").is_dir()]

    def _expose_parts(self, entry: Entry) -> None:
        """Make ``_parts`` the package that this entry is to see."""
        paths = [str(path) for path in self._parts(entry)]
        parts = sys.modules.get("_parts")
        if parts is None or list(parts.__path__) != paths:
            for name in [name for name in sys.modules if name.split(".")[0] == "_parts"]:
                del sys.modules[name]
            parts = ModuleType("_parts", "Shared modules of the zoos.")
            parts.__path__ = paths
            sys.modules["_parts"] = parts

    def _code(self, entry: Entry) -> dict[str, str]:
        """The sha256 of every file of the folder but card and lock, and of each ``_parts`` file imported."""
        files = {f"{entry.name}/{path.relative_to(entry.folder)}": path for path in sources(entry.folder)}
        waiting = [path for path in files.values() if path.suffix == ".py"]
        while waiting:
            for name in sorted(shared_names(waiting.pop())):
                for path in shared_module(name, self._parts(entry)):
                    if f"_parts/{path.name}" not in files:
                        files[f"_parts/{path.name}"] = path
                        waiting.append(path)
        return {name: digest_file(path) for name, path in sorted(files.items())}

    def _scan(self, private: Sequence[Path]) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for zoo in (self._shipped, *private):
            for folder in sorted(zoo.iterdir()):
                if not (folder / "model.py").is_file():
                    continue
                entry = Entry(folder.name, folder, read_lock(folder / "weights.toml"), zoo != self._shipped)
                _admit(entry, entries)
                entries[entry.name] = entry
        return entries


def _admit(entry: Entry, entries: dict[str, Entry]) -> None:
    if not NAME.match(entry.name):
        raise UserError(
            str(entry.folder), f"{entry.name!r} is no name for a model", "Letters, digits, '-' and '_'",
            "Rename the folder",
        )  # fmt: skip
    if entry.name in entries:
        raise UserError(
            str(entry.folder), f"the zoo already has a model {entry.name!r}",
            "A name means one model, so that a number means one thing", "Rename the folder",
        )  # fmt: skip
    if entry.private and entry.lock.kind == "double":
        raise UserError(
            str(entry.folder / "weights.toml"), "kind is 'double'",
            "Only doubles that ship with affectbench are handed the targets", "Set kind = \"model\"",
        )  # fmt: skip


def _call_build(entry: Entry, request: Build) -> Any:
    module = import_folder(entry.folder)
    if not hasattr(module, "build"):
        raise UserError(
            f"{entry.name}/model.py", "there is no function build",
            "def build(request: Build) -> Pipeline", "Add it; the README has an example",
        )  # fmt: skip
    return module.build(request)


def _label(entry: str, checkpoint: str | None, weights: Path | None, digests: list[str]) -> str:
    if weights is not None:
        return f"{entry}@{digests[0][:12]}"
    return f"{entry}@{checkpoint}" if checkpoint else entry


def _expect(built: Any, kind: type[Pipeline], entry: Entry) -> Pipeline:
    if not isinstance(built, kind):
        raise UserError(
            f"{entry.name}/model.py", f"build returned {type(built).__name__}", "build returns a Pipeline",
            "Return bench.predict.pipeline.Pipeline(...)",
        )  # fmt: skip
    return built
