"""Policies on disk: YAML in, ``Policy`` out. A policy is what a model must keep to pass a gate, rule by rule.

A rule names a metric and one requirement: a bound (``at_least``, ``at_most``), how far apart the values of a
slice may lie (``gap_at_most``), what a condition may cost (``loses_at_most``), or how much worse than a
baseline is not yet worse (``not_worse_by``). With a slice every value of it is tested. What was measured of
speed takes bounds too, in milliseconds and targets a second, and ``no_slower_than`` so many times a baseline.
It is refused where a rule asks for nothing or for two things, and where an exemption gives no reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from bench.document import Loc, Read, Terms, read_document
from bench.latency import LATENCIES, Stage
from bench.shipped import shipped
from bench.spec import Name, Record, Severity, Where, Word

__all__ = ["REQUIREMENTS", "SPEEDS", "Exemption", "Policy", "PolicyFile", "Rule", "read_policy"]

REQUIREMENTS = ("at_least", "at_most", "gap_at_most", "loses_at_most", "not_worse_by", "no_slower_than")
SPEEDS = {
    **dict.fromkeys(LATENCIES, ("at_most", "no_slower_than")),
    "throughput": ("at_least", "no_slower_than"),
}
"""What is measured of speed, and the requirements that a rule on it may have."""
_Above = Annotated[float, Field(gt=0)]
_Number = Annotated[float, Field(allow_inf_nan=False)]


class Rule(Record):
    """One requirement on one metric, of the whole or of every value of a slice.

    Without ``data`` it is of every data set of the run. ``condition`` is a perturbation, at one ``severity``
    or at all that were run; without it a rule is of clean media, and ``loses_at_most`` of every condition.
    Of speed (``SPEEDS``) ``stage`` names a part of a latency, ``device`` what a bound is meant for.
    """

    metric: Word
    data: Word | None = None
    slice: Word | None = None
    condition: Word | None = None
    severity: Severity | None = None
    where: Where | None = None
    stage: Stage | None = None
    device: Word | None = None
    at_least: _Number | None = None
    at_most: _Number | None = None
    gap_at_most: _Above | None = None
    loses_at_most: _Number | None = None
    not_worse_by: _Above | None = None
    no_slower_than: _Above | None = None

    @property
    def of_speed(self) -> bool:
        """Whether it is of what was measured of speed, and not of what a model said."""
        return self.metric in SPEEDS

    @property
    def requirement(self) -> tuple[str, float]:
        """What is required, by the name of its field, and the number."""
        return next((name, value) for name in REQUIREMENTS if (value := getattr(self, name)) is not None)

    @model_validator(mode="after")
    def _one_requirement(self) -> Rule:
        given = [name for name in REQUIREMENTS if getattr(self, name) is not None]
        if len(given) != 1:
            found = f"it asks for {' and '.join(given)}" if given else "it asks for nothing"
            raise ValueError(
                f"the rule on {self.metric!r}: {found}. A rule has one of {', '.join(REQUIREMENTS)}"
            )
        if self.gap_at_most is not None and self.slice is None:
            raise ValueError(
                f"the gap of {self.metric!r} is of no slice. A gap is between values of a 'slice'"
            )
        if self.loses_at_most is not None and self.condition == "clean":
            raise ValueError("clean media cost nothing. 'loses_at_most' is of conditions")
        if self.condition in (None, "clean") and (self.severity is not None or self.where is not None):
            raise ValueError("a severity of no condition. 'severity' and 'where' stand beside a 'condition'")
        return self

    @model_validator(mode="after")
    def _of_what_can_be(self) -> Rule:
        """Speed has no slices and no conditions, and nothing else has stages and devices."""
        what = self.requirement[0]
        if not self.of_speed:
            found = next(
                (name for name in ("stage", "device", "no_slower_than") if getattr(self, name)), None
            )
            if found is not None:
                raise ValueError(f"{found!r} stands at {self.metric!r}. It is of {', '.join(SPEEDS)}")
            return self
        if what not in SPEEDS[self.metric]:
            allowed = " or ".join(repr(name) for name in SPEEDS[self.metric])
            raise ValueError(f"{what!r} stands at {self.metric!r}. A rule on {self.metric} has {allowed}")
        for name in ("slice", "condition", "severity", "where"):
            if getattr(self, name) is not None:
                raise ValueError(
                    f"{name!r} stands at {self.metric!r}. Speed is measured on clean media as a whole"
                )
        if self.stage is not None and self.metric not in LATENCIES:
            raise ValueError(f"'stage' stands at {self.metric!r}. A stage is of {', '.join(LATENCIES)}")
        if self.device is not None and what == "no_slower_than":
            raise ValueError(
                "'device' stands beside 'no_slower_than'. A baseline is measured on the same machine"
            )
        return self


class Exemption(Record):
    """A value of a slice that need not have enough data, and why."""

    slice: Word
    value: Word
    reason: Word


class Policy(Record):
    """What a model must keep.

    ``errors_at_most``: the share of rows that may be decode or model errors before nothing is decided.
    """

    policy: Name
    about: str = ""
    rules: tuple[Rule, ...]
    exempt: tuple[Exemption, ...] = ()
    errors_at_most: Annotated[float, Field(ge=0, lt=1)] = 0.01

    @field_validator("rules")
    @classmethod
    def _something_to_keep(cls, value: tuple[Rule, ...]) -> tuple[Rule, ...]:
        if not value:
            raise ValueError("the policy asks for nothing. A policy has at least one rule")
        return value


class PolicyFile(Read[Policy]):
    """A policy and where in its file each rule stands."""

    @property
    def policy(self) -> Policy:
        """The policy itself."""
        return self.record

    def line(self, rule: int) -> int:
        """The line where a rule begins."""
        return self.document.lines["rules", rule]


_RECORDS: dict[str, type[Record]] = {"rules": Rule, "exempt": Exemption}


def _fields(loc: Loc) -> dict[str, object]:
    return dict((_RECORDS[str(loc[0])] if len(loc) > 1 else Policy).model_fields)


def read_policy(path: Path) -> PolicyFile:
    """Read and validate a policy, given by path or by the name of a shipped one.

    UserError names file and line of the first fault.
    """
    known = shipped("suites") / "policies" / f"{path}.yaml"
    document = read_document(
        known if path.name == str(path) and known.is_file() and not path.exists() else path
    )
    return PolicyFile(document.read(Policy, Terms(_fields)), document)
