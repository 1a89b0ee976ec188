"""What holds of every finished run, checked from its files: cells, targets, digests, estimates.

Says what is wrong instead of raising, so that one fault does not hide the next. Refuses nothing: a file that
cannot be read is a fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from bench.digest import digest_file
from bench.errors import UserError, listed
from bench.folder import RunFolder
from bench.judge.few import Few, few_people
from bench.judge.planned import FUNNEL, LABEL_METRICS, PlannedCell
from bench.spec import Facts, Suite, members
from bench.tables.frame import grouped

__all__ = ["Finding", "check_against_targets", "check_run"]

Row = dict[str, Any]
_NUMBERS = (
    "estimate", "low", "high", "n", "clips", "frames", "clusters", "n_eff", "df", "p", "p_adjusted",
    "null_mean", "null_p95", "sdd80", "coverage", "slices_left_out",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One invariant: how many things it was checked on, and the faults found."""

    name: str
    checked: int
    faults: tuple[str, ...] = ()


def check_run(
    folder: RunFolder, cells: Sequence[PlannedCell], suite: Suite, rows: Sequence[Row]
) -> list[Finding]:
    """Check every invariant of a run; ``rows`` are its estimates."""
    values = [row for row in rows if row["kind"] == "value"]
    suppressed = [row for row in rows if row["status"] == "suppressed"]
    leaking = [row for row in suppressed if _has_number(row)]
    return [
        Finding("every cell of the plan is there", len(cells), tuple(_missing(folder, cells, suite))),
        Finding("every target is there once in every cell", len(cells), tuple(_not_once(cells))),
        Finding("files are as their digests say", 2 * len(cells), tuple(_changed(folder, cells))),
        Finding("estimates follow from plan and tables", len(values), tuple(_derived(cells, suite, values))),
        Finding("withheld rows carry no number", len(suppressed), tuple(map(_shown, leaking))),
        Finding("values of few people are withheld", len(values), tuple(_too_few(cells, suite, values))),
    ]


def check_against_targets(cells: Sequence[PlannedCell], suite: Suite, rows: Sequence[Row]) -> list[Finding]:
    """Check what targets alone can tell of estimates; cells of which they are not there are passed over."""
    there = [cell for cell in cells if cell.targets is not None]
    keys = {cell.key for cell in there}
    values = [
        row for row in rows if row["kind"] == "value" and tuple(row[n] for n in PlannedCell.KEY) in keys
    ]
    return [
        Finding(
            "slices have the values of the targets", len(there), tuple(_other_values(there, suite, values))
        ),
        Finding("values of few people are withheld", len(values), tuple(_too_few(there, suite, values))),
    ]


def _other_values(cells: Sequence[PlannedCell], suite: Suite, rows: Sequence[Row]) -> Iterator[str]:
    """Slices and values that the estimates of a cell have and its targets have not, or the reverse."""
    found: dict[tuple[Any, ...], set[tuple[str | None, str | None]]] = {}
    for row in rows:
        found.setdefault(tuple(row[n] for n in PlannedCell.KEY), set()).add((row["slice"], row["value"]))
    wanted: dict[str, set[tuple[str | None, str | None]]] = {}
    for cell in cells:
        if cell.name[1] not in wanted:
            wanted[cell.name[1]] = set(_parts(cell, suite))
        differ = wanted[cell.name[1]] ^ found.get(cell.key, set())
        if differ:
            names = [" ".join(filter(None, part)) or "all rows" for part in differ]
            yield f"{_at(cell.name)}: targets and estimates differ in {listed(names, 3)}"


