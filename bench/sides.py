"""The sides of a comparison: two models, of one run or of two, cell by cell.

Refuses a model against itself, runs that share no cell, and tables that were changed after their run;
``bench.judge.comparison`` refuses targets that differ in more than that a run was given further attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.errors import UserError, listed
from bench.folder import CellFolder, RunFolder
from bench.spec import Suite
from bench.tables import Targets
from bench.workflow import open_cell

if TYPE_CHECKING:
    from bench.judge.comparison import Compared

__all__ = ["Side", "compare", "require_pairs"]


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a finished run and one of its models, which may be left out if it has one.

    ``option`` is what names the model on the command line; ``origin`` is where the run came from, if it is
    not the user's own folder.
    """

    option: str
    run: RunFolder
    model: str | None = None
    origin: str | None = None

    @property
    def place(self) -> str:
        """The run, as a message calls it."""
        return self.origin or str(self.run.path)

    def data_sets(self) -> list[str]:
        """The data sets of the run."""
        return [entry["name"] for entry in self.run.plan["datasets"]]

    def given(self, which: str) -> list[str]:
        """What must be known of how the run sought faces: a stage that was given, frames passed over.

        Doubles look at nothing, whatever was asked for.
        """
        plan = self.run.plan
        looking = [m for m in plan["models"] if self.model in (None, m["name"]) and not m["double"]]
        every = max(((model.get("front") or {}).get("every", 1) for model in looking), default=1)
        oracle = plan.get("oracle") if looking else None
        told = [f"the {which} model was given what a stage would find (--oracle {oracle})"] if oracle else []
        return told + ([f"the {which} model had faces sought in one frame of {every}"] if every > 1 else [])

    def cells(self) -> dict[tuple[str, str], CellFolder]:
        """The model's cells by data set and condition; UserError unless it is named and finished."""
        self.run.cells()
        models = list(dict.fromkeys(model for model, *_ in self.run.plan["cells"]))
        if self.model not in models and (self.model is not None or len(models) > 1):
            found = "it names no model" if self.model is None else f"{self.model!r} is no model"
            raise UserError(
                self.option, f"{found} of {self.place}", f"It has: {listed(models)}",
                f"Name one of them with {self.option}",
            )  # fmt: skip
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
    from bench.judge.status import SUPPRESSED

    shared = _shared(new, old)
    targets, others = _targets_of(new, old, shared)
    pairs = (
        (open_cell(mine, targets[data]), open_cell(other, others[data]))
        for (data, _), (mine, other) in shared.items()
    )
    found = compare_cells(pairs, suite, margin)
    given = [*new.given("new"), *old.given("old")]
    for row in (each.row for each in found if each.row["status"] != SUPPRESSED):
        row["warning"] = "; ".join(filter(None, [row["warning"], *given])) or None
    if not any(each.given for each in found):
        raise UserError(
            str(new.run.path), "both models give none of the metrics asked for", "A metric that both give",
            "Name one with --metric",
        )  # fmt: skip
    return found


def require_pairs(new: Side, old: Side) -> None:
    """UserError unless two models share a cell, and the targets of what they share are the same."""
    from bench.judge.comparison import require_same_targets

    targets, others = _targets_of(new, old, _shared(new, old))
    for data, mine in targets.items():
        require_same_targets(data, mine, others[data])


_Pair = tuple[CellFolder, CellFolder]


def _shared(new: Side, old: Side) -> dict[tuple[str, str], _Pair]:
    """The cells of both by data set and condition, as the new run calls them."""
    mine, called = new.cells(), _called(new, old)
    other = {(called[data], harm): cell for (data, harm), cell in old.cells().items()}
    shared = {names: (cell, other[names]) for names, cell in mine.items() if names in other}
    if not shared:
        raise UserError(
            str(new.run.path), "it shares no data set and condition with the other run",
            f"The other has: {listed(' under '.join(names) for names in other)}", "Compare runs of one suite",
        )  # fmt: skip
    one, two = next(iter(shared.values()))
    if one.path.resolve() == two.path.resolve():
        model = f"{new.model!r} is" if new.model else "it has one model, which is"
        raise UserError(
            old.option, f"{model} the new model, too", "Two models of one run, or two runs",
            f"Name another model with {new.option} or {old.option}, or another run",
        )  # fmt: skip
    return shared


def _targets_of(
    new: Side, old: Side, shared: dict[tuple[str, str], _Pair]
) -> tuple[dict[str, Targets], dict[str, Targets]]:
    """The targets of every shared data set, of the new run and of the old."""
    names = dict.fromkeys(data for data, _ in shared)
    targets = {data: _targets(new, data, data) for data in names}
    others = {name: _targets(old, data, name) for data, name in _called(new, old).items() if name in names}
    both = {name: _with_attributes_of(targets[name], others[name]) for name in names}
    return {name: one for name, (one, _) in both.items()}, {name: two for name, (_, two) in both.items()}


def _with_attributes_of(new: Targets, old: Targets) -> tuple[Targets, Targets]:
    """One table with the attributes of both, where nothing else differs; else two that differ.

    An attribute is of a target, whatever predicted it, so that one that only one run was given (such as by
    ``--attributes``) holds for both. Small groups are withheld where either run withholds them.
    """
    shared = [name for name in new.table.column_names if name in old.table.column_names]
    alone = {*new.table.column_names, *old.table.column_names} - set(shared)
    if not alone or not alone.issubset((*new.attributes, *old.attributes)):
        return new, old
    one, two = _only(new, shared), _only(old, shared)
    if one.digest != two.digest:  # in more than attributes, which is then what is said of them
        return one, two
    table = new.table
    for name in (name for name in old.table.column_names if name not in shared):
        table = table.append_column(old.table.schema.field(name), old.table[name])
    facts = new.facts.model_copy(
        update={
            "attributes": {**old.facts.attributes, **new.facts.attributes},
            "attributes_public": new.facts.attributes_public and old.facts.attributes_public,
        }
    )
    both = replace(new, table=table, facts=facts)
    return both, both


def _only(targets: Targets, columns: Sequence[str]) -> Targets:
    """Targets with these columns alone, and facts that say nothing of any other."""
    own = {name: source for name, source in targets.facts.attributes.items() if name in columns}
    facts = targets.facts.model_copy(update={"attributes": own, "attributes_public": False})
    return replace(targets, table=targets.table.select(columns), facts=facts)


def _called(new: Side, old: Side) -> dict[str, str]:
    """What the new run calls each data set of the old one.

    Where each has one alone its name does not matter: tables are called by their files, and the same table
    may lie in two.
    """
    mine, other = new.data_sets(), old.data_sets()
    return dict(zip(other, mine if len(mine) == len(other) == 1 else other, strict=True))


def _targets(side: Side, data: str, name: str) -> Targets:
    """The targets of a side's data set, under a name."""
    found = side.run.targets(data)
    return replace(found, facts=found.facts.model_copy(update={"name": name}))
