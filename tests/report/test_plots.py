"""Figures of every kind: planted numbers are in picture and table, withheld ones are nowhere, words tell the finding."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from bench.report.format import WITHHELD
from bench.report.parts import Part
from bench.report.plots import plot_parts
from bench.report.plots.funnel import segments
from bench.report.results import read_results
from bench.spec import Condition, Facts
from bench.tables.curves import curves_table, write_curves
from tests.report import fake_run
from tests.report.reading import SVG, parse, read, svg_text
from tests.report.test_curves import point
from tests.report.test_figures import marks
from tests.report.test_funnel import made as with_funnel

LABELS = ("fear", "anger")
SECRET = 0.123457
KINDS = ["groups", "gaps", "robustness", "confusion", "calibration", "affect", "coverage", "funnel", "power"]
WHOLE: fake_run.Part = (None, None)
Parts = dict[str, tuple[Part, ...]]


def made(**fields: Any) -> fake_run.FakeRun:
    """One model, an attribute of four values of which one is withheld and one insufficient, a gap and pairs."""
    facts = Facts(name="d", labels=LABELS, attributes={"a": "given"})
    run = fake_run.FakeRun(facts, [fake_run.model("m")], rows=900, slices=("a",), metrics=("uar",), **fields)
    parts = {WHOLE: 0.7, ("a", "p"): 0.75, ("a", "q"): 0.6, ("a", "thin"): 0.9, ("a", "few"): SECRET}
    for part, value in parts.items():
        state = {"thin": "insufficient", "few": "suppressed"}.get(part[1] or "", "reportable")
        for metric, shown in (("uar", value), ("coverage", 1 - value / 10)):
            run.estimate(
                "m", metric, shown, part=part, status=state, n=7741 if state == "suppressed" else 300
            )
    run.estimate("m", "uar", 0.15, part=("a", None), kind="gap", half=None, p=0.004, p_adjusted=0.02,
                 null_mean=0.021, null_p95=0.047)  # fmt: skip
    run.estimate("m", "uar", -0.15, part=("a", "q"), kind="contrast", reference="p", half=0.04,
                 p_adjusted=0.003, sdd80=0.062)  # fmt: skip
    run.estimate("m", "uar", SECRET, part=("a", "few"), kind="contrast", reference="p", status="suppressed",
                 sdd80=SECRET)  # fmt: skip
    return run


def drawn(run: fake_run.FakeRun, folder: Path, points: list[dict[str, Any]] | None = None) -> Parts:
    path = run.write(folder / "run")
    write_curves(curves_table(points or []), path / "curves.parquet")
    results = read_results(path)
    return plot_parts(results, results.datasets[0])


def texts_of(parts: tuple[Part, ...]) -> list[str]:
    return [text for part in parts for figure in part.figures for text in svg_text(parse(figure.svg))]


def entries_of(parts: tuple[Part, ...]) -> dict[str, list[str]]:
    """The lines of all tables by their heads."""
    tables = (table for part in parts for table in part.tables)
    lines = (line for table in tables for group in table.groups for line in group.lines)
    return {line.head: [entry.text for entry in line.entries] for line in lines}


def counts(*rows: tuple[int | None, ...], model: str = "m") -> list[dict[str, Any]]:
    """A grid of confusions; None is withheld."""
    found = []
    for truth, row in enumerate(rows):
        every = sum(n or 0 for n in row)
        for said, n in enumerate(row):
            state = {"status": "suppressed"} if n is None else {"x": n / every}
            fields = {"low": float(truth), "high": float(said), "n": 7741 if n is None else n}
            found.append(
                point("confusion", WHOLE, model, **{**fields, **state}) | ({"x": SECRET} if n is None else {})
            )
            found[-1]["high"] = float(said)
    return found


def test_every_kind_has_its_place_and_every_figure_words_and_numbers(tmp_path: Path) -> None:
    found = drawn(made(), tmp_path, counts((80, 15, 5), (None, 60, None)))
    assert list(found) == KINDS
    there = {kind for kind, parts in found.items() if any(part.figures for part in parts)}
    assert there == {"groups", "gaps", "confusion", "coverage", "power"}
    for part in itertools.chain.from_iterable(found.values()):
        assert part.figures or part.text
        assert not part.figures or part.tables
        for figure in part.figures:
            assert figure.caption
            assert re.search(r"\d", figure.alt), figure.alt


def test_suppressed_numbers_are_in_no_figure_table_or_word(tmp_path: Path) -> None:
    """Though the file, as no honest one does, holds them."""
    honest = made()
    nothing = dict.fromkeys(("estimate", "low", "high", "n", "clusters", "n_eff", "coverage", "sdd80"))
    for row in honest.estimates:
        row.update(nothing if row["status"] == "suppressed" else {})
    grid = counts((80, 15, 5), (None, 60, None))
    leaky, clean = drawn(made(), tmp_path / "leaky", grid), drawn(honest, tmp_path / "honest", grid)
    assert leaky == clean
    told = repr(leaky)
    for secret in ("0.123", "7741", "7\u202f741", "0.062346", "0.9876"):
        assert secret not in told
    pages = [read(tmp_path / each / "run")[0] for each in ("leaky", "honest")]
    assert len({re.sub(r"sha256 [0-9a-f]{64}", "", page) for page in pages}) == 1
    assert WITHHELD in texts_of(leaky["groups"])
    assert len(marks(leaky["groups"][0].figures[0].svg)) == 4  # all rows, p, q and thin; not few
    assert len(marks(leaky["coverage"][0].figures[0].svg)) == 4
    assert len(marks(leaky["power"][0].figures[0].svg)) == 1


def test_a_gap_stands_beside_its_null(tmp_path: Path) -> None:
    (part,) = drawn(made(), tmp_path)["gaps"]
    (figure,) = part.figures
    assert "m, a: 0.150, above the 0.047 of chance" in figure.alt
    assert "p .004" in svg_text(parse(figure.svg))
    ((x, _, fill),) = marks(figure.svg)
    assert fill == "#0072b2"
    # The axis goes to 1.45 times the largest end, which is the .19 of the interval.
    ends = [p.get("d", "") for p in parse(figure.svg).iter(f"{SVG}path") if "#c9d0d8" in p.get("style", "")]
    (bar,) = [[float(n) for n in re.findall(r"-?[\d.]+", d)] for d in ends]
    left, right = min(bar[::2]), max(bar[::2])
    assert (right - left) / (x - left) == pytest.approx(0.047 / 0.15, rel=1e-3)
    assert entries_of((part,))["a"][1:4] == ["0.150", "0.021", "0.047"]


def test_the_longest_interval_does_not_reach_its_p(tmp_path: Path) -> None:
    run = made()
    next(row for row in run.estimates if row["kind"] == "gap")["p"] = 0.0002
    (figure,) = drawn(run, tmp_path)["gaps"][0].figures
    page = parse(figure.svg)
    (end,) = [float(t.get("x", "")) for t in page.iter(f"{SVG}text") if t.text == "p < .001"]
    wide = TextPath((0, 0), "p < .001", size=8, prop=FontProperties(family="DejaVu Sans")).get_extents().width
    lines = [
        p.get("d", "") for p in page.iter(f"{SVG}path") if "fill: none; stroke: #0072b2" in p.get("style", "")
    ]
    (reach,) = [max(float(x) for x in re.findall(r"[ML] ([\d.]+)", line)) for line in lines]
    assert reach + 8 < end - wide  # an em apart


def test_a_gap_within_chance_is_hollow_and_none_says_so(tmp_path: Path) -> None:
    run = made()
    next(row for row in run.estimates if row["kind"] == "gap")["estimate"] = 0.03
    (figure,) = drawn(run, tmp_path / "within")["gaps"][0].figures
    assert "0.030, within the 0.047 of chance" in figure.alt
    assert [fill for _, _, fill in marks(figure.svg)] == ["#ffffff"]
    run.estimates = [row for row in run.estimates if row["kind"] == "value"]
    run.estimate("m", "uar", None, part=("a", None), kind="gap", half=None, status="insufficient")
    (part,) = drawn(run, tmp_path / "none")["gaps"]
    assert not part.figures
    assert part.text[0].endswith("two reportable values of UAR, so that there is no gap to draw.")


def test_where_the_metric_that_leads_has_no_gap_another_is_drawn(tmp_path: Path) -> None:
    """Of UAR only one value is reportable; of accuracy two are, and differ by .15."""
    run = made()
    run.metrics = ("uar", "macro_f1", "accuracy")
    for row in run.estimates:
        row["metric"] = "accuracy" if row["metric"] == "uar" else row["metric"]
    for part in (WHOLE, ("a", "p"), ("a", "q")):
        for metric in ("uar", "macro_f1"):
            run.estimate("m", metric, 0.5, part=part, status="insufficient" if part[1] else "reportable")
    run.estimate("m", "uar", None, part=("a", None), kind="gap", half=None, status="insufficient")
    found = drawn(run, tmp_path)
    (gaps,), (power,) = found["gaps"], found["power"]
    said = "No attribute has two reportable values of UAR on d; drawn are the gaps of accuracy (WAR)."
    assert gaps.text[1:] == (said,)
    assert gaps.figures[0].caption.startswith("Gaps of accuracy (WAR) on d")
    assert entries_of((gaps,))["a"][1:4] == ["0.150", "0.021", "0.047"]
    assert power.figures[0].caption.startswith("Differences of accuracy (WAR) on d")
    assert entries_of((power,))["q \u2212 p"][1] == "0.062"
    assert power.text[1].startswith("No attribute has two reportable values of UAR; ")
    page, tables = read(tmp_path / "run")
    assert "no gap to draw" not in page
    assert "no comparison has a power" not in page
    assert "Differences of accuracy (WAR) on d with simultaneous intervals" in [c for c, _ in tables.tables]


def test_power_is_the_smallest_difference_beside_the_one_found(tmp_path: Path) -> None:
    (part,) = drawn(made(), tmp_path)["power"]
    (figure,) = part.figures
    assert "from 0.062 to 0.062; smaller than theirs: 0 of 1 difference found." in figure.alt
    assert [fill for _, _, fill in marks(figure.svg)] == ["#0072b2"]  # its interval excludes 0
    assert entries_of((part,))["q \u2212 p"] == ["\u22120.150 [\u22120.190, \u22120.110]", "0.062"]


def test_confusions_stand_in_picture_and_tables(tmp_path: Path) -> None:
    parts = drawn(made(), tmp_path, counts((80, 15, 5), (None, 60, None)))["confusion"]
    (figure,) = parts[-1].figures
    assert "fear called anger: 15.0 % (15); fear called none: 5.0 % (5)" in figure.alt
    texts = svg_text(parse(figure.svg))
    assert {"80", "15", "5", "60", "fear", "anger", "none"} <= set(texts)
    lines = entries_of(parts)
    assert lines["anger"] == [WITHHELD, "60", WITHHELD]
    pairs, matrix = parts[-1].tables
    # Two places are withheld, and any of them may be the most frequent one.
    assert pairs.caption == "Labels most often taken for another on d, of what is not withheld: the first 10"
    assert "Most often confused, of what is not withheld: fear called anger" in figure.alt
    shown = drawn(made(), tmp_path / "all", counts((80, 15, 5), (1, 60, 2)))["confusion"][-1]
    assert shown.tables[0].caption == "Labels most often taken for another on d: the first 10"
    assert "Recall over all rows is not withheld, also of a class of few people" in " ".join(parts[-1].text)
    assert "atched" not in " ".join(shown.text)  # nothing is withheld there
    assert [[e.text for e in line.entries] for line in pairs.groups[0].lines] == [
        ["anger", "15", "15.0 %"], ["none", "5", "5.0 %"],
    ]  # fmt: skip
    assert matrix.columns == ("Label", "fear", "anger", "none")


def test_labels_without_a_row_are_left_out_and_no_counts_are_said_to_be_none(tmp_path: Path) -> None:
    found = drawn(made(), tmp_path / "one", [
        *counts((9, 1, 0)), *(point("confusion", WHOLE, low=1.0, n=0) | {"high": float(s)} for s in range(2)),
        point("confusion", WHOLE, low=1.0, n=None) | {"high": 2.0, "status": "suppressed"},
    ])["confusion"]  # fmt: skip
    assert [line.head for line in found[-1].tables[1].groups[0].lines] == ["fear"]
    run = made()
    for label in LABELS:
        run.estimate("m", f"recall/{label}", 0.5)
    parts = drawn(run, tmp_path / "none")["confusion"]
    assert [part.title for part in parts] == ["Recall of each class", "What is taken for what"]
    assert "no counts" in parts[-1].text[0]


def test_coverage_that_is_whole_is_one_sentence(tmp_path: Path) -> None:
    run = made()
    for row in run.estimates:
        if row["metric"] == "coverage":
            row["estimate"] = 1.0
    (part,) = drawn(run, tmp_path)["coverage"]
    assert not part.figures
    assert part.text == ("Every row of every slice that is shown has an answer.",)


def test_coverage_that_was_not_asked_for_has_no_interval(tmp_path: Path) -> None:
    run = made()
    run.estimates = [row for row in run.estimates if row["metric"] != "coverage"]
    (part,) = drawn(run, tmp_path)["coverage"]
    assert "without intervals" in part.text[1]
    assert entries_of((part,))["p"][-1] == "0.998 (no interval)"


PLANE = {
    "affect_labels": {(0.5, 0.5): 30, (-1.0, -1.0): None, (-0.75, -1.0): None},
    "affect_outputs": {(0.25, 0.25): 30},
}


def plane() -> list[dict[str, Any]]:
    corners = [-1 + 0.25 * i for i in range(8)]
    found = []
    for curve, known in PLANE.items():
        for at in itertools.product(corners, corners):
            gone = {"status": "suppressed", "x": SECRET} if known.get(at, 0) is None else {}
            n = 7741 if gone else known.get(at, 0)
            found.append(point(curve, WHOLE, n=n, **gone) | {"low": at[0], "high": at[1]})
    for curve, mean in (("quadrant_labels", (0.61, 0.52)), ("quadrant_outputs", (0.33, 0.41))):
        for at in itertools.product((-1.0, 0.0), (-1.0, 0.0)):
            x, y = mean if at == (0.0, 0.0) else (None, None)
            state = "suppressed" if at[1] < 0 else "reportable"
            fields = {"x": x, "y": y, "n": 30 if x else 0, "status": state}
            found.append(point(curve, WHOLE, **fields) | {"low": at[0], "high": at[1]})
    return found


def test_the_plane_shows_where_outputs_move_labels(tmp_path: Path) -> None:
    run = made()
    for metric in ("ccc_valence", "ccc_arousal"):
        run.estimate("m", metric, 0.5)
    (part,) = drawn(run, tmp_path, plane())["affect"]
    (figure,) = part.figures
    assert "valence 0 or more, arousal 0 or more: from (0.61, 0.52) to (0.33, 0.41)" in figure.alt
    lines = entries_of((part,))
    assert lines["valence 0 or more, arousal 0 or more"] == ["30", "0.610", "0.520", "0.330", "0.410"]
    assert lines["valence below 0, arousal below 0"] == [WITHHELD] * 5
    assert lines["0.50 to 0.75"][6] == "30 / 0"
    assert lines["\u22121.00 to \u22120.75"][:2] == [f"{WITHHELD} / 0"] * 2
    assert "7741" not in repr(part)
    patches = [p for p in parse(figure.svg).iter(f"{SVG}path") if "fill: #08306b" in p.get("style", "")]
    assert len(patches) == 2  # the fullest square of either panel


def test_without_valence_there_is_no_plane_and_without_counts_a_sentence(tmp_path: Path) -> None:
    assert drawn(made(), tmp_path / "none")["affect"] == ()
    run = made()
    for metric in ("ccc_valence", "ccc_arousal"):
        run.estimate("m", metric, 0.5)
    (part,) = drawn(run, tmp_path / "some")["affect"]
    assert not part.figures
    assert "no plane" in part.text[0]


def test_the_bars_of_the_funnel_are_its_counts(tmp_path: Path) -> None:
    run = with_funnel()
    (part,) = drawn(run, tmp_path)["funnel"]
    (figure,) = part.figures
    assert "Of all rows m: 50 % right, 30 % predicted, not right, 4 % no output" in figure.alt
    root = parse(figure.svg)
    assert {"right", "predicted, not right", "no face found", WITHHELD} <= set(svg_text(root))
    assert segments({"targets": 9, "decoded": 9, "face": 7, "aligned": None, "right": 4}) == {
        "decoded": 2, "face": 3, "right": 4,
    }  # fmt: skip
    assert sum(segments({"targets": 1000, "decoded": 980, "face": 900, "right": 500}).values()) == 1000


def perturbed(severities: tuple[int, ...], names: tuple[str, ...] = ("low_light",)) -> fake_run.FakeRun:
    run = made(conditions=tuple(Condition(perturb=name, severities=severities) for name in names))
    for name, severity in itertools.product(names, severities):
        place = (name, severity, "frame")
        for part, value in ((WHOLE, 0.6), (("a", "p"), 0.65), (("a", "q"), 0.5), (("a", "thin"), 0.8)):
            state = "insufficient" if part[1] == "thin" else "reportable"
            run.estimate("m", "uar", value - severity / 20, part=part, place=place, status=state)
        run.estimate("m", "uar", SECRET, part=("a", "few"), place=place, status="suppressed")
    return run


def test_severity_curves_by_group_leave_out_what_is_withheld(tmp_path: Path) -> None:
    whole, by_group = drawn(perturbed((1, 3)), tmp_path)["robustness"]
    assert whole.title == "Conditions"
    (figure,) = by_group.figures
    assert "low light (frame) at severity 3: 0.350 (q) to 0.500 (p)" in figure.alt
    texts = svg_text(parse(figure.svg))
    assert {"p", "q", "thin", f"few ({WITHHELD})"} <= set(texts)
    colours = {name: len(marks(figure.svg, colour)) for name, colour in
               zip(("p", "q", "thin", "few"), ("#0072b2", "#d55e00", "#009e73", "#cc79a7"), strict=True)}  # fmt: skip
    assert colours == {"p": 4, "q": 4, "thin": 4, "few": 1}  # three severities and the key; the key alone
    assert [fill for _, _, fill in marks(figure.svg, "#009e73")] == ["#ffffff"] * 3 + [
        "#009e73"
    ]  # thin; the key
    lines = entries_of((by_group,))
    assert lines["low light, severity 3, on the frame"][3] == WITHHELD
    assert lines["low light, severity 3, on the frame"][0] == "0.500 [0.480, 0.520]"


def test_conditions_of_one_severity_stand_below_one_another(tmp_path: Path) -> None:
    _, by_group = drawn(perturbed((3,), ("low_light", "blur")), tmp_path)["robustness"]
    (figure,) = by_group.figures
    assert "blur 3 (frame) at severity 3: 0.350 (q) to 0.500 (p)" in figure.alt
    assert svg_text(parse(figure.svg)).count(WITHHELD) == 3
    assert len(entries_of((by_group,))) == 3


def test_what_is_not_drawn_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.report.plots.by_group.MOST_PANELS", 3)
    monkeypatch.setattr("bench.report.plots.robustness.MOST_CURVES", 2)
    names = tuple(f"p{number}" for number in range(5))
    run = perturbed((1, 2), names)
    whole, by_group = drawn(run, tmp_path)["robustness"]
    assert len(whole.figures) == 2
    assert "3 of 5 figures of curves are not drawn; the table of conditions holds them." in whole.text
    assert any("Shown are the 3 of 5 perturbations" in text for text in by_group.text)
    assert len(entries_of((by_group,))) == 1 + 2 * 3


def test_the_same_run_gives_the_same_figures_and_none_is_there_twice(tmp_path: Path) -> None:
    run = perturbed((1, 3))
    grid = counts((80, 15, 5), (None, 60, None))
    assert drawn(run, tmp_path / "one", grid) == drawn(run, tmp_path / "two", grid)
    page = read(tmp_path / "one" / "run")[1]
    images = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    assert len(images) == len(set(images)) > 5
