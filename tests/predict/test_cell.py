"""What a run says of work that an earlier one has done."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from bench.predict.cell import already_made, cost


@dataclass
class Named:
    """What names a cell, and its targets: 30 of them, four a batch."""

    name: tuple[str, str, str]
    targets: range = range(30)


@dataclass
class Made:
    """A cell of eight batches, of which so many are made."""

    made: int
    batches: int = 8
    changed: bool = False
    cell: Named = field(default_factory=lambda: Named(("m", "d", "clean")))

    @property
    def done(self) -> bool:
        return self.made == self.batches

    def lacks(self, batch: int) -> bool:
        return batch >= self.made

    def rows(self, batch: int) -> range:
        return self.cell.targets[4 * batch : 4 * batch + 4]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([0, 0], []),
        ([8, 8], ["2 of 2 cells were already made; nothing is left to predict"]),
        ([8, 0, 0], ["1 of 3 cells was already made"]),
        ([8, 3, 2], ["1 of 3 cells was already made, and 5 of 16 batches of the others"]),
        ([0, 1], ["0 of 2 cells were already made, and 1 of 16 batches of the others"]),
    ],
)
def test_what_was_made_before(made: list[int], said: list[str]) -> None:
    assert already_made([Made(count) for count in made]) == said


def test_cells_that_were_changed_are_named() -> None:
    changed = [Made(0, changed=True, cell=Named((m, "faces", "low_light-2-frame"))) for m in ("b", "a")]
    line = "changed since they were made, and made again: a / faces / low_light-2-frame, b / faces / low_light-2-frame"
    assert already_made([*changed, Made(8)]) == ["1 of 3 cells was already made", line]
    assert already_made(changed) == [line]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([0], []),
        ([8, 0], []),
        ([8, 8], []),
        ([0, 0, 0], ["to predict: 3 cells, 90 rows, 3.0 times those of clean media"]),
        ([7, 0, 1], ["to predict: 3 cells, 58 rows, 1.9 times those of clean media"]),
    ],
)
def test_what_is_left_to_predict(made: list[int], said: list[str]) -> None:
    assert cost([Made(count) for count in made]) == said


def test_each_model_has_clean_media_of_its_own() -> None:
    cells = [Named((model, "d", condition)) for model in ("m", "n") for condition in ("clean", "dark")]
    (line,) = cost([Made(0, cell=cell) for cell in cells])
    assert line == "to predict: 4 cells, 120 rows, 2.0 times those of clean media"
