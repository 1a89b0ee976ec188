"""Action units: columns by name, one scale for a data set, codes that mean "not coded", and every refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bench.errors import UserError
from bench.spec import AuScale, Facts
from bench.tables import Targets, read_targets, validate_predictions, validate_targets
from bench.tables.action_units import UNCODED, action_units, refuse_unit_names, require_unit_scale

NAMES = ["a", "b", "c"]


def targets(scale: AuScale | None = None, **units: object) -> Targets:
    facts = Facts(name="small", au_scale=scale)
    return validate_targets(pa.table({"target": NAMES, "subject": NAMES, **units}), facts, "T.csv")


def said(scale: AuScale | None = None, **units: object) -> str:
    with pytest.raises(UserError) as caught:
        targets(scale, **units)
    return str(caught.value)


@pytest.mark.parametrize(
    ("declared", "units", "scale"),
    [
        (None, {"au_12": [0, 1, None]}, "occurrence"),
        (None, {"au_12": [0, 1, None], "au_04": [0, 5, 3]}, "intensity"),
        (None, {"au_12": [0.0, 2.5, 4.0]}, "intensity"),
        ("intensity", {"au_12": [0, 1, 0.5]}, "intensity"),
        ("occurrence", {"au_12": [0, 0, 0]}, "occurrence"),
        (None, {"au_12": [None, -1, 999]}, None),
        (None, {"age": [1, 2, 3]}, None),
    ],
)
def test_the_scale_is_the_declared_one_or_that_of_all_values(
    declared: AuScale | None, units: dict[str, object], scale: str | None
) -> None:
    given = targets(declared, **units)
    assert given.facts.au_scale == scale
    assert not set(given.attributes) & set(action_units(given.table.column_names))


@pytest.mark.parametrize("code", UNCODED)
def test_a_unit_that_was_not_coded_is_null_and_never_absent(code: int) -> None:
    assert targets(au_12=[0, 1, code]).table["au_12"].to_pylist() == [0.0, 1.0, None]
    assert targets(au_12=["5", None, str(code)]).table["au_12"].to_pylist() == [5.0, None, None]


UNKNOWN = "empty, -1, 9, 999 where it was not coded."


def test_what_is_on_no_scale_is_refused() -> None:
    both = f"Occurrence is 0 (absent) or 1 (present); Intensity is 0 (absent) or FACS A to E as 1 to 5; {UNKNOWN}"
    end = "Correct the value or leave the field empty."
    assert said(au_12=[0, 7, 1]) == f"T.csv row 2: au_12 is 7. {both} {end}"
    assert said(au_12=[0, 1, -2]) == f"T.csv row 3: au_12 is -2. {both} {end}"
    # Of fractions up to 1 nobody can say whether they are shares of raters or faint intensities.
    assert said(au_12=[0.25, 1, 0]) == f"T.csv row 1: au_12 is 0.25. {both} {end}"


def test_what_is_not_on_the_declared_scale_is_refused() -> None:
    end = "Correct the value or leave the field empty, or declare the other au_scale."
    assert said("occurrence", au_12=[0, 1, 3]) == (
        "T.csv row 3: au_12 is 3, and occurrence is declared. Occurrence is 0 (absent) or 1 (present); "
        f"{UNKNOWN} {end}"
    )
    assert said("intensity", au_12=[0, 1, 6]) == (
        "T.csv row 3: au_12 is 6, and intensity is declared. Intensity is 0 (absent) or FACS A to E as 1 to 5; "
        f"{UNKNOWN} {end}"
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [("AU12", "au_12"), ("au12", "au_12"), ("AU04_r", "au_04"), ("au_4", "au_04"), ("au_smile", "au_12")],
)
def test_an_action_unit_by_another_name_is_refused(name: str, meant: str) -> None:
    assert said(**{name: [0, 1, 0]}) == (
        f"T.csv: column {name!r} is no action unit by its name, and may be one. Action units are au_NN, two "
        f"digits, as au_04 and au_12. Rename {name!r}: {meant!r} if that is what it is, else a name less like it."
    )


def test_names_that_only_begin_alike_are_not_refused() -> None:
    refuse_unit_names(["audio", "audio_sha256", "author", "aurora_1", "au_04", "gauge12"], "T.csv")


@pytest.mark.parametrize(
    ("truth", "value", "message"),
    [
        ([0, 1, 0], 1.5, "au_12 is 1.5. Predicted occurrence is a score in [0, 1], for the targets are occurrences. "
                         "Apply a sigmoid to logits, or give decisions as 0 and 1."),
        ([0, 3, 0], 6.5, "au_12 is 6.5. Predicted intensity lies in [0, 5], and a regression that overshoots in "
                         "[-1, 6]. Rescale the column to [0, 5]."),
    ],
)  # fmt: skip
def test_predictions_are_on_the_scale_of_the_targets(truth: list[int], value: float, message: str) -> None:
    table = pa.table({"target": NAMES, "au_12": [0.0, value, None]})
    with pytest.raises(UserError) as caught:
        validate_predictions(table, targets(au_12=truth), "P.csv")
    assert str(caught.value) == f"P.csv target 'b': {message}"
    kept = validate_predictions(
        table.set_column(1, "au_12", [[0.0, 1.0, None]]), targets(au_12=truth), "P.csv"
    )
    assert kept["au_12"].to_pylist() == [0.0, 1.0, None]


def test_a_prediction_by_another_name_is_refused_and_overshoot_is_not() -> None:
    with pytest.raises(UserError, match="column 'au_4' is no action unit by its name"):
        validate_predictions(
            pa.table({"target": NAMES, "au_4": [0, 1, 0]}), targets(au_04=[0, 1, 0]), "P.csv"
        )
    require_unit_scale("au_12", np.array([-1.0, 6.0, np.nan]), "intensity", str)
    require_unit_scale("au_12", np.array([-70.0]), None, str)


def test_the_scale_travels_with_the_table_and_only_where_there_is_one(tmp_path: Path) -> None:
    intensities = targets("intensity", au_12=[0, 1, 1])
    intensities.write(tmp_path / "T.parquet")
    assert read_targets(tmp_path / "T.parquet").facts.au_scale == "intensity"
    assert targets(au_12=[0, 1, 1]).digest != intensities.digest
    # Data sets without action units keep the digest they had before there was a scale.
    assert '"au_scale"' in targets().facts.model_dump_json()
    assert "au_scale" not in targets().facts.model_dump(exclude_none=True)
