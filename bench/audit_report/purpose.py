"""Section 2: the declared purpose and context, and what the EU AI Act would make of it."""

from __future__ import annotations

from datetime import date

from bench.act import ART_5, STATE, UNCONFIRMED, UNIVERSAL, WORDS, Finding
from bench.audit_report.case import Case
from bench.audit_report.identity import NOT_DECLARED
from bench.context import Context
from bench.report import format as fmt
from bench.report.entries import Entry
from bench.report.parts import Card, Part, Section
from bench.report.table import Group, Line, Table

__all__ = ["posture_card", "purpose"]

_NONE = "No context is declared: no posture can be given, and nothing here says what the use would be."
_COLUMNS = ("Provision", "What it says", "Since", "Caveat", "Rests on", "Certain", "Confidence")
_READ = (
    "Confidence 'read' means that a text which quotes or checks the consolidated regulation was read; "
    "'general knowledge', that it was not. A duty is no fault: nothing here says whether it is met."
)


def posture_card(case: Case) -> Card:
    """The posture on the first screen: as the posture says it, and the gravest that applies."""
    found = case.posture
    if found is None:
        return Card("unknown", "The declared use", (_NONE,), "s2", wide=True)
    gravest = f"Gravest of what holds for certain: {WORDS[found.gravest]}."
    text = (
        found.sentence,
        *([] if found.gravest == "refused" else [gravest]),
        *_dated((found.decided_by, *found.beside, *found.duties), case.date),
    )
    if found.gravest == "prohibited":
        return Card("fails", "The declared use would be prohibited", text, "s2", wide=True)
    if found.outcome == "refused":
        return Card("unknown", "The declared use", text, "s2", wide=True)
    return Card("told", "The declared use", text, "s2", wide=True)


def _dated(found: tuple[Finding, ...], reported: str | None) -> tuple[str, ...]:
    """What is in force at the date of the report, and what follows later, by article, as far as is known.

    Without a date it is as of what is known. Cautions are left out: what would be prohibited if the use were
    another is in force, but not of this one.
    """
    at = STATE if reported is None else date.fromisoformat(reported)
    when = f"as known on {STATE.isoformat()}"
    if reported is not None:
        when = f"at {at.isoformat()}, by what was known on {STATE.isoformat()}"
    told = []
    for word, later in (("In force", False), ("Pending", True)):
        mine = [f"{each.article} ({each.since.isoformat()}){'' if each.certain else ', if it applies'}"
                for each in found if each.since is not None and (each.since > at) == later
                and not (each.outcome is None and each.since == ART_5)]  # fmt: skip
        if mine:
            told.append(f"{word} {when}: {'; '.join(mine)}.")
    return tuple(told)


def purpose(case: Case) -> Section:
    """The declaration field by field, the posture with its hooks, the duties and what is unconfirmed."""
    if case.context is None or case.posture is None:
        return Section("s2", "2 Declared purpose and context", parts=(Part("Posture", (_NONE,)),))
    context, found = case.context.context, case.posture
    held = (found.decided_by, *found.beside)
    text = [f"{found.sentence}", f"Gravest of what holds for certain: {WORDS[found.gravest]}."]
    if found.unknown:
        text.append(f"Declared unknown or left out: {', '.join(found.unknown)}.")
    due = Table("Duties and cautions, with their dates", _COLUMNS, (Group(_lines(found.duties)),))
    uses = Table("Findings on the use", _COLUMNS, _by_outcome(held))
    parts = (
        Part("Posture", tuple(text), tables=(uses,)),
        Part("Duties and dates", (_READ,), tables=(due,) if found.duties else ()),
        Part("Caveats", (*UNIVERSAL, _stated())),
    )
    return Section("s2", "2 Declared purpose and context", _facts(case, context), parts)


def _stated() -> str:
    return f"State of knowledge: {STATE.isoformat()}. Not confirmed: {'; '.join(UNCONFIRMED)}."


def _by_outcome(found: tuple[Finding, ...]) -> tuple[Group, ...]:
    """What decided first, then what stands beside it, under the words of each outcome."""
    outcomes = dict.fromkeys(each.outcome or "refused" for each in found)
    return tuple(
        Group(_lines(tuple(each for each in found if (each.outcome or "refused") == outcome)), WORDS[outcome])
        for outcome in outcomes
    )


def _lines(found: tuple[Finding, ...]) -> tuple[Line, ...]:
    return tuple(
        Line(each.article, tuple(Entry(text, kind) for text, kind in (
            (each.says, "sentence"),
            (each.since.isoformat() if each.since else "no date, or unclear", "text"),
            (each.caveat or fmt.DASH, "sentence"),
            (", ".join(each.rests_on).replace("_", " ") or "the whole", "text"),
            ("yes" if each.certain else "no, a field is unknown", "text"),
            (each.confidence, "text"),
        )))
        for each in found
    )  # fmt: skip


def _facts(case: Case, context: Context) -> tuple[tuple[str, str], ...]:
    """The declaration, which nobody has verified."""
    assert case.context is not None
    operation, claim = context.operating_conditions, context.exception
    seen = "; ".join(f"{each.role}, excluded: {each.excluded}" for each in context.in_view)
    shown = "; ".join(f"{name}: {document}" for name, document in claim.evidence.items())
    profiling = context.profiling if isinstance(context.profiling, str) else ["no", "yes"][context.profiling]
    population = "; ".join(
        f"{name}: {', '.join(f'{v} {fmt.percent(s)}' for v, s in shares.items()) or NOT_DECLARED}"
        for name, shares in context.population.items()
    )
    conditions = f"light {operation.light}; camera {operation.camera}; distance {operation.distance}"
    return (
        ("Declared in", f"{case.context.document.path.name}, sha256 {case.context.digest}"),
        ("Sector", context.sector),
        ("Deployer", ", ".join(context.deployer)),
        ("Persons analysed", ", ".join(context.persons)),
        ("Required by", context.required_by),
        ("In view, not analysed", seen or "nobody declared"),
        ("Inputs", ", ".join(context.inputs)),
        ("Outputs", ", ".join(context.outputs)),
        ("Purpose", ", ".join(context.purpose)),
        ("Exception claimed", claim.claimed + (f" ({shown})" if shown else "")),
        ("Profiling", profiling),
        ("Placed on the market", context.placed_on_market.replace("_", " ")),
        ("Member states", ", ".join(context.member_states)),
        ("Population in use", population or NOT_DECLARED),
        ("Operating conditions", f"{conditions}; language {', '.join(operation.language)}"),
    )
