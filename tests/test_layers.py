"""The arrows of the design: imports go down only, and light things load nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
VOCABULARY = {
    "errors", "labels", "digest", "spec", "tables", "suite", "shipped", "folder", "question", "document", "policy",
    "prereg", "context", "truth", "act", "duties", "posture", "latency", "memory",
}  # fmt: skip
ALLOWED = {
    "judge": VOCABULARY,
    "predict": VOCABULARY,
    "synth": VOCABULARY,
    "report": VOCABULARY | {"judge"},
    "track": VOCABULARY | {"judge", "predict"},
    "elsewhere": VOCABULARY | {"judge"},
    "workflow": VOCABULARY | {"elsewhere", "judge", "predict", "report", "track", "synth"},
    "sides": VOCABULARY | {"workflow", "judge"},
    "gate": VOCABULARY | {"sides", "judge", "report"},
    "audit_report": VOCABULARY | {"gate", "sides", "judge", "report"},
    "leaderboard": VOCABULARY | {"sides", "judge", "report"},
    "evidence": VOCABULARY | {"judge"},
    "cli": VOCABULARY
    | {
        "workflow",
        "sides",
        "gate",
        "audit_report",
        "leaderboard",
        "evidence",
        "judge",
        "predict",
        "report",
        "track",
        "synth",
    },
    "model_zoo": {"errors", "labels", "tables", "predict"},
}
ZOO_MAY_SEE = {"clip", "pipeline", "front", "faces", "smooth"}
REPORT_MAY_SEE = {"metrics"}  # what a metric is; no number is made there
ONLY_THERE = {
    "mlflow": "track",
    "torch": "predict",
    "matplotlib": "report",
    "jinja2": "report",
    "av": "predict",
}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def layer(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return "model_zoo" if parts[0] == "model_zoo" else parts[1].removesuffix(".py")


FILES = sorted([*(ROOT / "bench").rglob("*.py"), *(ROOT / "model_zoo").rglob("*.py")])


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    here = layer(path)
    seen = {name.split(".")[1] for name in imported(path) if name.startswith("bench.") and name.count(".")}
    seen -= {here, "__version__"}
    allowed = ALLOWED.get(here, VOCABULARY)
    assert seen <= allowed, f"{path}: {seen - allowed}"
    assert not any(name.split(".")[0] == "model_zoo" for name in imported(path))
    if here == "model_zoo":
        parts = {n.split(".")[2] for n in imported(path) if n.startswith("bench.predict.")}
        assert parts <= ZOO_MAY_SEE, f"{path}: {parts - ZOO_MAY_SEE}"
    if here == "report":
        parts = {n.split(".")[2] for n in imported(path) if n.startswith("bench.judge.")}
        assert parts <= REPORT_MAY_SEE, f"{path}: {parts - REPORT_MAY_SEE}"


@pytest.mark.parametrize(("package", "home"), ONLY_THERE.items())
def test_heavy_packages_have_one_home(package: str, home: str) -> None:
    for path in FILES:
        if package in {name.split(".")[0] for name in imported(path)}:
            homes = {home, "model_zoo"} if package == "torch" else {home}
            homes |= {"synth"} if package == "av" else set()
            assert layer(path) in homes, f"{path} imports {package}"


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


HEAVY = {
    "torch",
    "mlflow",
    "datasets",
    "pandas",
    "sklearn",
    "matplotlib",
    "scipy",
    "cv2",
    "av",
    "pyarrow",
    "numpy",
}


def test_help_loads_nothing_heavy() -> None:
    assert not loaded_by("from bench.cli.app import app") & HEAVY


def test_judge_loads_no_torch() -> None:
    assert not loaded_by("import bench.judge.score") & {"torch", "pandas", "mlflow", "datasets", "matplotlib"}


def test_the_map_names_every_part() -> None:
    import bench

    for path in (ROOT / "bench").iterdir():
        name = path.name.removesuffix(".py")
        if not name.startswith("_") and name != "py.typed":
            assert f"``{name}``" in (bench.__doc__ or ""), name
