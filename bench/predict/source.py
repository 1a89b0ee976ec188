"""The Python of a zoo entry: imported by path, and told file by file, so that every file enters the key."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from bench.digest import digest_bytes
from bench.errors import UserError

__all__ = ["import_folder", "shared_module", "shared_names", "sources"]


def import_folder(folder: Path) -> ModuleType:
    """Import a folder's model.py as a package of its own name, so that ``from .net import Net`` works."""
    path = folder / "model.py"
    name = f"affectbench_zoo_{digest_bytes(str(folder.resolve()).encode())[:16]}"
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(folder)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise UserError(
            f"{folder.name}/model.py:{error.lineno}", f"the file is not Python: {error.msg}",
            "A Python module with a function build", "Correct the file",
        ) from None  # fmt: skip
    return module


def sources(folder: Path) -> list[Path]:
    """Every file a model may read from its folder."""
    told = ("CARD.md", "weights.toml")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return [path for path in files if path.name not in told]


def shared_module(name: str, parts: Sequence[Path]) -> list[Path]:
    """The file of a shared module, from the first folder that has it."""
    return [folder / f"{name}.py" for folder in parts if (folder / f"{name}.py").is_file()][:1]


def shared_names(path: Path) -> set[str]:
    """The names of the ``_parts`` modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("_parts.")}
    return found