def _missing(folder: RunFolder, cells: Sequence[PlannedCell], suite: Suite) -> Iterator[str]:
    plan = folder.plan
    clean = ["clean"] if suite.clean or plan["kind"] == "score" else []
    models = [entry["name"] for entry in plan["models"]]
    media = {entry["name"]: Facts.model_validate(entry["facts"]).media_kind for entry in plan["datasets"]}
    asked = [(c, s) for c in suite.conditions for s in c.severities] if plan["kind"] != "score" else []
    planned = Counter(
        (model, data, condition)
        for model, (data, kind) in product(models, media.items())
        for condition in [*clean, *(f"{c.perturb}-{s}-{c.acts_on(kind)}" for c, s in asked)]
    )
    for name in sorted(set((planned - Counter(c.name for c in cells)).elements())):
        yield f"{_at(name)}: the plan lacks it"
    for name in sorted(set((Counter(c.name for c in cells) - planned).elements())):
        yield f"{_at(name)}: it is in the plan, but not of its models, data sets and conditions"
    for cell in cells:
        if not cell.record:
            yield f"{_at(cell.name)}: there is no readable cell.json"
        elif (cell.record.get("model"), cell.record.get("dataset"), _condition(cell)) != cell.name:
            yield f"{_at(cell.name)}: its cell.json is of another cell"


def _condition(cell: PlannedCell) -> str:
    condition, severity, where = (cell.record.get(name) for name in ("condition", "severity", "where"))
    return f"{condition}-{severity}-{where}" if severity else str(condition)


def _not_once(cells: Sequence[PlannedCell]) -> Iterator[str]:
    for cell in cells:
        if cell.predictions is None:
            yield f"{_at(cell.name)}: there are no readable predictions"
        elif not cell.joins:
            yield f"{_at(cell.name)}: its rows are not one per target"


def _changed(folder: RunFolder, cells: Sequence[PlannedCell]) -> Iterator[str]:
    for entry in folder.plan["datasets"]:
        try:
            targets = folder.targets(entry["name"])
        except UserError as error:
            yield str(error)
            continue
        if len(targets) != entry["rows"]:
            yield f"targets of {entry['name']}: the plan counts {entry['rows']} of them, not {len(targets)}"
    for cell in cells:
        if cell.record:
            yield from (f"{_at(cell.name)}: {text}" for text in _changed_cell(cell))


def _changed_cell(cell: PlannedCell) -> Iterator[str]:
    for path, name in ((cell.folder.predictions, "predictions"), (cell.folder.frames, "frames")):
        digest = digest_file(path) if path.is_file() else None
        if digest != cell.record.get(f"{name}_sha256"):
            yield f"{path.name} is not what cell.json was written for"
    if cell.record.get("frames_sha256") and cell.frames is None:
        yield "frames.parquet cannot be read"
    if cell.predictions is not None:
        counts = Counter(cell.predictions["status"].to_pylist())
        if counts != Counter({k: v for k, v in cell.record.get("statuses", {}).items() if v}):
            yield "cell.json counts other statuses than the predictions have"


def _derived(cells: Sequence[PlannedCell], suite: Suite, rows: Sequence[Row]) -> Iterator[str]:
    """The rows of a cell are slices x metrics, each once, and no row is of anything else."""
    by_cell: dict[tuple[Any, ...], Counter[tuple[Any, ...]]] = {}
    for row in rows:
        key = tuple(row[name] for name in PlannedCell.KEY)
        by_cell.setdefault(key, Counter())[row["slice"], row["value"], row["metric"]] += 1
    parts: dict[str, list[tuple[str | None, str | None]]] = {}
    for cell in cells:
        found = by_cell.pop(cell.key, Counter()) if cell.record else Counter()
        if not cell.joins or cell.targets is None:
            continue
        dataset = cell.name[1]
        if dataset not in parts:
            parts[dataset] = _parts(cell, suite)
        metrics = list(dict.fromkeys(metric for _, _, metric in found))
        yield from (f"{_at(cell.name)}: {text}" for text in _metrics(cell, suite, metrics))
        wanted = Counter((*part, metric) for part in parts[dataset] for metric in metrics)
        for words, extra in (("lack", wanted - found), ("have one too many of", found - wanted)):
            names = [" ".join(filter(None, map(str, (s or "all rows", v, m)))) for s, v, m in extra]
            if names:
                yield f"{_at(cell.name)}: the estimates {words} {listed(names, 3)}"
    for key in by_cell:
        yield f"{_at(key)}: the estimates have rows of a cell that is not there"


