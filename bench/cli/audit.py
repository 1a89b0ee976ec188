"""What ``audit`` prints: offending rows first, then what was compared, and the invariants."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from bench.report import format as fmt

if TYPE_CHECKING:
    from bench.judge.audit import Audit, Difference

__all__ = ["as_json", "as_text", "line"]

_SHOWN = 20
_CELL = ("model", "dataset", "condition", "severity", "where")


def as_text(found: Audit) -> str:
    """Lines for people."""
    from bench.judge.audit import TOLERANCE

    lines = _offending(found)
    lines += [f"compared       {metric}: {count}" for metric, count in sorted(found.compared.items())]
    total = sum(found.compared.values())
    every = fmt.counted(total, "number", "")
    lines.append(f"compared       {every}, values with rows and clusters; tolerance {TOLERANCE:g}")
    if found.undefined:
        lines.append(f"undefined      {fmt.counted(found.undefined, 'value', '')}, on both sides")
    if found.largest is not None:
        lines.append(f"largest        {line(found.largest)}")
    for method, (checked, count) in found.intervals.items():
        said = "no interval, rightly" if method == "none" else method
        lines.append(f"intervals      {said}: {checked} of {count} made again")
    if found.widest is not None:
        lines.append(f"largest        {line(found.widest)} of intervals")
    if found.withheld:
        lines.append(f"withheld       {fmt.counted(found.withheld, 'value', '')}: not compared")
    for name, count in sorted(found.not_audited.items()):
        lines.append(f"not audited    {name}: {count}")
    lines.append("not audited    p and q, which values are reportable, what the report shows")
    for finding in found.findings:
        state = f"NO, {fmt.counted(len(finding.faults), 'fault', '')}" if finding.faults else "yes"
        lines.append(f"invariant      {finding.name} ({finding.checked} checked): {state}")
    lines.append("agrees" if found.agrees else f"DISAGREES: {_reasons(found)}")
    return "\n".join(lines)


def _reasons(found: Audit) -> str:
    """What disagrees: how many numbers, and the invariants that are broken."""
    outside = len(found.differences)
    reasons = [f"{fmt.counted(outside, 'number', '')} beyond the tolerance"] if outside else []
    reasons += [f"broken is '{finding.name}'" for finding in found.findings if finding.faults]
    return "; ".join(reasons)


def _offending(found: Audit) -> list[str]:
    lines = [line(difference) for difference in found.differences[:_SHOWN]]
    if len(found.differences) > _SHOWN:
        lines.append(f"... and {len(found.differences) - _SHOWN} more")
    for finding in found.findings:
        lines += [f"{finding.name}: NO. {fault}" for fault in finding.faults[:_SHOWN]]
        if len(finding.faults) > _SHOWN:
            lines.append(f"... and {len(finding.faults) - _SHOWN} more")
    return lines


def as_json(found: Audit) -> str:
    """One JSON object; a difference is null where only one of the numbers exists."""
    from bench.judge.audit import TOLERANCE

    content = {
        "run": str(found.run),
        "agrees": found.agrees,
        "tolerance": TOLERANCE,
        "compared": found.compared,
        "undefined": found.undefined,
        "largest": None if found.largest is None else _record(found.largest),
        "differences": len(found.differences),
        "shown": [_record(difference) for difference in found.differences[:_SHOWN]],
        "invariants": [
            {"name": f.name, "checked": f.checked, "faults": len(f.faults), "shown": list(f.faults[:_SHOWN])}
            for f in found.findings
        ],
        "not_audited": found.not_audited,
        "withheld": found.withheld,
        "intervals": {name: {"checked": n, "of": total} for name, (n, total) in found.intervals.items()},
        "largest_of_intervals": None if found.widest is None else _record(found.widest),
    }
    return json.dumps(content, indent=2, allow_nan=False)


def line(difference: Difference) -> str:
    """A number beside the audit's, and what it is of."""
    row = difference.row
    names = [*(row[n] for n in _CELL if row[n] not in (None, 0)), row["slice"] or "all rows", row["value"]]
    at = " / ".join(str(name) for name in names if name is not None)
    size = f"{difference.size:.3g}" if math.isfinite(difference.size) else "one is undefined"
    found, audited = (_number(number) for number in (difference.found, difference.audited))
    kind = "" if row["kind"] == "value" else f" {row['kind']}"
    reference = f" against {row['reference']}" if row["reference"] else ""
    return f"{at}: {row['metric']}{kind}{reference} {difference.field} is {found}, audited {audited} ({size})"


def _number(number: float | None) -> str:
    return "undefined" if number is None else f"{number:.12g}"


def _record(difference: Difference) -> dict[str, Any]:
    return {
        **{name: difference.row[name] for name in (*_CELL, "slice", "value", "metric", "kind", "reference")},
        "field": difference.field,
        "found": difference.found,
        "audited": difference.audited,
        "difference": difference.size if math.isfinite(difference.size) else None,
    }
