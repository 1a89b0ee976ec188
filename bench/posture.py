"""What the EU AI Act would make of a declared context: of its ordered rules, the first that fires.

What is unknown is never read as harmless: where it could change the outcome, none is given and the fields
are named. Later rules that hold stand beside the first, since what is outside the definition of emotion
recognition may still be prohibited or high-risk by another article. It is no legal advice, and it never
says that a system keeps the law.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.act import GRAVITY, NEIGHBOURS, RULES, WORDS, Finding, Outcome, Rule
from bench.context import Context
from bench.duties import duties
from bench.truth import Truth, both, derogated

__all__ = ["Posture", "posture"]


@dataclass(frozen=True)
class Posture:
    """The outcome of a context, what decided it, what else holds or may hold, and what is unknown.

    ``possible``: the outcomes that unknown fields leave open, the mildest first; one where it is decided.
    None that is open is left out; where two rules hang on one unknown field, one may be named that is not.
    ``unknown``: every field declared unknown, whether or not the outcome rests on it.
    """

    decided_by: Finding
    beside: tuple[Finding, ...]
    duties: tuple[Finding, ...]
    possible: tuple[Outcome, ...]
    unknown: tuple[str, ...]

    @property
    def outcome(self) -> Outcome:
        """What the first rule that fires makes of the context."""
        return self.decided_by.outcome or "refused"

    @property
    def gravest(self) -> Outcome:
        """The gravest outcome of any rule that holds for certain, be it the first or one beside it."""
        found = (finding.outcome for finding in (self.decided_by, *self.beside) if finding.certain)
        return max((known for known in found if known in GRAVITY), key=GRAVITY.index, default="refused")

    @property
    def sentence(self) -> str:
        """The posture in words, with whatever graver stands beside it."""
        first = self.decided_by
        text = f"As declared, this use would be {WORDS[self.outcome]} ({first.article})"
        if self.outcome == "refused":
            text = f"As declared, {WORDS['refused']}: {first.says.removesuffix('.')}"
        for other in (finding for finding in self.beside if self._graver(finding)):
            verb = "would" if other.certain else "may"
            text += f"; it {verb} also be {WORDS[other.outcome or 'refused']} ({other.article})"
        return f"{text}. This is no legal advice."

    def _graver(self, finding: Finding) -> bool:
        """Whether it is said with the first; what is open, a refusal has said already."""
        if self.outcome == "refused":
            return finding.certain
        return GRAVITY.index(finding.outcome or "outside_act") > GRAVITY.index(self.outcome)


def posture(context: Context) -> Posture:
    """What the ordered rules make of a context.

    A rule whose condition is unknown leaves its outcome open, and the search goes on to the first that
    fires for certain. Where the outcomes met on the way differ, the outcome is ``refused`` (rule 1).
    """
    truths = [rule.when(context) for rule in RULES]
    last = truths.index(True)
    reached = [rule for rule, truth in zip(RULES[: last + 1], truths, strict=False) if truth is not False]
    possible = tuple(
        outcome for outcome in GRAVITY if any(outcome == rule.finding.outcome for rule in reached)
    )
    fields = {field for rule in RULES[: last + 1] for field in rule.finding.rests_on}
    rests_on = tuple(field for field in Context.model_fields if field in fields)
    if len(possible) == 1:
        first = replace(reached.pop().finding, rests_on=rests_on)
    else:
        first = _refused(reached, possible, tuple(field for field in rests_on if field in context.unknown))
    beside = [_found(rule, both(rule.given(context), rule.when(context))) for rule in reached]
    beside += _holding(RULES[last + 1 :], context)
    if not any(found.outcome == "outside_act" and found.certain for found in (first, *beside)):
        beside += _neighbours(context)
    found = Posture(first, tuple(beside), (), possible, context.unknown)
    return replace(found, duties=duties(context, found.outcome, found.gravest))


def _found(rule: Rule, truth: Truth) -> Finding:
    return replace(rule.finding, certain=truth is True)


def _holding(rules: Sequence[Rule], context: Context) -> list[Finding]:
    """What the rules find that hold, or may hold, beside an earlier one."""
    truths = [both(rule.given(context), rule.when(context)) for rule in rules]
    return [_found(rule, truth) for rule, truth in zip(rules, truths, strict=True) if truth is not False]


def _neighbours(context: Context) -> list[Finding]:
    """The neighbouring points; a documented derogation (Art 6(3)) is from all of Annex III."""
    found, freed = _holding(NEIGHBOURS, context), derogated(context)
    if freed is False:
        return found
    return [
        replace(point, outcome="derogated") if freed else replace(point, certain=False) for point in found
    ]


def _refused(reached: Sequence[Rule], possible: tuple[Outcome, ...], unknown: tuple[str, ...]) -> Finding:
    """No outcome, by the fields that leave more than one open; its articles are those of what is open."""
    articles = " or ".join(dict.fromkeys(rule.finding.article for rule in reached))
    several = len(unknown) > 1
    says = f"{', '.join(map(repr, unknown))} {'are' if several else 'is'} unknown, which leaves open: "
    return Finding(
        1, "refused", articles, f"{says}{'; '.join(WORDS[outcome] for outcome in possible)}.", unknown,
        caveat="No posture is given where a field that could change it is unknown.",
    )  # fmt: skip
