"""What a run says of work that an earlier one has done."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bench.workflow import already_made


@dataclass
class Made:
    """A cell of eight batches, of which so many are made."""

    made: int
    batches: int = 8

    @property
    def done(self) -> bool:
        return self.made == self.batches

    def lacks(self, batch: int) -> bool:
        return batch >= self.made


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([0, 0], ""),
        ([8, 8], "2 of 2 cells were already made; nothing is left to predict"),
        ([8, 0, 0], "1 of 3 cells were already made"),
        ([8, 3, 2], "1 of 3 cells were already made, and 5 of 16 batches of the others"),
        ([0, 1], "0 of 2 cells were already made, and 1 of 16 batches of the others"),
    ],
)
def test_what_was_made_before(made: list[int], said: str) -> None:
    assert already_made([Made(count) for count in made]) == said
