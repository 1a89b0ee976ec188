"""What is said of a bundle: that it was made, or what of it holds and what was made again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bench.cli.audit import as_json, as_text, line
from bench.report import format as fmt

if TYPE_CHECKING:
    from bench.evidence import Bundled, Held, Recomputation

__all__ = ["made_json", "made_text", "verified_json", "verified_text"]

_SHOWN = 20
_UNKNOWN = "whose key that is was not checked: give the signer's public key with --verify-key"


def made_text(made: Bundled) -> str:
    """Lines for people who made a bundle."""
    manifest = made.manifest
    files = fmt.counted(len(manifest.files) + 2, "file", "")  # the manifest and its signature
    lines = [
        f"bundle         {manifest.bundle}, {files}, {made.size:,} bytes: {made.path}",
        f"signed by      {manifest.signer}",
    ]
    if manifest.elsewhere:
        alone = fmt.counted(len(manifest.elsewhere), "file", "")
        lines.append(f"digests alone  {alone}: targets, predictions, and what names paths")
    lines += [f"left out       {path}: no part of the run" for path in made.left_out[:_SHOWN]]
    if len(made.left_out) > _SHOWN:
        lines.append(f"left out       ... and {len(made.left_out) - _SHOWN} more")
    if manifest.lock and not any(file.path == "lock.json" for file in manifest.files):
        lines.append(f"lock           {manifest.lock}, as the plan names it; the lock itself is not in it")
    return "\n".join(lines)


def made_json(made: Bundled) -> str:
    """One JSON object of a bundle that was made."""
    content = {
        "path": str(made.path), "size": made.size, "left_out": list(made.left_out),
        "manifest": made.manifest.model_dump(mode="json"),
    }  # fmt: skip
    return json.dumps(content, indent=2)


def verified_text(held: Held, made: Recomputation | None) -> str:
    """Lines for people who verify a bundle: faults first, the verdict last."""
    manifest, faults = held.manifest, _faults(held, made)
    lines = [f"{fault['file']}: {fault['found']}: {fault['follows']}" for fault in faults[:_SHOWN]]
    if len(faults) > _SHOWN:
        lines.append(f"... and {len(faults) - _SHOWN} more")
    if manifest is not None:
        locked = ", encrypted" if held.encrypted else ""
        about = f"{fmt.counted(len(held.files), 'file', '')}, affectbench {manifest.affectbench}"
        lines.append(f"bundle         {manifest.bundle}{locked}, {about}")
        lines.append(
            f"signed by      {manifest.signer}" if held.whole else f"names signer   {manifest.signer}"
        )
    if not held.whole or made is None or manifest is None:
        count = fmt.counted(len(faults), "fault", "")
        return "\n".join([*lines, "not recomputed: only a bundle that holds is", f"DOES NOT HOLD: {count}"])
    if not held.vouched:
        lines.append(f"               {_UNKNOWN}")
    lines += _recomputed(made)
    lines.append(_verdict(held, made))
    return "\n".join(_harmless(line) for line in lines)


def _harmless(text: str) -> str:
    """The text without what acts on a terminal: names in a bundle are its signer's.

    >>> _harmless("a" + chr(27) + "[2Jb")
    'a?[2Jb'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _faults(held: Held, made: Recomputation | None) -> list[dict[str, str]]:
    """What is wrong with the bundle and with what was given beside it, and what follows from that."""
    from bench.evidence import follows

    found = [(fault, follows(fault.path)) for fault in held.faults]
    found += [
        (fault, "it is not used, and nothing is made again of it") for fault in (made.faults if made else ())
    ]
    return [{"file": f.path or str(held.path), "found": f.found, "follows": then} for f, then in found]


def _recomputed(made: Recomputation) -> list[str]:
    lines = []
    if made.derived is not None:
        lines += [f"NO             {line(difference)}" for difference in made.derived.differences[:_SHOWN]]
        follow, need = made.derived.follow, made.derived.need_rows
        by_kind = f"{sum(follow.values())} estimates follow from other estimates, by kind"
        lines.append(f"consistent     {by_kind}: {_kinds(follow)}")
        if made.audit is None:
            by_kind = f"{sum(need.values())} need --targets and --cells, by kind"
            lines.append(f"not recomputed {by_kind}: {_kinds(need)}")
        if made.derived.withheld:
            hidden = fmt.counted(made.derived.withheld, "estimate", "")
            lines.append(f"withheld       {hidden}: not looked at")
    for finding in made.findings:
        lines += [f"{finding.name}: NO. {fault}" for fault in finding.faults[:_SHOWN]]
        state = f"NO, {fmt.counted(len(finding.faults), 'fault', '')}" if finding.faults else "yes"
        lines.append(f"invariant      {finding.name} ({finding.checked} checked): {state}")
    if made.lock is not None:
        said = "the one that the run was given" if made.lock else "NO, the run was given another"
        lines.append(f"lock           {said}")
    if made.audit is not None:
        lines.append("recomputed     from targets and predictions:")
        lines += as_text(made.audit).splitlines()
    return lines


def _kinds(counts: dict[str, int]) -> str:
    """Counts by the first word of their names.

    >>> _kinds({"gap uar": 2, "gap accuracy": 1, "value uar": 4})
    'gap 3, value 4'
    """
    found: dict[str, int] = {}
    for name, count in counts.items():
        kind = name.partition(" ")[0]
        found[kind] = found.get(kind, 0) + count
    return ", ".join(f"{kind} {count}" for kind, count in sorted(found.items())) or "none"


def _verdict(held: Held, made: Recomputation) -> str:
    if not made.agrees:
        return "DOES NOT HOLD: the files are as signed, but not all numbers can be made again as they are"
    if held.vouched:
        return "verified: nothing was changed since the key given signed it"
    return "intact: nothing was changed since that key signed it; who that is was not checked"


def verified_json(held: Held, made: Recomputation | None) -> str:
    """One JSON object of a bundle that was read."""
    content: dict[str, Any] = {
        "bundle": str(held.path),
        "holds": held.whole and made is not None and made.agrees,
        "signer": None if held.manifest is None else held.manifest.signer,
        "signer_vouched": held.vouched and held.whole,
        "kind": None if held.manifest is None else held.manifest.bundle,
        "faults": _faults(held, made),
    }
    if made is not None:
        content["audit"] = None if made.audit is None else json.loads(as_json(made.audit))
        content["lock"] = made.lock
        content["invariants"] = [
            {"name": f.name, "checked": f.checked, "faults": list(f.faults)} for f in made.findings
        ]
        if made.derived is not None:
            content["follow_from_other_estimates"] = made.derived.follow
            content["need_targets_and_cells"] = made.derived.need_rows if made.audit is None else {}
            content["differences"] = len(made.derived.differences)
            content["withheld"] = made.derived.withheld
    return json.dumps(content, indent=2, allow_nan=False)
