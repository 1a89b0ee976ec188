"""What a user can get wrong on the command line: the whole message, exit 2, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Affectbench

ROOT = Path(__file__).resolve().parents[2]
REFUSALS = {
    "unknown slice": (
        ["--slice", "tnit"],
        "--slice: slice 'tnit' is not an attribute of drawn. Did you mean 'tint'? It has: shape, tint. "
        "Name one of them or add the attribute to the targets.",
    ),
    "unknown metric": (
        ["--metric", "uarr"],
        "--metric: metric 'uarr' is not known. Did you mean 'uar'? Known: accuracy, uar, macro_f1, recall, "
        "coverage, "
        + ", ".join(
            f"{name}_{dimension}{covered}"
            for dimension in ("valence", "arousal", "dominance")
            for covered in ("", "_covered")
            for name in ("ccc", "pcc", "rmse")
        )
        + ", recall/neutral, recall/happiness, recall/sadness, recall/surprise, recall/fear, recall/disgust, "
        "recall/anger. Correct the metric's name.",
    ),
    "unknown slice of a suite": (
        ["--suite", "mine.yaml"],
        "mine.yaml:16: slice 'tnit' is not an attribute of drawn. Did you mean 'tint'? It has: shape, tint. "
        "Name one of them or add the attribute to the targets.",
    ),
    "a model twice": (
        ["--model", "oracle", "--model", "oracle"],
        "--model: a model is named twice. Each model once. Remove one of them.",
    ),
    "a place that cannot be": (
        ["--out", "model.pkl/run"],
        "model.pkl/run: the folder cannot be made: Not a directory. A place that can be written. Choose another "
        "--out.",
    ),
    "a suite without its data": (
        None,
        "--suite: demo needs to know where its data lie. --data drawn=DIR. Add --data drawn=DIR.",
    ),
    "no data": (
        ["--data", "nothing"],
        "--data: 'nothing' has another shape. --data NAME=ROOT. Write it like this.",
    ),
    "unknown model": (
        ["--model", "orakle"],
        "--model: there is no model 'orakle' in the zoo. Did you mean 'oracle'? It has: chance, majority, "
        "mini-xception, oracle, planted_bias, yunet. Name one of them, or add a folder with --zoo DIR.",
    ),
    "a detector as a model": (
        ["--model", "yunet"],
        "--model: 'yunet' is a face detector. Models and doubles can be run. See 'affectbench zoo list'.",
    ),
    "unknown device": (
        ["--device", "cuda:7"],
        "--device: 'cuda:7' is not here. auto, cpu. Choose one of these.",
    ),
    "unknown precision": (
        ["--precision", "fp8"],
        "--precision: 'fp8' is not known. fp32, bf16, fp16. Choose one of these.",
    ),
    "a bias that is none": (
        ["--model", "planted_bias@tint"],
        "planted_bias: 'tint' states no bias. 0 <= loss <= accuracy <= 1. Write "
        "planted_bias@ATTRIBUTE=VALUE,loss=0.2,accuracy=0.8.",
    ),
    "weights without a file": (
        ["--model", "mini-xception", "--weights", "nowhere.onnx"],
        "nowhere.onnx: there is no such file. Weights are one file. Correct the path.",
    ),
    "weights that run code": (
        ["--model", "mini-xception", "--weights", "model.pkl"],
        "model.pkl: suffix '.pkl' is not a weights format that is safe to read. Allowed: .safetensors, .onnx, "
        ".hdf5, .h5, .pt, .pth (.pt and .pth are read with weights_only=True). Save the weights as safetensors.",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusal(affectbench: Affectbench, drawn: Path, tmp_path: Path, case: str) -> None:
    words, message = REFUSALS[case]
    (tmp_path / "model.pkl").write_bytes(b"x")
    demo = (ROOT / "suites" / "demo.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(demo.replace("slices: [tint", "slices: [tnit"))
    data = [] if words is None else ["--data", f"drawn={drawn}"]
    words = words or []
    model = [] if "--model" in words else ["--model", "oracle"]
    done = affectbench(
        "run", "--suite", "demo", *data, "--out", "out", "--tracking-uri", "off", *model, *words,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    if message is not None:
        assert done.stderr == f"error: {message}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yaml", "model.pkl"]
