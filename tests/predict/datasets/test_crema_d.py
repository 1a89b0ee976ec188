"""CREMA-D: the layout on a small copy made here, and the published numbers on the real tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.errors import UserError
from bench.predict.datasets import ADAPTERS, open_data
from bench.predict.datasets.adapter import Release
from bench.spec import DataSource
from bench.tables import validate_predictions

SOURCE = DataSource(adapter="crema-d")
HEADER = '"","A","D","F","H","N","S","fileName","numResponses"\n'
CLIPS = ("1001_IEO_ANG_HI", "1002_DFA_NEU_XX")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "VideoDemographics.csv").write_text(
        '"ActorID","Age","Sex","Race","Ethnicity"\n'
        '1001,51,"Male","Caucasian","Not Hispanic"\n1002,21,"Female","Asian","Hispanic"\n',
        encoding="utf-8",
    )
    rows = [
        f'"{p}0000{i}",{6 - p},0,0,0,{p},0,"{clip}",6\n' for p in (1, 2, 3) for i, clip in enumerate(CLIPS)
    ]
    (tmp_path / "processedResults").mkdir()
    (tmp_path / "processedResults" / "tabulatedVotes.csv").write_text(
        HEADER + "".join(rows), encoding="utf-8"
    )
    return tmp_path


def votes_file(root: Path, row: str) -> None:
    (root / "processedResults" / "tabulatedVotes.csv").write_text(HEADER + row, encoding="utf-8")


def test_rows(root: Path) -> None:
    (root / "VideoFlash").mkdir()
    (root / "VideoFlash" / f"{CLIPS[0]}.flv").touch()
    targets = open_data(SOURCE, root)
    assert targets.table.to_pylist() == [
        {
            "target": "1001_IEO_ANG_HI", "media": "VideoFlash/1001_IEO_ANG_HI.flv", "audio": None,
            "subject": "1001", "label": "anger", "votes": [3, 0, 0, 0, 0, 3], "sentence": "IEO",
            "level": "HI", "sex": "Male", "race": "Caucasian", "ethnicity": "Not Hispanic", "age": 51.0,
        },
        {
            "target": "1002_DFA_NEU_XX", "media": None, "audio": None, "subject": "1002", "label": "neutral",
            "votes": [3, 0, 0, 0, 0, 3], "sentence": "DFA", "level": "XX", "sex": "Female", "race": "Asian",
            "ethnicity": "Hispanic", "age": 21.0,
        },
    ]  # fmt: skip
    assert (targets.cluster, targets.facts.attributes_public) == ("subject", True)
    assert targets.facts.label_source == "posed"
    assert targets.attributes == ("sentence", "level", "sex", "race", "ethnicity", "age")


def test_raters_are_shares_of_votes(root: Path) -> None:
    release = ADAPTERS["crema-d"]
    assert isinstance(release, Release)
    assert release.raters is not None
    raters = release.raters(root)
    assert list(raters) == ["voice", "face", "both"]
    assert raters["voice"]["p_anger"].to_pylist() == [5 / 6, 5 / 6]
    assert raters["face"]["p_neutral"].to_pylist() == [2 / 6, 2 / 6]


def test_suite_may_overrule_facts(root: Path) -> None:
    source = DataSource(
        adapter="crema-d", name="mine", cluster_unit="clip", attributes_public=False, label_source="perceived"
    )
    facts = open_data(source, root).facts
    assert (facts.name, facts.cluster_unit, facts.attributes_public) == ("mine", "clip", False)
    assert facts.label_source == "perceived"


def test_there_is_no_official_split(root: Path) -> None:
    with pytest.raises(
        UserError, match=r"crema-d: split 'test' is not known.*none, it has no official split"
    ):
        open_data(DataSource(adapter="crema-d", split="test"), root)


def test_other_folder(root: Path) -> None:
    (root / "processedResults" / "tabulatedVotes.csv").unlink()
    with pytest.raises(UserError) as caught:
        open_data(SOURCE, root)
    assert str(caught.value) == (
        f"{root}: no processedResults/tabulatedVotes.csv here, only VideoDemographics.csv, processedResults/."
        " The folder of CREMA-D has VideoDemographics.csv, processedResults/tabulatedVotes.csv. "
        "Give the folder that holds them."
    )


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ('"300001",0,0,0,0,0,0,"1001_IEO_ANG_HI",0\n', "clip 1001_IEO_ANG_HI has no both votes"),
        ('"300001",1,0,0,0,0,0,"1001_IEO_JOY_HI",1\n', "'1001_IEO_JOY_HI' is no name of a clip"),
        ('"300001",1,0,0,0,0,0,"1003_IEO_ANG_HI",1\n', "actor 1003 of clip 1003_IEO_ANG_HI is not there"),
        ('"300001",many,0,0,0,0,0,"1001_IEO_ANG_HI",1\n', "column 'A' holds 'many'"),
    ],
)
def test_tables_that_do_not_fit_together(root: Path, row: str, found: str) -> None:
    votes_file(root, row)
    with pytest.raises(UserError, match=found):
        open_data(SOURCE, root)


def test_real_tables_agree_with_pandas(shared: Path) -> None:
    """The published counts, and the oracle of real people: majority equals intended emotion, ties wrong."""
    import pandas as pd

    root = shared / "data" / "crema_d_tables"
    targets = open_data(SOURCE, root)
    assert (len(targets), len(set(targets.table["subject"].to_pylist()))) == (7442, 91)
    bad = {"1076_MTI_NEU_XX", "1076_MTI_SAD_XX", "1064_TIE_SAD_XX", "1064_IEO_DIS_MD"}
    assert bad <= set(targets.table["target"].to_pylist())

    table = pd.read_csv(root / "processedResults" / "tabulatedVotes.csv")
    letter = {"A": "anger", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness"}
    code = {"ANG": "A", "DIS": "D", "FEA": "F", "HAP": "H", "NEU": "N", "SAD": "S"}
    people = pd.read_csv(root / "VideoDemographics.csv").set_index("ActorID")
    release = ADAPTERS["crema-d"]
    assert isinstance(release, Release)
    assert release.raters is not None
    published = {"voice": 0.4164, "face": 0.6626, "both": 0.7221}
    single = {"voice": 0.400, "face": 0.574, "both": 0.631}
    for digit, (name, predictions) in enumerate(release.raters(root).items(), start=1):
        part = table[table.iloc[:, 0] // 100_000 == digit].set_index("fileName")
        intended = part.index.str.split("_").str[2].map(code)
        counts = part[list(letter)]
        right = (part["emoVote"] == intended).to_numpy()  # the file's own majority, ties joined by ":"
        rows = validate_predictions(predictions, targets, name).to_pandas().set_index("target")
        label = targets.table.to_pandas().set_index("target")["label"]
        ours = (rows["predicted"] == label).reindex(part.index).to_numpy()
        assert (ours == right).all()
        assert round(ours.mean(), 4) == published[name]
        assert (rows["predicted"].isna().reindex(part.index) == part["emoVote"].str.contains(":")).all()
        shares = np.stack([rows[f"p_{label}"].reindex(part.index) for label in letter.values()], axis=1)
        np.testing.assert_allclose(
            shares, counts.to_numpy() / counts.sum(axis=1).to_numpy()[:, None], atol=1e-15
        )
        votes = counts.to_numpy()[np.arange(len(part)), [list(letter).index(x) for x in intended]]
        assert round(votes.sum() / counts.to_numpy().sum(), 3) == single[name]
        sex = people.loc[part.index.str[:4].astype(int), "Sex"].to_numpy()
        by_sex = {s: round(right[sex == s].mean(), 4) for s in ("Male", "Female")}
        assert by_sex == {
            "face": {"Male": 0.6257, "Female": 0.7039},
            "both": {"Male": 0.6873, "Female": 0.7611},
        }.get(name, by_sex)

    frame = targets.table.to_pandas()
    given = people.loc[frame["subject"].astype(int)]
    for ours_, theirs in {"sex": "Sex", "race": "Race", "ethnicity": "Ethnicity", "age": "Age"}.items():
        assert (frame[ours_].to_numpy() == given[theirs].to_numpy()).all()
