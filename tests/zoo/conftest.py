"""Zoo entries as modules, and built from the real weights."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from bench.predict.pipeline import Build

ZOO = Path(__file__).resolve().parents[2] / "model_zoo"


@pytest.fixture(scope="session")
def load_entry() -> Callable[[str], ModuleType]:
    """A function that imports model_zoo/NAME/model.py, as the harness does: by its path."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"zoo_under_test_{name}", ZOO / name / "model.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    sys.path.insert(0, str(ZOO))
    yield load
    sys.path.remove(str(ZOO))


@pytest.fixture(scope="session")
def build_entry(load_entry: Callable[[str], ModuleType], weights: Path) -> Callable[..., Any]:
    """A function that builds an entry from a file of the shared weights."""

    def build(name: str, file: str | Path, dtype: torch.dtype = torch.float32, device: str = "cpu") -> Any:
        return load_entry(name).build(Build(torch.device(device), dtype, weights / file))

    return build
