"""What is unknown gives no outcome that a known value could take away."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bench.context import Context
from bench.posture import posture
from tests.posture.declared import (
    ALL_EVIDENCE,
    CONTEXTS,
    EXCEPTIONS,
    KNOWN,
    LISTS,
    SEEN,
    UNKNOWN,
    changed,
    outcome,
    verdict,
)


def holds(context: Context, completions: list[Context]) -> None:
    """An outcome stands just where every completion has it; else none is given, and what is open is named."""
    found, real = posture(context), {outcome(completed) for completed in completions}
    assert "refused" not in real
    assert real <= set(found.possible)
    assert found.outcome == (next(iter(real)) if len(real) == 1 else "refused")


@pytest.mark.parametrize("name", CONTEXTS)
@pytest.mark.parametrize("field", KNOWN)
def test_unknown_is_every_known_value_at_once(name: str, field: str) -> None:
    context = changed(CONTEXTS[name], **{field: UNKNOWN[field]})
    assert field in posture(context).unknown
    values = KNOWN[field]
    if field in LISTS:  # what is unknown may be several
        values = [*values, *([*one, *other] for one, other in itertools.combinations(values, 2))]
    holds(context, [changed(context, **{field: value}) for value in values])


@pytest.mark.parametrize("name", CONTEXTS)
def test_one_more_that_is_unknown(name: str) -> None:
    for field in LISTS:
        now = list(getattr(CONTEXTS[name], field))
        more = [
            changed(CONTEXTS[name], **{field: [*now, *value]})
            for value in KNOWN[field]
            if value[0] not in now
        ]
        holds(changed(CONTEXTS[name], **{field: [*now, "unknown"]}), [CONTEXTS[name], *more])


@pytest.mark.parametrize("name", CONTEXTS)
def test_unknown_exceptions_and_exclusions(name: str) -> None:
    context = CONTEXTS[name]
    holds(
        changed(context, exception={"claimed": "unknown", "evidence": ALL_EVIDENCE}),
        [changed(context, exception=exception) for exception in EXCEPTIONS],
    )
    for exception in EXCEPTIONS:
        evidence = dict.fromkeys(ALL_EVIDENCE, "unknown")
        holds(
            changed(context, exception={"claimed": exception["claimed"], "evidence": evidence}),
            [changed(context, exception=part) for part in (exception, {"claimed": exception["claimed"]})],
        )
    for role in ("worker", "public"):
        seen = [value for value in SEEN if value[0]["role"] == role]
        holds(
            changed(context, in_view=[{"role": role, "excluded": "unknown"}]),
            [changed(context, in_view=value) for value in seen],
        )


@pytest.mark.parametrize("pair", list(itertools.combinations(KNOWN, 2)), ids="+".join)
def test_two_unknown_fields_hide_nothing(pair: tuple[str, str]) -> None:
    for name in ("call-centre-customer", "proctoring", "research-study"):
        context = CONTEXTS[name].model_copy(update={field: tidy(UNKNOWN[field]) for field in pair})
        found = posture(context)
        values = itertools.product(*(KNOWN[field] for field in pair))
        real = {
            outcome(context.model_copy(update=dict(zip(pair, map(tidy, both), strict=True))))
            for both in values
        }
        assert real <= set(found.possible)
        assert found.outcome == "refused" or {found.outcome} == real


def tidy(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def test_a_refusal_names_fields_and_what_is_open() -> None:
    found = posture(changed(CONTEXTS["proctoring"], outputs=["gaze", "unknown"]))
    assert verdict(found) == ("refused", 1, "Art 3(39) or Art 5(1)(f)")
    assert found.decided_by.rests_on == ("outputs",)
    assert found.sentence == (
        "As declared, no posture can be given: 'outputs' is unknown, which leaves open: outside the definition of an "
        "emotion recognition system; prohibited now; it would also be high-risk (Annex III(3)(d)). "
        "This is no legal advice."
    )


def test_a_prohibition_that_holds_in_any_case_is_said_beside_a_refusal() -> None:
    found = posture(changed(CONTEXTS["game"], outputs=["unknown"], purpose=["manipulation"]))
    assert (found.outcome, found.gravest) == ("refused", "prohibited")
    assert "it would also be prohibited now (Art 5(1)(a))" in found.sentence
