"""The file of a context: places, digest, and what it declares unknown."""

from __future__ import annotations

from datetime import date

from tests.posture.declared import (
    CONTEXTS,
    FILES,
    KNOWN,
    UNKNOWN,
    changed,
)


def test_places_and_digest() -> None:
    file = FILES["therapy"]
    assert file.place("exception").endswith("therapy.yaml:12")
    assert len(file.digest) == 64
    assert file.context.placed == date(2026, 3, 1)
    assert CONTEXTS["research-study"].placed is None


def test_unknown_fields_are_listed() -> None:
    base = changed(CONTEXTS["game"], auditor="a", independence="b", signatory="c")
    assert base.unknown == ()
    for field in KNOWN:
        assert changed(base, **{field: UNKNOWN[field]}).unknown == (field,)
    assert changed(base, population={"sex": {}}).unknown == ("population",)
    assert changed(base, exception={"claimed": "safety", "evidence": {"limited": "unknown"}}).unknown == (
        "exception",
    )
    conditions = {**base.operating_conditions.model_dump(), "light": "unknown"}
    assert changed(base, operating_conditions=conditions).unknown == ("operating_conditions",)
