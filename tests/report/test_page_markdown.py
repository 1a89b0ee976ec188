"""Markdown: whatever a text holds, it is read back as that text and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bench.report import format as fmt
from bench.report.page_markdown import escaped

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
MARKS = st.text(alphabet="ab1 .)#*_`~[]()<>!|\\&;:/-+='\"\n\u202f\u2212{}$@", max_size=30)


def seen(tokens: list[Token]) -> tuple[str, set[str]]:
    """The text of the only inline token, and the kinds of everything in it."""
    inline = [token for token in tokens if token.type == "inline"]
    children = [child for token in inline for child in token.children or []]
    return "".join(child.content for child in children), {child.type for child in children}


@settings(max_examples=400, deadline=None)
@given(MARKS | st.text(max_size=40))
@example("    four spaces")
@example("- a\n1. b\n# c")
@example("www.a.b http://a.b <https://a.b>")
@example("a\\|b \\")
@example("1)")
@example("&lt;b&gt; &#35;")
def test_a_paragraph_and_a_cell_say_the_text_alone(text: str) -> None:
    wanted = " ".join(fmt.plain(text).split("\n")).strip()
    for page in (f"{escaped(text)}\n", f"| h |\n| --- |\n| {escaped(text)} |\n"):
        tokens = PARSER.parse(page)
        blocks = {t.type for t in tokens} - {"inline"}
        if page.startswith("| h |"):
            assert not {t.type for t in tokens} & {"html_block", "fence", "heading_open"}
            cells = [tokens[i + 1] for i, t in enumerate(tokens) if t.type == "td_open"]
            assert len(cells) == 1
            said, kinds = seen(cells)
        else:
            assert blocks <= {"paragraph_open", "paragraph_close"}
            said, kinds = seen(tokens)
        assert kinds <= {"text", "text_special"}
        assert said.strip() == wanted


@pytest.mark.parametrize("number", ["0.385", "12.5 %", "1.", "3 573"])
def test_numbers_read_as_they_are(number: str) -> None:
    assert seen(PARSER.parse(escaped(number)))[0] == number


def test_decimals_are_not_escaped() -> None:
    assert escaped("0.385 [0.1, 0.2]") == "0.385 \\[0.1, 0.2\\]"
