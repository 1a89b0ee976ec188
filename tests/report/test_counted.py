"""One thing is one thing: no sentence of what people read puts a count before a plural by hand."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("audit_report", "cli", "gate", "leaderboard", "report")
COUNTS = re.compile(r"len\(|\.count\(|\brows\b|\.num_rows|threads|\.targets|\.family")
NOUN = re.compile(r" (?:[a-z]+ )?(\w+s)\b")
# Never one: labels, models of which none was chosen, data sets that are not one, groups of which one is the extreme;
# bytes; a share; and no noun.
NEVER_ONE = {
    "len(count)} labels", "len(names)} models", "len(models)} models", "len(suite.data)} data sets", "len(data)} bytes",
    "1 - held.sum() / len(truth)} of draws", "len(known)} groups", "len(every) - len(shown)} more pass",
}  # fmt: skip


def counted_by_hand(text: str) -> set[str]:
    """Counts in f-strings that a plural follows, as "count} nouns"."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        values = node.values if isinstance(node, ast.JoinedStr) else []
        for part, after in pairwise(values):
            if isinstance(part, ast.FormattedValue) and isinstance(after, ast.Constant):
                count, noun = ast.unparse(part.value), NOUN.match(str(after.value))
                if noun and COUNTS.search(count) and "counted" not in count:
                    found.add(f"{count}}}{noun[0]}")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_counts_are_worded_in_one_place(package: str) -> None:
    found = {
        hit
        for path in (ROOT / "bench" / package).rglob("*.py")
        for hit in counted_by_hand(path.read_text("utf-8"))
    }
    assert found <= NEVER_ONE


def test_a_count_by_hand_is_found() -> None:
    assert counted_by_hand("f'over {len(found)} pairs, {fmt.count(n)} rows'") == {
        "len(found)} pairs",
        "fmt.count(n)} rows",
    }
    assert counted_by_hand("f'over {fmt.counted(len(found), \"pair\")} as said'") == set()
