"""What evidence a report holds, item by item: each by a rule on the estimates, the plan and the context.

"Evidenced" says that evidence of the kind is there, never that it is enough or that a duty is met. Take away
what a rule looks for, and its item is no longer evidenced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bench.audit_report.case import Case
from bench.audit_report.data import RATERS
from bench.audit_report.representativeness import Kind, covered
from bench.report import format as fmt
from bench.report.entries import state_of
from bench.report.results import Row

__all__ = ["EVIDENCE", "Evidence", "State"]

State = Literal["evidenced", "partial", "not evidenced"]
_Found = tuple[State, str]
_NOT: State = "not evidenced"
_CALIBRATION = frozenset({"ece", "brier", "nll", "aurc"})


@dataclass(frozen=True)
class Evidence:
    """A kind of evidence, and the rule that says how far this report has it, and where."""

    what: str
    rule: Callable[[Case], _Found]


def _rows(case: Case, *, sliced: bool = False, kind: str = "value") -> list[Row]:
    """Estimates of a kind that have a number, over all rows or by slice."""
    found = case.results.rows if kind == "value" else case.results.differences
    return [
        row
        for row in found
        if row["kind"] == kind
        and (row["slice"] is not None) == sliced
        and state_of(row) in ("reportable", "insufficient")
    ]


def _accuracy(case: Case) -> _Found:
    known = [row for row in _rows(case) if not row["severity"]]
    if not known:
        return _NOT, "no estimate over all rows"
    bounded = any(row["low"] is not None and row["status"] == "reportable" for row in known)
    return ("evidenced", "section 6") if bounded else ("partial", "section 6; no interval on enough data")


def _groups(case: Case) -> _Found:
    rows = _rows(case, sliced=True)
    if not rows:
        return _NOT, "no slice"
    known = {(row["slice"], row["value"]) for row in rows}
    enough = {(row["slice"], row["value"]) for row in rows if row["status"] == "reportable"}
    if known - enough:
        every = fmt.counted(len(known), "group")
        return "partial", f"section 7; too little data in {len(known - enough)} of {every}"
    return "evidenced", "section 7"


def _intersections(case: Case) -> _Found:
    both = [row for row in _rows(case, sliced=True) if "&" in row["slice"]]
    if not both:
        return _NOT, "no slice by two attributes"
    enough = any(row["status"] == "reportable" for row in both)
    return ("evidenced", "section 7") if enough else ("partial", "section 7; none has enough data")


def _gaps(case: Case) -> _Found:
    tested = [row for row in _rows(case, sliced=True, kind="gap") if row["p"] is not None]
    if tested:
        return "evidenced", f"section 8; {fmt.counted(len(tested), 'gap')} tested against chance"
    return ("partial", "section 7 alone") if _rows(case, sliced=True) else (_NOT, "no slice")


def _conditions(case: Case) -> _Found:
    if not any(row["severity"] for row in _rows(case)):
        return _NOT, "clean media alone were run"
    lost = _rows(case, kind="degradation")
    return ("evidenced", "section 9") if lost else ("partial", "section 9; losses were not paired")


def _conditions_by_group(case: Case) -> _Found:
    lost = [row for row in _rows(case, sliced=True, kind="degradation") if row["status"] == "reportable"]
    return ("evidenced", "section 9") if lost else (_NOT, "no loss of a group with enough data")


def _policy(case: Case) -> _Found:
    if case.gate is None:
        return _NOT, "no policy"
    return ("evidenced", "section 5") if case.gate.locked else ("partial", "section 5; not locked before")


def _lock(case: Case) -> _Found:
    lock = case.results.lock
    if lock is None:
        return _NOT, "no lock"
    return ("evidenced", "section 5") if lock.followed else ("partial", "section 5; not followed")


def _declared(kind: Kind) -> Callable[[Case], _Found]:
    def rule(case: Case) -> _Found:
        states = [one.state for one in covered(case) if one.kind == kind]
        good = states.count("tested") + states.count("probed")
        if not good:
            return _NOT, f"no declared {kind} was tested on enough data"
        state: State = "evidenced" if good == len(states) else "partial"
        return state, f"section 4; {good} of {len(states)} declared"

    return rule


def _signature(case: Case) -> _Found:
    return ("evidenced", "section 0") if case.final else (_NOT, "a draft, unsigned")


def _origin(case: Case) -> _Found:
    if all(data.facts.licence == "unknown" and not data.facts.attributes for data in case.results.datasets):
        return _NOT, "neither licence nor origin of attributes is recorded"
    return "partial", "section 4; licence and origin of attributes, no consent and no preparation"


def _labels(case: Case) -> _Found:
    known = [data.facts.label_source is not None for data in case.results.datasets]
    if not any(known):
        return _NOT, "where labels come from is not declared"
    return ("evidenced", "section 13") if all(known) else ("partial", "section 13; not of every data set")


def _card(case: Case) -> _Found:
    return (_NOT, "no card") if case.card is None else ("partial", "section 3; its authors' words, unchecked")


def _raters(case: Case) -> _Found:
    asked = {row["metric"] for row in _rows(case)} & set(RATERS)
    return ("evidenced", "section 4") if asked else (_NOT, "no agreement of annotators was asked for")


def _calibration(case: Case) -> _Found:
    asked = {row["metric"] for row in _rows(case)} & _CALIBRATION
    return ("evidenced", "section 6") if asked else (_NOT, "no metric of probabilities")


def _misses(case: Case) -> _Found:
    known = {row["metric"] for row in _rows(case)}
    return ("evidenced", "section 6") if "coverage" in known else (_NOT, "coverage was not asked for")


def _release(case: Case) -> _Found:
    if case.baseline is None:
        return _NOT, "no baseline"
    rules = () if case.gate is None else case.gate.policy.policy.rules
    decided = any(rule.not_worse_by is not None for rule in rules)
    return ("evidenced", "section 11") if decided else ("partial", "section 11; no margin was declared")


def _selection(case: Case) -> _Found:
    rows = [row for row in _rows(case, sliced=True) if row["metric"].startswith("selection_rate")]
    return ("partial", "section 7; rates by label, of no decision") if rows else (_NOT, "no selection rate")


def _system(case: Case) -> _Found:
    if not case.model.digests:
        return _NOT, "no digest of the system"
    if case.results.kind == "score":
        return "partial", "section 0; of its predictions alone, which were made elsewhere"
    return "evidenced", "section 0"


def _recomputed(case: Case) -> _Found:
    if case.recomputed is None:
        return _NOT, "not recomputed"
    return ("evidenced", "section 18") if case.recomputed.agrees else ("partial", "section 18; disagreements")


def _attacks(_: Case) -> _Found:
    return _NOT, "section 10; this tool makes no attack"


EVIDENCE: dict[str, Evidence] = {
    "E-system": Evidence("digests of the system under test", _system),
    "E-card": Evidence("what its authors say of the system", _card),
    "E-signature": Evidence("auditor, independence, signatory and date", _signature),
    "E-policy": Evidence("thresholds, laid down before the run", _policy),
    "E-lock": Evidence("a plan, laid down before the run", _lock),
    "E-origin": Evidence("origin of the data", _origin),
    "E-labels": Evidence("what a label stands for", _labels),
    "E-raters": Evidence("agreement of annotators", _raters),
    "E-population": Evidence("declared groups of persons, tested", _declared("group")),
    "E-setting": Evidence("declared operating conditions, probed", _declared("condition")),
    "E-outputs": Evidence("declared outputs, tested", _declared("output")),
    "E-accuracy": Evidence("accuracy with its uncertainty", _accuracy),
    "E-misses": Evidence("failures to process", _misses),
    "E-calibration": Evidence("calibration of probabilities", _calibration),
    "E-groups": Evidence("accuracy by group of persons", _groups),
    "E-intersections": Evidence("accuracy by two attributes together", _intersections),
    "E-gaps": Evidence("differences between groups, tested", _gaps),
    "E-selection": Evidence("selection rates by group", _selection),
    "E-conditions": Evidence("what conditions cost", _conditions),
    "E-conditions-by-group": Evidence("what conditions cost each group", _conditions_by_group),
    "E-attacks": Evidence("resistance to attacks", _attacks),
    "E-release": Evidence("comparison with the release before, by a declared margin", _release),
    "E-recomputed": Evidence("numbers made again by another way", _recomputed),
}
"""Every kind of evidence by its id, in the order of the sections."""
