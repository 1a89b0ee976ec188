from __future__ import annotations

import pytest

from bench.errors import AffectbenchError, MachineError, MediaFault, UserError, listed, nearest


def test_exit_codes() -> None:
    assert UserError("w", "f", "a", "r").exit_code == 2
    assert MachineError("w", "f", "a", "r").exit_code == 4
    assert AffectbenchError.exit_code == 4


def test_message_has_four_parts_each_a_sentence() -> None:
    error = UserError("T.csv:3", "what was found", "What is allowed?", "What to do!")
    assert str(error) == "T.csv:3: what was found. What is allowed? What to do!"
    assert (error.where, error.found) == ("T.csv:3", "what was found")


def test_media_fault_is_a_value_not_the_end_of_a_run() -> None:
    fault = MediaFault("frame 3 is damaged")
    assert (str(fault), fault.status) == ("frame 3 is damaged", "decode_error")
    assert MediaFault("no face", "no_face").status == "no_face"
    assert not isinstance(fault, AffectbenchError)


@pytest.mark.parametrize(("word", "expected"), [("gendr", " Did you mean 'gender'?"), ("xyz", "")])
def test_nearest(word: str, expected: str) -> None:
    assert nearest(word, ["age", "gender", "race"]) == expected


def test_listed_sorts_and_counts_what_it_leaves_out() -> None:
    assert listed([]) == ""
    assert listed(["c", "a", "b"], limit=3) == "a, b, c"
    assert listed(["c", "a", "b"], limit=2) == "a, b and 1 more"
