"""Contexts on disk: YAML in, ``Context`` out. A context declares how a system is used, by whom and on whom.

It is a declaration, not a finding: nothing here is verified. Every field that bears on the posture under
the EU AI Act is required; what is not known is declared as ``unknown``, so that nobody's silence reads as
harmless. It is refused where a field is missing or unknown to us, and where shares do not sum to 1.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from bench.document import Loc, Read, Terms, read_document
from bench.spec import Name, Record, Word

__all__ = [
    "BIOMETRIC",
    "INFERENCES",
    "UNKNOWN",
    "Context",
    "ContextFile",
    "Deployer",
    "Evidence",
    "Exclusion",
    "InView",
    "Input",
    "Operation",
    "Output",
    "Purpose",
    "Requirer",
    "Response",
    "Role",
    "Sector",
    "UseException",
    "read_context",
]  # fmt: skip

UNKNOWN = "unknown"
Sector = Literal[
    "customer_service", "education", "entertainment", "essential_services", "health", "law_enforcement",
    "migration", "recruitment", "research", "retail", "security", "transport", "workplace", "other",
    "unknown",
]  # fmt: skip
Deployer = Literal[
    "company", "education_institution", "employer", "private_person", "public_body", "public_service",
    "unknown",
]  # fmt: skip
Role = Literal[
    "candidate", "customer", "driver", "patient", "player", "public", "pupil", "student", "subject",
    "suspect", "traveller", "worker", "unknown",
]  # fmt: skip
Requirer = Literal["authority", "education_institution", "employer", "nobody", "unknown"]
Exclusion = Literal["technically", "by_policy", "not_excluded", "unknown"]
Input = Literal[
    "body", "eye_tracking", "face", "gait", "keystrokes", "physiology", "text", "transcript", "voice",
    "unknown",
]  # fmt: skip
Output = Literal[
    "action_units", "expression", "fatigue", "gaze", "identity", "pain", "race", "arousal", "attitude",
    "emotion", "engagement", "intention", "sentiment", "stress", "valence", "unknown",
]  # fmt: skip
Purpose = Literal[
    "admission", "assessment", "attention", "crime_prediction", "development", "entertainment",
    "exam_integrity", "exploitation", "investigation", "manipulation", "marketing", "medical",
    "real_world_testing", "recruitment", "research", "risk_assessment", "safety", "security", "service",
    "training", "wellbeing", "unknown",
]  # fmt: skip
Claim = Literal["none", "criminal_law", "medical", "not_high_risk", "safety", "training", "unknown"]
Evidence = Literal[
    "ce_marked_device", "detects_deviations", "improves_completed_activity", "legal_basis",
    "life_and_health", "limited", "narrow_procedural_task", "no_effect_on_assessment", "no_hr_access",
    "no_significant_risk", "preparatory_task", "registered", "strictly_necessary",
]  # fmt: skip
State = Literal[
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT",
    "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "unknown",
]  # fmt: skip
BIOMETRIC = frozenset({"body", "eye_tracking", "face", "gait", "keystrokes", "physiology", "voice"})
"""Inputs that are biometric data, Art 3(34): behavioural ones too. Text and transcripts are not (Gl. 251)."""
INFERENCES = frozenset(
    {"arousal", "attitude", "emotion", "engagement", "intention", "sentiment", "stress", "valence"}
)
"""Outputs that identify or infer an emotion or intention, Art 3(39); the others do so only if used to."""
_Share = Annotated[float, Field(gt=0, le=1)]
_TOLERANCE = 0.01


class InView(Record):
    """Persons who are seen or heard but are not to be analysed, and what keeps them out."""

    role: Role
    excluded: Exclusion


class UseException(Record):
    """An exception that is claimed, and for each condition of it the document that shows it.

    ``medical`` and ``safety`` are of Art 5(1)(f), ``training`` is the Guidelines' personal training,
    ``not_high_risk`` is Art 6(3) and ``criminal_law`` the exception of Art 50(3). A document that is
    ``unknown`` shows nothing yet.
    """

    claimed: Claim
    evidence: dict[Evidence, Word] = Field(default_factory=dict)


class Operation(Record):
    """Operating conditions expected in use, in words."""

    light: Word
    camera: Word
    distance: Word
    language: tuple[Word, ...]


class Response(Record):
    """What the provider answers to a finding of the audit report: what is done, by whom, until when."""

    mitigation: Word
    owner: str = ""
    due: str = ""


class Context(Record):
    """The declared deployment of a system, with the fields of the posture.

    ``outputs`` are all that is read out of a person, also by what comes after the model: an expression that
    is used to infer an emotion is declared as ``emotion``, too. ``deployer`` and ``purpose`` list every one
    that holds. ``placed_on_market`` is a date, ``not_yet`` or ``unknown``. ``population`` gives shares by
    attribute; an attribute without shares is unknown. Auditor, independence and signatory may wait for the
    final report; so may ``findings``, answers to the findings of a draft by their ids, which bear on nothing.
    """

    sector: Sector
    deployer: tuple[Deployer, ...]
    persons: tuple[Role, ...]
    required_by: Requirer
    in_view: tuple[InView, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    purpose: tuple[Purpose, ...]
    exception: UseException
    profiling: bool | Literal["unknown"]
    placed_on_market: str
    member_states: tuple[State, ...]
    population: dict[Name, dict[str, _Share]]
    operating_conditions: Operation
    auditor: str = ""
    independence: str = ""
    signatory: str = ""
    findings: dict[str, Response] = Field(default_factory=dict)

    @property
    def placed(self) -> date | None:
        """When the system was placed on the market, where that is known and has been."""
        known = self.placed_on_market not in (UNKNOWN, "not_yet")
        return date.fromisoformat(self.placed_on_market) if known else None

    @property
    def unknown(self) -> tuple[str, ...]:
        """The fields declared unknown, in whole or in part, and the signatures not yet given."""
        names = (name for name in type(self).model_fields if name != "findings")
        return tuple(name for name in names if _unknown(getattr(self, name)))

    @field_validator("deployer", "persons", "inputs", "outputs", "purpose", "member_states")
    @classmethod
    def _each_once(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value):
            found = list(value) or "an empty list"
            raise ValueError(f"{info.field_name!r} is {found}. Name each that holds once, or 'unknown'")
        return value

    @field_validator("placed_on_market")
    @classmethod
    def _a_date(cls, value: str) -> str:
        if value not in (UNKNOWN, "not_yet"):
            try:
                date.fromisoformat(value)
            except ValueError:
                raise ValueError(
                    f"'placed_on_market' is {value!r}. Allowed: a date as 2026-08-02, 'not_yet' or 'unknown'"
                ) from None
        return value

    @field_validator("findings")
    @classmethod
    def _of_a_report(cls, value: dict[str, Response]) -> dict[str, Response]:
        for name in value:
            if re.fullmatch("F-[0-9a-f]{8}", name) is None:
                raise ValueError(
                    f"{name!r} is no id of a finding. Ids are as F-0123abcd, as an audit report prints them"
                )
        return value

    @field_validator("population")
    @classmethod
    def _whole(cls, value: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        for attribute, shares in value.items():
            if shares and abs(sum(shares.values()) - 1) > _TOLERANCE:
                raise ValueError(
                    f"the shares of {attribute!r} sum to {sum(shares.values()):.4g}. "
                    "The shares of an attribute sum to 1 within 0.01; without shares it is unknown"
                )
        return value


def _unknown(value: object) -> bool:
    """Whether a declaration, or any part of it, is unknown or empty; a list of nobody in view is neither."""
    if isinstance(value, Record):
        return any(_unknown(part) for name, part in value if name != "evidence") or (
            isinstance(value, UseException) and UNKNOWN in value.evidence.values()
        )
    if isinstance(value, tuple):
        return any(_unknown(part) for part in value)
    if isinstance(value, dict):
        return not value or not all(value.values())
    return value in (UNKNOWN, "")


class ContextFile(Read[Context]):
    """A context and where in its file each field stands."""

    @property
    def context(self) -> Context:
        """The context itself."""
        return self.record


_RECORDS: dict[str, type[Record]] = {
    "findings": Response, "in_view": InView, "exception": UseException, "operating_conditions": Operation,
}  # fmt: skip


def _fields(loc: Loc) -> dict[str, object]:
    return dict((_RECORDS[str(loc[0])] if len(loc) > 1 else Context).model_fields)


def read_context(path: Path) -> ContextFile:
    """Read and validate a context; UserError names file and line of the first fault."""
    document = read_document(path)
    terms = Terms(_fields, {"profiling": "true, false or unknown"})
    return ContextFile(document.read(Context, terms), document)
