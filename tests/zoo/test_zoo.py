"""The zoo: loaded by path, told apart by name and digest, and only shipped doubles see the targets."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import torch

from bench.errors import UserError
from bench.predict.check import check_model
from bench.predict.pipeline import Build
from bench.predict.zoo import Zoo, parse_choice
from bench.spec import Facts
from bench.tables import validate_targets

CPU = torch.device("cpu")
MODEL = """
from bench.predict.clip import Scores
from bench.predict.pipeline import Pipeline
import torch
{imports}

SEEN = []

def build(request):
    SEEN.append(request.targets)
    def predict(clips):
        return [Scores(c.times, {{"labels": torch.full((len(c), 2), 0.5)}}) for c in clips]
    return Pipeline(predict, labels=("happiness", "neutral"))
"""


def add_model(zoo: Path, name: str, lock: str = "", imports: str = "") -> Path:
    folder = zoo / name
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(MODEL.format(imports=imports))
    if lock:
        (folder / "weights.toml").write_text(lock)
    return folder


def targets() -> object:
    rows = [
        {"target": f"t{i}", "subject": "s", "label": ["happy", "sad"][i % 2], "sex": "fm"[i % 2]}
        for i in range(40)
    ]
    return validate_targets(pa.Table.from_pylist(rows), Facts(name="t"), "T.csv")


def test_a_private_model_is_never_handed_the_targets(tmp_path: Path) -> None:
    import sys

    add_model(tmp_path, "mine")
    zoo = Zoo([tmp_path])
    zoo.load(parse_choice("mine"), Build(CPU, torch.float32, targets=targets()))
    (module,) = [m for n, m in sys.modules.items() if n.startswith("affectbench_zoo_") and hasattr(m, "SEEN")]
    assert module.SEEN == [None]


def test_a_private_zoo_may_not_pretend(tmp_path: Path) -> None:
    add_model(tmp_path / "a", "oracle")
    with pytest.raises(UserError, match="the zoo already has a model 'oracle'"):
        Zoo([tmp_path / "a"])
    add_model(tmp_path / "b", "spy", 'kind = "double"')
    with pytest.raises(UserError, match="Only doubles that ship with affectbench are handed the targets"):
        Zoo([tmp_path / "b"])
    add_model(tmp_path / "c", "a b")
    with pytest.raises(UserError, match="'a b' is no name for a model"):
        Zoo([tmp_path / "c"])


@pytest.mark.parametrize("text", ["../mini", "a/b", "", "name@", "a b", ".hidden"])
def test_names_are_plain(text: str) -> None:
    with pytest.raises(UserError, match="names no model"):
        parse_choice(text)


def test_every_python_file_enters_the_key(tmp_path: Path) -> None:
    folder = add_model(tmp_path, "mine", imports="from .net import WIDTH\nfrom _parts.mine import DEPTH")
    (folder / "net.py").write_text("WIDTH = 1\n")
    (tmp_path / "_parts").mkdir()
    (tmp_path / "_parts" / "mine.py").write_text("from _parts.deeper import DEPTH\n")
    (tmp_path / "_parts" / "deeper.py").write_text("DEPTH = 1\n")
    (tmp_path / "_parts" / "unused.py").write_text("x = 1\n")

    def load() -> dict[str, str]:
        return Zoo([tmp_path]).load(parse_choice("mine"), Build(CPU, torch.float32)).code_sha256

    before = load()
    assert sorted(before) == ["_parts/deeper.py", "_parts/mine.py", "mine/model.py", "mine/net.py"]
    (tmp_path / "_parts" / "deeper.py").write_text("DEPTH = 2\n")
    after = load()
    assert {name for name in before if before[name] != after[name]} == {"_parts/deeper.py"}


def test_a_folder_without_build_or_with_bad_python_is_refused(tmp_path: Path) -> None:
    folder = add_model(tmp_path, "mine")
    (folder / "model.py").write_text("def biuld(request): pass\n")
    with pytest.raises(UserError, match=r"mine/model\.py: there is no function build"):
        Zoo([tmp_path]).load(parse_choice("mine"), Build(CPU, torch.float32))
    (folder / "model.py").write_text("def build(request:\n")
    with pytest.raises(UserError, match=r"mine/model\.py:1: the file is not Python"):
        Zoo([tmp_path]).load(parse_choice("mine"), Build(CPU, torch.float32))
    (folder / "model.py").write_text("def build(request): return 3\n")
    with pytest.raises(UserError, match="build returned int"):
        Zoo([tmp_path]).load(parse_choice("mine"), Build(CPU, torch.float32))


@pytest.mark.parametrize("name", ["oracle", "chance", "majority", "planted_bias@group=a", "mini-xception"])
def test_shipped_models_keep_every_law(name: str, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
    findings = check_model(Zoo(), parse_choice(name), CPU)
    assert len(findings) == 5
    assert [f for f in findings if not f.kept] == []


@pytest.mark.parametrize(
    ("body", "law"),
    [
        ("m = sum(len(c) for c in clips)\n        p = torch.tensor(1 / m)", "batch of n is n of one"),
        ("p = torch.rand(())", "same result twice"),
        ("p = torch.tensor(float('nan'))", "declared outputs"),
        ("raise RuntimeError('x')", "runs"),
        ("p = torch.tensor(float('nan') if len(clips) == 1 else 0.5)", "batch of n is n of one"),
        ("p = torch.tensor(7.0)", "declared outputs"),
    ],
)
def test_the_check_finds_broken_laws(tmp_path: Path, body: str, law: str) -> None:
    folder = add_model(tmp_path, "mine")
    text = (folder / "model.py").read_text().replace(
        "        return [Scores(c.times, {\"labels\": torch.full((len(c), 2), 0.5)}) for c in clips]",
        f"        {body}\n        row = torch.stack([p, 1 - p])\n"
        "        return [Scores(c.times, {'labels': row.repeat(len(c), 1)}) for c in clips]",
    )  # fmt: skip
    (folder / "model.py").write_text(text)
    findings = check_model(Zoo([tmp_path]), parse_choice("mine"), CPU)
    assert law in {finding.law for finding in findings if not finding.kept}


@pytest.mark.parametrize(
    "body", ["raise RuntimeError('x')", "import no_such_package", "import sys; sys.exit(0)"]
)
def test_a_model_that_cannot_be_built_is_the_users(tmp_path: Path, body: str) -> None:
    folder = add_model(tmp_path, "mine")
    (folder / "model.py").write_text(f"def build(request):\n    {body}\n")
    with pytest.raises(UserError, match=r"model\.py:2: 'mine' could not be built"):
        Zoo([tmp_path]).load(parse_choice("mine"), Build(CPU, torch.float32))


def test_private_parts_are_for_private_models_alone(tmp_path: Path) -> None:
    (tmp_path / "_parts").mkdir()
    (tmp_path / "_parts" / "doubles.py").write_text(
        "raise RuntimeError('private code in a shipped double')\n"
    )
    add_model(tmp_path, "mine")
    model = Zoo([tmp_path]).load(parse_choice("oracle"), Build(CPU, torch.float32, targets=targets()))
    shipped_code = (
        Zoo().load(parse_choice("oracle"), Build(CPU, torch.float32, targets=targets())).code_sha256
    )
    assert model.code_sha256 == shipped_code


def test_doubles_take_no_weights(tmp_path: Path) -> None:
    (tmp_path / "w.onnx").write_bytes(b"x")
    with pytest.raises(UserError, match="'oracle' is a double and has no weights"):
        Zoo().load(parse_choice("oracle", tmp_path / "w.onnx"), Build(CPU, torch.float32, targets=targets()))


def test_weights_that_are_never_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"x")
    folder = add_model(tmp_path / "zoo", "mine")
    choice = parse_choice("mine", tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=r"the build\(\) of 'mine' never asked for request.weights"):
        Zoo([tmp_path / "zoo"]).load(choice, Build(CPU, torch.float32))
    text = (folder / "model.py").read_text()
    (folder / "model.py").write_text(
        text.replace("    SEEN.append", "    assert request.weights\n    SEEN.append")
    )
    assert Zoo([tmp_path / "zoo"]).load(choice, Build(CPU, torch.float32)).name.startswith("mine@")


def answers(name: str) -> tuple[list[str], object]:
    import numpy as np

    from bench.predict.clip import Clip

    given = targets()
    model = Zoo().load(parse_choice(name), Build(CPU, torch.float32, targets=given))
    frames = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    clips = [Clip(t, frames, np.arange(1), np.zeros(1)) for t in given.table["target"].to_pylist()]
    scores = model.pipeline.predict(clips)
    return [model.pipeline.labels[int(s.outputs["labels"].argmax())] for s in scores], given


def test_doubles_are_what_their_cards_say() -> None:
    said, given = answers("oracle")
    truth = given.table["label"].to_pylist()
    assert said == truth
    said, _ = answers("majority")
    assert set(said) == {"happiness"}
    said, _ = answers("planted_bias@sex=f,loss=0.25,accuracy=0.9")
    right = [a == b for a, b in zip(said, truth, strict=True)]
    sex = given.table["sex"].to_pylist()
    assert sum(r for r, s in zip(right, sex, strict=True) if s == "m") == 18
    assert sum(r for r, s in zip(right, sex, strict=True) if s == "f") == 13
    said, _ = answers("chance")
    assert len(set(said)) > 3
