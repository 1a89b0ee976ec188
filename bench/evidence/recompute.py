"""What can be made again of a bundle that holds, and what that takes.

Internal: the whole second opinion of ``bench.judge.audit``, and the lock held against the plan. External:
every estimate that follows from others; with the targets, that its slices are theirs and few people are
withheld; with the cells too, the whole second opinion. What is given beside a bundle is taken for nothing
but what the bundle has the digest of: any other table or cell is a fault. Refuses a folder of cells that
lacks one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bench.digest import digest_file
from bench.errors import UserError, listed
from bench.evidence.aggregates import CELLS, PLAN
from bench.evidence.agreement import agreement
from bench.evidence.container import Fault
from bench.evidence.contents import LOCK
from bench.evidence.derive import Derived, derive, statement
from bench.evidence.manifest import Manifest
from bench.evidence.reading import unreadable
from bench.evidence.verify import Held
from bench.folder import RunFolder, write_json
from bench.judge.audit import Audit, audit
from bench.judge.invariants import Finding, check_against_targets
from bench.judge.planned import planned_cells
from bench.prereg import follow, read_lock
from bench.spec import Facts
from bench.suite import planned_suite
from bench.tables import read_targets, validate_targets
from bench.tables.files import read_table

__all__ = ["Beside", "Recomputation", "datasets_of", "recompute"]


@dataclass(frozen=True)
class Beside:
    """What is given beside an external bundle: targets by data set, and a run's folder ``cells``."""

    targets: Mapping[str, Path] = field(default_factory=dict[str, Path])
    cells: Path | None = None


@dataclass(frozen=True)
class Recomputation:
    """What was made again: the second opinion, what follows from other estimates, and what else was checked.

    ``faults`` are of what was given beside; ``lock`` is True where the lock there is that of the plan.
    """

    audit: Audit | None = None
    derived: Derived | None = None
    findings: tuple[Finding, ...] = ()
    faults: tuple[Fault, ...] = ()
    lock: bool | None = None

    @property
    def agrees(self) -> bool:
        """Whether all of it is as the bundle has it."""
        differs = self.derived is not None and bool(self.derived.differences)
        disagrees = self.audit is not None and not self.audit.agrees
        broken = any(finding.faults for finding in self.findings)
        return not (differs or disagrees or broken or self.faults or self.lock is False)


def recompute(held: Held, beside: Beside) -> Recomputation:
    """Make again what the bundle, which must be whole, and what is given beside it allow."""
    manifest = held.manifest
    assert manifest is not None
    assert held.whole
    if faults := unreadable(held.folder):
        return Recomputation(faults=faults)
    if manifest.bundle == "external":
        return _from_aggregates(held.folder, manifest, beside)
    if beside.targets or beside.cells:
        raise UserError(
            "--cells" if beside.cells else "--targets", "the bundle is internal",
            "It holds targets and cells", "Leave it out",
        )  # fmt: skip
    findings = tuple(agreement(held.folder, manifest, None))
    return Recomputation(audit=audit(held.folder), findings=findings, lock=_follows(held.folder))


def datasets_of(held: Held) -> list[str]:
    """The data sets of a bundle, in the order of its plan; none where it does not hold."""
    path = next((p for name in (PLAN, "run.json") if (p := held.folder / name).is_file()), None)
    if not held.whole or path is None or unreadable(held.folder):
        return []
    return [entry["name"] for entry in json.loads(path.read_bytes())["datasets"]]


def _follows(folder: Path) -> bool | None:
    """Whether the lock in a bundle is the one of the plan, None without one."""
    if not (folder / LOCK).is_file():
        return None
    plan = RunFolder(folder).plan
    try:
        said = follow(read_lock(folder / LOCK), plan).model_dump(mode="json")
    except UserError:
        return False
    return bool(plan.get("lock") == said)


def _from_aggregates(folder: Path, manifest: Manifest, beside: Beside) -> Recomputation:
    run = _laid_out(folder)
    faults = [*_put_targets(run, beside.targets)]
    if beside.cells is not None:
        _require_targets(run, beside.targets)
        faults += _put_cells(run, manifest, beside.cells)
    derived = derive(run)
    checked = agreement(folder, manifest, statement(derived))
    if faults:
        return Recomputation(derived=derived, findings=tuple(checked), faults=tuple(faults))
    if beside.cells is not None:
        return Recomputation(audit=audit(run.path), derived=derived, findings=tuple(checked))
    if beside.targets:
        checked += _checked_by_targets(run)
    return Recomputation(derived=derived, findings=tuple(checked))


def _checked_by_targets(run: RunFolder) -> list[Finding]:
    rows = pq.read_table(run.estimates).to_pylist()
    return check_against_targets(list(planned_cells(run)), planned_suite(run), rows)


def _laid_out(folder: Path) -> RunFolder:
    """The plan and the cells of an external bundle where a run has them."""
    plan: dict[str, Any] = json.loads((folder / PLAN).read_bytes())
    write_json(folder / "run.json", plan)
    run = RunFolder(folder)
    for names, facts in zip(plan["cells"], json.loads((folder / CELLS).read_bytes()), strict=True):
        write_json(run.cell(*names).path / "cell.json", facts)
    return run


def _put_targets(run: RunFolder, targets: Mapping[str, Path]) -> Iterator[Fault]:
    """Take over targets that are those of the plan."""
    entries = {entry["name"]: entry for entry in run.plan["datasets"]}
    if strange := set(targets) - set(entries):
        raise UserError(
            "--targets", f"{listed(strange)} is no data set of the bundle", f"It has: {listed(entries)}",
            "Give NAME=FILE with one of these",
        )  # fmt: skip
    for name, path in targets.items():
        facts = Facts.model_validate(entries[name]["facts"])
        table = read_table(path)
        carries = b"affectbench_facts" in (table.schema.metadata or {})
        found = read_targets(path) if carries else validate_targets(table, facts, str(path))
        if found.digest != entries[name]["digest"]:
            wanted = entries[name]["digest"]
            yield Fault(
                str(path), f"its digest is {found.digest}, and that of the targets of {name} {wanted}"
            )
        else:
            found.write(run.targets_path(name))


def _require_targets(run: RunFolder, targets: Mapping[str, Path]) -> None:
    lacking = {entry["name"] for entry in run.plan["datasets"]} - set(targets)
    if lacking:
        raise UserError(
            "--cells", f"there are no targets of {listed(lacking)}", "Cells are held against their targets",
            "Give --targets NAME=FILE for each data set",
        )  # fmt: skip


def _put_cells(run: RunFolder, manifest: Manifest, cells: Path) -> Iterator[Fault]:
    """Take over the files of cells that are those of the manifest."""
    for file in manifest.elsewhere:
        kind, _, rest = file.path.partition("/")
        if kind != "cells":
            continue
        source, place = cells / rest, run.path / file.path
        if not source.is_file():
            raise UserError(
                f"--cells {cells}", f"there is no {rest}", "The folder 'cells' of the run that was bundled",
                "Correct the path",
            )  # fmt: skip
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
        if digest_file(place) != file.sha256:
            yield Fault(str(source), f"its digest differs from the one of {file.path} that was signed")
