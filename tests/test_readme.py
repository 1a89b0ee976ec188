"""What the README says of its own model is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from types import ModuleType

import safetensors.torch

from bench.context import read_context
from bench.policy import read_policy
from bench.predict.lock import Lock

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def block(language: str, beginning: str) -> str:
    found = [text for text in re.findall(rf"```{language}\n(.*?)```", README, re.S) if beginning in text]
    (text,) = found
    return str(text)


def test_the_size_of_the_models_weights_is_that_of_the_file(tmp_path: Path) -> None:
    model = ModuleType("colour")
    exec(compile(block("python", "class Colour"), "README.md", "exec"), model.__dict__)  # noqa: S102
    safetensors.torch.save_file(model.Colour().state_dict(), tmp_path / "colour-v1.safetensors")
    lock = Lock(**tomllib.loads(block("toml", "[[checkpoint]]")))
    assert lock.checkpoint[0].size == (tmp_path / "colour-v1.safetensors").stat().st_size


def test_the_context_and_the_policy_of_the_audit_report_are_valid(tmp_path: Path) -> None:
    for name, beginning, read in (
        ("shop.yaml", "sector: retail", read_context),
        ("shop-policy.yaml", "policy: shop", read_policy),
    ):
        path = tmp_path / name
        path.write_text(block("yaml", beginning), encoding="utf-8")
        read(path)
