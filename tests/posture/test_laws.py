"""Laws over every change of one field of every declared context."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.act import GRAVITY
from bench.context import Context
from bench.posture import posture
from tests.posture.declared import (
    CONTEXTS,
    EXCEPTIONS,
    KNOWN,
    LISTS,
    NEVER,
    SEEN,
    UNKNOWN,
    changed,
    verdict,
)


def mutations(context: Context) -> Iterator[tuple[str, Context]]:
    for field, values in KNOWN.items():
        yield from ((field, changed(context, **{field: value})) for value in (*values, UNKNOWN[field]))
    for field in LISTS:
        now = getattr(context, field)
        more = (value for (value,) in KNOWN[field] if value not in now)
        yield from ((field, changed(context, **{field: [*now, value]})) for value in more)
    yield from (("exception", changed(context, exception=value)) for value in EXCEPTIONS)
    yield from (("in_view", changed(context, in_view=value)) for value in SEEN)
    yield "member_states", changed(context, member_states=["FR", "unknown"])
    yield "population", changed(context, population={})
    yield "auditor", changed(context, auditor="A. Auditor")


@pytest.mark.parametrize("name", CONTEXTS)
def test_laws_of_every_changed_context(name: str) -> None:
    base = posture(CONTEXTS[name])
    seen = set()
    for field, context in mutations(CONTEXTS[name]):
        found = posture(context)
        assert found == posture(context)
        assert found.outcome in (*GRAVITY, "refused")
        assert (found.outcome == "refused") == (len(found.possible) > 1)
        for finding in (found.decided_by, *found.beside, *found.duties):
            assert finding.article.startswith(("Art ", "Annex III", "Chapter III"))
            assert set(finding.rests_on) <= set(Context.model_fields)
            assert not [word for word in NEVER if word in f"{finding.says} {finding.caveat}"]
        assert found.sentence.startswith("As declared, ")
        assert found.sentence.endswith("This is no legal advice.")
        if field not in base.decided_by.rests_on:
            assert verdict(found) == verdict(base)
        seen.add(found.outcome)
    assert len(seen) > 2
