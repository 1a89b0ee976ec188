"""The sides of a comparison: two models, of one run or of two, cell by cell.

Refuses a model against itself, runs that share no cell, and tables that were changed after their run;
``bench.judge.comparison`` refuses targets that differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.errors import UserError, listed
from bench.folder import CellFolder, RunFolder
from bench.spec import Suite
from bench.workflow import open_cell

if TYPE_CHECKING:
    from bench.judge.comparison import Compared

__all__ = ["Side", "compare"]


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a finished run and one of its models, which may be left out if it has one."""

    run: RunFolder
    model: str | None = None

    def cells(self) -> dict[tuple[str, str], CellFolder]:
        """The model's cells by data set and condition; UserError unless it is named and finished."""
        self.run.cells()
        models = list(dict.fromkeys(model for model, *_ in self.run.plan["cells"]))
        if self.model not in models and (self.model is not None or len(models) > 1):
            found = "no model is named" if self.model is None else f"model {self.model!r} is not in the run"
            raise UserError(str(self.run.path), found, f"It has: {listed(models)}", "Name one of them")
        mine = self.model or models[0]
        return {
            (data, harm): self.run.cell(mine, data, harm)
            for model, data, harm in self.run.plan["cells"]
            if model == mine
        }


def compare(new: Side, old: Side, suite: Suite, margin: float | None) -> list[Compared]:
    """Compare two models, cell by cell, by the metrics and slices of a suite.

    Raises UserError where the runs share no cell, where their targets differ, and where a table of them was
    changed since.
    """
    from bench.judge.comparison import compare as compare_cells

    mine, other = new.cells(), old.cells()
    shared = [names for names in mine if names in other]
    if not shared:
        raise UserError(
            str(new.run.path), "it shares no data set and condition with the other run",
            f"The other has: {listed(' under '.join(names) for names in other)}", "Compare runs of one suite",
        )  # fmt: skip
    if mine[shared[0]].path.resolve() == other[shared[0]].path.resolve():
        model = f"{new.model!r} is" if new.model else "it has one model, which is"
        raise UserError(
            "--old", f"{model} the new model, too", "Two models of one run, or two runs",
            "Name another model with --new or --old",
        )  # fmt: skip
    data_sets = dict.fromkeys(data for data, _ in shared)
    targets = {(side, data): side.run.targets(data) for side in (new, old) for data in data_sets}
    pairs = (
        (open_cell(mine[names], targets[new, names[0]]), open_cell(other[names], targets[old, names[0]]))
        for names in shared
    )
    found = compare_cells(pairs, suite, margin)
    if not any(each.given for each in found):
        raise UserError(
            str(new.run.path), "both models give none of the metrics asked for", "A metric that both give",
            "Name one with --metric",
        )  # fmt: skip
    return found
