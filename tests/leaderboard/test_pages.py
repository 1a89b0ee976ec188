"""Pages as records: pairs read the same from both sides, sentences agree with numbers, figures with tables."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bench.leaderboard.assemble import Leaderboard
from bench.leaderboard.board_page import board_page
from bench.leaderboard.compare import compare_page
from bench.leaderboard.index import index_page
from bench.leaderboard.model_page import model_page
from bench.leaderboard.standing import Pair
from bench.leaderboard.words import pair_sentence
from bench.report import format as fmt
from bench.report.scatter import Panel, Point, draw_scatter
from bench.report.site import SitePage


def titles(page: SitePage) -> list[str]:
    return [part.title for section in page.sections for part in section.parts]


def test_a_matrix_reads_the_same_from_both_sides(board: Leaderboard) -> None:
    page = compare_page(board, board.tables[0])
    assert titles(page) == ["Matrix", "Table", "In words", "How to read these pairs"]
    (matrix,) = page.sections[0].parts[0].tables
    said = {record.head.text: [datum.text for datum in record.data[1:]] for record in matrix.records}
    order = [column.text for column in matrix.columns[2:]]
    assert order == list(said)
    assert order[0] == "best"
    turned = {
        "+ better": "\u2212 worse",
        "\u2212 worse": "+ better",
        "not decided": "not decided",
        "\u2013": "\u2013",
    }
    for i, name in enumerate(order):
        for j, other in enumerate(order):
            assert said[other][i] == turned[said[name][j]]
    assert said["middle"][order.index("twin")] == "not decided"


def test_every_pair_has_a_row_and_a_sentence(board: Leaderboard) -> None:
    page = compare_page(board, board.tables[0])
    _, table, words, _ = page.sections[0].parts
    standing = board.tables[0].standing
    assert standing is not None
    assert len(table.tables[0].records) == len(words.text) == len(standing.pairs) == 6
    for pair, text, record in zip(standing.pairs, words.text, table.tables[0].records, strict=True):
        assert pair.first in text
        assert pair.second in text
        assert record.data[-1].text == pair.verdict
        assert (f"is {pair.verdict} than" in text) == (pair.verdict != "not decided")


@pytest.mark.parametrize(
    ("verdict", "low", "told"),
    [
        ("better", 0.01, "a is better than b: +0.050 [+0.010, +0.090] of UAR, adjusted p .020 over 3 pairs."),
        ("not decided", -0.01, "The data do not decide between a and b: +0.050 [\u22120.010, +0.090] of UAR"),
        ("not decided", float("nan"), "a against b: not decided (no interval: why)."),
    ],
)
def test_sentences(verdict: str, low: float, told: str) -> None:
    reason = "no interval: why" if low != low else None
    pair = Pair("a", "b", 0.05, low, 0.09, 0.01, 0.02, verdict, reason, 3)  # type: ignore[arg-type]
    assert pair_sentence(pair, "uar").startswith(told)


def test_one_pair_is_one_pair(board: Leaderboard) -> None:
    from dataclasses import replace

    standing = board.tables[0].standing
    assert standing is not None
    alone = replace(standing, pairs=(replace(standing.pairs[0], family=1),))
    page = compare_page(board, replace(board.tables[0], standing=alone))
    _, table, words, _ = page.sections[0].parts
    assert table.tables[0].notes[0].endswith("; 1 pair.")
    assert words.text[0].endswith(" over 1 pair.")


def test_a_page_of_pairs_needs_pairs(board: Leaderboard) -> None:
    from dataclasses import replace

    with pytest.raises(ValueError, match="has pairs"):
        compare_page(board, replace(board.tables[0], standing=None))


def test_the_letters_of_a_figure_are_those_of_its_table(board: Leaderboard) -> None:
    page = board_page(board, board.tables[0])
    part = page.sections[0].parts[0]
    (figure,), (table,) = part.figures, part.tables
    assert "All numbers are in the table." in figure.alt
    drawn = dict(re.findall(r"([A-Z]) (\w+): ", figure.alt))
    listed = {record.data[0].text: record.head.text for record in table.records}
    assert drawn
    assert drawn.items() <= listed.items()
    assert "feigned" not in drawn.values()
    letters = {record.head.text: record.data[0].text for record in table.records}
    assert letters == {"best": "A", "twin": "B", "middle": "C", "worst": "D", "feigned": "\u2013"}


def test_a_figure_is_the_same_twice_and_needs_a_point() -> None:
    nothing = float("nan")
    panels = [
        Panel(
            "y",
            (
                Point(1, "a", (0.5, 0.4, 0.6), (0.1, nothing, nothing)),
                Point(2, "b", (0.6, 0.5, 0.7), (0.2, 0.1, 0.3), False),
            ),
        )
    ]
    one, two = draw_scatter(panels, "x", "c"), draw_scatter(panels, "x", "c")
    assert one.svg == two.svg
    assert b"<svg" in one.svg
    assert one.alt == "y against x: A a: 0.500 and 0.100; B b: 0.600 and 0.200. All numbers are in the table."
    with pytest.raises(ValueError, match="has a point"):
        draw_scatter([Panel("y", ())], "x", "c")


def test_the_index_has_a_row_for_everybody(board: Leaderboard) -> None:
    (table,) = index_page(board).sections[0].parts[0].tables
    marks = {record.head.text: set(record.marks) for record in table.records}
    assert marks["feigned"] == {"double", "reportable"}
    assert marks["baseline: chance"] == {"baseline", "reportable"}
    assert [record.head.text for record in table.records][-1] == "baseline: chance"
    # Ranked models by rank, then the rest by value: the double is right as often as the best.
    assert [record.head.text for record in table.records][:5] == [
        "best",
        "twin",
        "middle",
        "worst",
        "feigned",
    ]
    ranks = {record.head.text: record.data[0].text for record in table.records}
    assert (ranks["best"], ranks["worst"]) == ("1", "4")
    assert ranks["twin"] == ranks["middle"] == "2\u20133"
    assert ranks["feigned"] == ranks["baseline: majority"] == "\u2013"


def test_a_model_page_has_every_value(board: Leaderboard) -> None:
    best = next(s for s in board.submissions if s.name == "best")
    page = model_page(board, best)
    values = next(part for section in page.sections for part in section.parts if part.title == "All values")
    (table,) = values.tables
    parts = [(record.data[0].text, record.data[1].text) for record in table.records]
    assert parts == [("all rows", "\u2013"), ("sex", "f"), ("sex", "m"), ("kind", "rare"), ("kind", "usual")]
    rare = table.records[3]
    assert {datum.text for datum in rare.data[2:]} == {"withheld"}
    assert {datum.key for datum in rare.data[2:]} == {None}
    assert (
        "Not given: the runs carry no card of it"
        in next(p for p in page.sections[0].parts if p.title == "Card").text[0]
    )


def test_that_there_is_no_gap_is_said_of_the_metric_of_the_table_alone(board: Leaderboard) -> None:
    bare = replace(board.tables[0], tradeoffs=())
    (table,) = index_page(replace(board, tables=(bare,))).sections[0].parts[0].tables
    assert f"No gap of {fmt.metric(str(bare.metric))}: none of these runs has two" in " ".join(table.notes)