def _parts(cell: PlannedCell, suite: Suite) -> list[tuple[str | None, str | None]]:
    """The whole and every value of every slice."""
    assert cell.targets is not None
    frame = cell.targets.to_pandas()
    parts: list[tuple[str | None, str | None]] = [(None, None)]
    for cut in suite.slicings:
        parts += [(cut.name, value) for value in grouped(frame, *cut, suite).unique()]
    return parts


def _metrics(cell: PlannedCell, suite: Suite, found: Sequence[str]) -> Iterator[str]:
    """Whether the metrics are those asked for or, where none is, at least those that the tables allow."""
    labels = cell.facts.labels
    if suite.metrics:
        # A name that no row has, such as recall, stands for one number a label.
        wanted = [
            {name} if name in found or "/" in name else {f"{name}/{label}" for label in labels}
            for name in (each for name in suite.metrics for each in members(name))
        ]
    else:
        recalls = [f"recall/{label}" for label in labels]
        affect = [
            f"{name}_{column}{end}"
            for name in ("ccc", "pcc", "rmse")
            for column in ("valence", "arousal", "dominance")
            for end in ("", "_covered")
        ]
        known = [*LABEL_METRICS, *recalls, "coverage", *affect]
        wanted = [{name for name in known if cell.gives(name)}]
        strange = [name for name in found if name in known and not cell.gives(name)]
        if strange:
            yield f"the estimates have {listed(strange, 3)}, which the tables do not allow"
    wanted += [{name} for name in _beside(cell, suite, set[str]().union(*wanted))]
    lacking = set[str]().union(*wanted) - set(found)
    if lacking:
        yield f"the estimates lack {listed(lacking, 3)} altogether"
    if suite.metrics and (extra := set(found) - set[str]().union(*wanted)):
        yield f"the estimates have {listed(extra, 3)}, which the plan does not ask for"


def _beside(cell: PlannedCell, suite: Suite, metrics: set[str]) -> set[str]:
    """What stands beside the CCC of slices, and the funnel, asked for or not."""
    columns = [name.removeprefix("ccc_") for name in metrics if name.startswith("ccc_") and cell.gives(name)]
    known = [c for c in columns if c.removesuffix("_covered") in ("valence", "arousal", "dominance")]
    stems = ("rmse", "bias", "label_sd") if suite.slices else ()
    funnel = {name for name in FUNNEL if cell.gives(name)}
    return {f"{stem}_{column}" for column in known for stem in stems} | funnel


def _too_few(cells: Sequence[PlannedCell], suite: Suite, rows: Sequence[Row]) -> Iterator[str]:
    """Numbers of fewer clusters than the suite shows are suppressed, unless attributes are public."""
    few: dict[tuple[Any, ...], set[Few]] = {}
    for cell in cells:
        if cell.targets is not None and not cell.facts.attributes_public:
            # Rows that are not one per target cannot be joined; they are a fault of their own.
            said = cell.predictions if cell.joins else None
            few[cell.key] = few_people(cell.targets, said, cell.facts, suite)
    for row in rows:
        found = few.get(tuple(row[name] for name in PlannedCell.KEY), set())
        small = {(row["slice"], row["value"], metric) for metric in (None, row["metric"])} & found
        if small and row["status"] != "suppressed" and _has_number(row):
            yield _shown(row)


def _has_number(row: Row) -> bool:
    return any(row.get(name) is not None for name in _NUMBERS)


def _shown(row: Row) -> str:
    """A row in words, without its numbers."""
    return f"{_at(tuple(row[n] for n in PlannedCell.KEY))}: {row['slice']} {row['value']} {row['metric']}"


def _at(name: Sequence[Any]) -> str:
    return " / ".join(str(part) for part in name if part is not None)
