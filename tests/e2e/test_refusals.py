"""What a user can get wrong on the command line: the whole message, exit 2, nothing written."""

from __future__ import annotations

import json
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
        "--metric: metric 'uarr' is not known. Did you mean 'uar'? Known: accuracy, uar, macro_f1, coverage, "
        "weighted_f1, kappa, mcc, ece, brier, nll, aurc, cross_entropy, soft_brier, js, crowd_agreement, "
        "label_agreement, flip_rate, jitter, onset_lag, onset_missed, segment_agreement, "
        + ", ".join(
            f"jitter_{c}, ccc_within_{c}, pcc_within_{c}, ccc_between_{c}, pcc_between_{c}"
            for c in ("valence", "arousal", "dominance")
        )
        + ", funnel_decoded, funnel_face, funnel_right_face, funnel_followed, funnel_aligned, funnel_predicted, "
        "funnel_right; recall, precision, false_positive_rate, selection_rate, auroc, all labels or one as recall/neutral; "
        "the criteria equalised_odds, equal_opportunity, demographic_parity, of all labels or one; ccc, pcc, rmse, "
        "mae, bias, sagr, label_sd of valence, arousal, dominance, as ccc_valence or ccc_valence_covered; au_f1, "
        "au_auroc, au_icc, over all action units or of one as au_f1/au_12. Correct the metric's name.",
    ),
    "unknown slice of a suite": (
        ["--suite", "mine.yaml"],
        "mine.yaml:17: slice 'tnit' is not an attribute of drawn. Did you mean 'tint'? It has: shape, tint. "
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
        "--suite: demo needs to know where its data lie. --data drawn=DIR, or --targets T for a table of your own "
        "in place of its data. Add --data drawn=DIR.",
    ),
    "no data": (
        ["--data", "nothing"],
        "--data: 'nothing' has another shape. --data NAME=ROOT. Write it like this.",
    ),
    "labels beside data": (
        ["--labels", "ekman-8"],
        "--labels: it is given beside --data. --labels is a fact of the table of --targets. Take it out; write "
        "'labels: ekman-8' at the data set in the suite.",
    ),
    "aligned beside data": (
        ["--aligned"],
        "--aligned: it is given beside --data. --aligned is a fact of the table of --targets. Take it out; write "
        "'media_kind: aligned' at the data set in the suite.",
    ),
    "root beside data": (
        ["--root", "."],
        "--root: it is given beside --data. --root is a fact of the table of --targets. Take it out; --data NAME=ROOT "
        "says where the media lie.",
    ),
    "unknown model": (
        ["--model", "orakle"],
        "--model: there is no model 'orakle' in the zoo. Did you mean 'oracle'? It has: chance, facemesh, fsanet, haar, "
        "majority, mini-xception, oracle, planted_bias, retinaface, ultraface, yunet. Name one of them, or add a "
        "folder with --zoo DIR.",
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
    "an oracle that is none": (
        ["--oracle", "detection"],
        "--oracle: 'detection' is no stage that can be given. Did you mean 'detect'? detect (the column 'box' in place "
        "of the detector's), track (whoever is found at the 'box'), align (the column 'points' in place of those "
        "found). Choose one of these.",
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


TABLE = "target,media,subject,sex,age,label,predicted\n" + "".join(
    f"t{i},m{i}.png,s{i % 20},{'mf'[i % 2]},{20 + i},happy,happy\n" for i in range(40)
)
SCORE = ["score", "--predictions", "mine=T.csv"]
RUN = ["run", "--model", "oracle"]
OF_A_TABLE = {
    "bins of what no slice uses": (
        [*SCORE, "--slice", "sex", "--bins", "age=30,45"],
        "--bins: bins cut 'age', which no slice uses. Bins cut a sliced attribute. Slice by it too, as in "
        "--slice age --bins age=30,45,60.",
    ),
    "the same of a run": (
        [*RUN, "--bins", "age=30,45"],
        "--bins: bins cut 'age', which no slice uses. Bins cut a sliced attribute. Slice by it too, as in "
        "--slice age --bins age=30,45,60.",
    ),
    "a slice with itself": (
        [*SCORE, "--slice", "sex&sex"],
        "--slice: a slice is ['sex', 'sex']. An intersection is as [sex, race]. Write --slice sex or "
        "--slice 'race&sex', each attribute once.",
    ),
    "bins of text": (
        [*SCORE, "--slice", "sex", "--bins", "sex=30"],
        "--bins: bins cut 'sex', which is text in T: row 1 is 'm'. Bins cut numbers. Take the bins out, or write "
        "numbers (an empty field is unmeasured).",
    ),
    "bins of what is misspelt": (
        [*SCORE, "--slice", "sex", "--bins", "agee=30,45"],
        "--bins: bins cut 'agee', which is no attribute. Did you mean 'age'? The targets have: age, predicted, sex. "
        "Correct the name.",
    ),
    "a number without bins": (
        [*SCORE, "--slice", "age"],
        "--slice: slice 'age' is a number with 40 values and no bins. Without bins a numeric attribute has at most "
        "12 values. Cut it, for example with --bins age=29.8,39.5,49.2, or in a suite with "
        "'bins: {age: [29.8, 39.5, 49.2]}'.",
    ),
    "media elsewhere": (
        RUN,
        "T.csv row 1: there is no file 'm0.png'; 40 of 40 rows lack their media. Every row names a file under HERE. "
        "Fetch the missing files, correct the table, or give the folder they lie in (--root DIR with --targets, "
        "NAME=DIR with --data).",
    ),
    "no column of media": (
        RUN,
        "T.csv: column 'media' is missing. It has: age, label, path, predicted, sex, subject, target. Add the column "
        "'media' or rename one of these.",
        TABLE.replace("media", "path"),
    ),
    "a misspelt column of media": (
        RUN,
        "T.csv: there is no column 'media', and 'meida' would be an attribute. Columns that are no attributes: target, "
        "clip, media, audio, subject, label, split, fold, sha256, audio_sha256, valence, arousal, dominance, weight, "
        "frame, media_bytes, votes, box, points, au_NN. Rename 'meida': 'media' if that is what it is, else a name less like it.",
        TABLE.replace("media", "meida"),
    ),
    "a map of all tables that fits not all": (
        [*SCORE, "--predictions", "other=T.csv", "--column", "predicted=top1"],
        "T.csv: column 'top1' is missing. It has: age, label, media, predicted, sex, subject, target. Correct the "
        "mapping; --column NAME:OURS=YOURS maps a column of the one predictions table NAME.",
    ),
    "a map of what is not judged": (
        [*SCORE, "--column", "mien:predicted=top1"],
        "--column: 'mien:predicted' is of 'mien', which no predictions are called. Did you mean 'mine'? --predictions "
        "NAME=FILE gives the names: mine. Correct the name.",
    ),
    "an oracle without its column": (
        [*RUN, "--oracle", "align"],
        "T.csv: column 'points' is missing. It has: age, label, media, predicted, sex, sha256, subject, target. Add the "
        "column 'points' or rename one of these.",
        TABLE,
        [f"m{i}.png" for i in range(40)],
    ),
    "an oracle of aligned faces": (
        [*RUN, "--oracle", "detect", "--aligned"],
        "--oracle: the media of T are aligned faces. Aligned media skip the stages that can be given. Leave --oracle "
        "out.",
        TABLE,
        [f"m{i}.png" for i in range(40)],
    ),
    "an oracle of some": (
        [*RUN, "--oracle", "track"],
        "T.csv row 1: box is empty in 20 of 40 rows. Every row has its box, since --oracle track goes by it. Fill "
        "box, or leave these rows out.",
        "".join(
            line + (",box\n" if not i else ',"[1, 2, 3, 4]"\n' if i % 2 == 0 else ",\n")
            for i, line in enumerate(TABLE.splitlines())
        ),
        [f"m{i}.png" for i in range(40)],
    ),
    "a root that is not there": (
        [*RUN, "--root", "nowhere"],
        "--root: there is no folder 'nowhere'. The media of --targets lie under it. Correct the path.",
    ),
    "two sources": (
        [*RUN, "--suite", "demo", "--data", "drawn=."],
        "--targets: exactly one source of data is needed. --targets T (with --suite S too, for its conditions, "
        "slices and metrics), or --suite S --data NAME=ROOT. Give either --targets or --data.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OF_A_TABLE)
def test_refusal_of_a_table(affectbench: Affectbench, tmp_path: Path, case: str) -> None:
    words, message, *rest = OF_A_TABLE[case]
    (tmp_path / "T.csv").write_text(rest[0] if rest else TABLE)
    media = rest[1] if len(rest) > 1 else []
    for name in media:
        (tmp_path / name).write_bytes(b"looked at by nobody")
    done = affectbench(*words, "--targets", "T.csv", "--out", "out", "--tracking-uri", "off", cwd=tmp_path)
    assert done.stderr == f"error: {message.replace('HERE', str(tmp_path))}\n"
    assert done.returncode == 2
    assert {path.name for path in tmp_path.iterdir()} == {"T.csv", *media}


def test_two_tables_of_different_columns_are_judged_beside_each_other(
    affectbench: Affectbench, tmp_path: Path
) -> None:
    (tmp_path / "T.csv").write_text(TABLE)
    rows = [line.split(",") for line in TABLE.splitlines()[1:]]
    right = "".join(f"{target},{label}\n" for target, *_, label, _ in rows)
    (tmp_path / "old.csv").write_text("target,top1\n" + right)
    (tmp_path / "new.csv").write_text(
        "id,best,top1\n" + right.replace(",", ",happy,").replace("happy,happy", "happy,sad")
    )
    words = ["score", "--targets", "T.csv", "--predictions", "old.csv", "--predictions", "new.csv", "--json",
             "--tracking-uri", "off", "--metric", "accuracy"]  # fmt: skip
    (tmp_path / "map.yaml").write_text("predicted: top1\nnew:target: id\nnew:predicted: best\n")
    maps = (
        ["--column", "predicted=top1", "--column", "new:predicted=best", "--column", "new:target=id"],
        ["--columns", "map.yaml"],
        ["--columns", "map.yaml", "--column", "new:predicted=top1"],
    )
    found = []
    for number, map_ in enumerate(maps):
        done = affectbench(*words, *map_, "--out", f"out{number}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found.append([entry["estimate"] for entry in json.loads(done.stdout)["headline"]])
    assert found == [[1, 1], [1, 1], [1, 0]]


def test_what_is_said_twice_is_taken_once(affectbench: Affectbench, tmp_path: Path) -> None:
    (tmp_path / "T.csv").write_text(TABLE)
    twice = ["--slice", "sex", "--metric", "uar"] * 2
    done = affectbench(
        *SCORE, *twice, "--targets", "T.csv", "--out", "out", "--tracking-uri", "off", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    suite = json.loads((tmp_path / "out" / "run.json").read_text())["suite"]
    assert (suite["slices"], suite["metrics"]) == (["sex"], ["uar"])


def test_a_table_takes_the_place_of_the_data_of_a_suite(
    affectbench: Affectbench, drawn: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(
        "suite: mine\ndata: [{adapter: fer2013}]\nslices: [shape]\nmetrics: [uar]\n"
    )
    done = affectbench(
        "run", "--model", "oracle", "--suite", "mine.yaml", "--targets", drawn / "targets.csv", "--out", "out",
        "--tracking-uri", "off", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert [entry["name"] for entry in run["datasets"]] == ["targets"]
    assert (run["suite"]["suite"], run["suite"]["slices"]) == ("mine", ["shape"])


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


TWO = "suite: two\ndata: [{adapter: manifest, name: a, labels: ekman-7}, {adapter: manifest, name: b}]\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--targets", "T.csv"],
         "--targets: the suite two has 2 data sets: a, b. A table takes the place of one data set, with what the "
         "suite says of its labels and clusters. Name a suite of one data set, or give --data a=DIR --data b=DIR."),
        ([],
         "--suite: two needs to know where its data lie. --data a=DIR --data b=DIR. Add --data a=DIR --data b=DIR."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", [SCORE, RUN])
def test_a_table_is_not_one_of_several_data_sets(
    affectbench: Affectbench, tmp_path: Path, command: list[str], words: list[str], message: str
) -> None:
    (tmp_path / "T.csv").write_text(TABLE)
    (tmp_path / "two.yaml").write_text(TWO)
    done = affectbench(
        *command, "--suite", "two.yaml", *words, "--out", "out", "--tracking-uri", "off", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (2, f"error: {message}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["T.csv", "two.yaml"]


def test_labels_beside_data_are_refused_by_score(
    affectbench: Affectbench, drawn: Path, tmp_path: Path
) -> None:
    done = affectbench(
        "score", "--predictions", "P.csv", "--suite", "demo", "--data", f"drawn={drawn}", "--labels", "ekman-7",
        "--out", "out", "--tracking-uri", "off", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: --labels: it is given beside --data. ")
    assert list(tmp_path.iterdir()) == []
