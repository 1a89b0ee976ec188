"""What a suite may say, as frozen records that refuse unknown fields.

No functions, no inheritance and no templates live in a suite: it is data. ``bench.suite`` reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from bench.errors import nearest

__all__ = [
    "CRITERIA", "AuScale", "Condition", "DataSource", "Facts", "Name", "Record", "Severity", "SliceRule",
    "Slicing", "Suite", "TargetFace", "Where", "Word", "members", "slicings",
]  # fmt: skip

ClusterUnit = Literal["person", "video", "clip"]
MediaKind = Literal["frame", "aligned"]
Where = Literal["frame", "crop", "sound"]
AuScale = Literal["occurrence", "intensity"]
TargetFace = Literal["largest", "central", "box"]
LabelSource = Literal["posed", "elicited", "perceived", "self_reported"]
Severity = Annotated[int, Field(ge=1, le=5)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Word = Annotated[str, Field(min_length=1)]
CRITERIA = {
    "equalised_odds": ("recall", "false_positive_rate"),
    "equal_opportunity": ("recall",),
    "demographic_parity": ("selection_rate",),
}
"""Criteria of fairness, asked for as metrics: those whose gaps they are, one label against the rest."""
_SEVERITIES = "One condition lists all its severities"


class Record(BaseModel):
    """A frozen record without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Facts(Record):
    """What is true of a whole data set and is printed beside its numbers.

    ``cluster_unit`` is what intervals resample; ``media_kind`` aligned means faces already cropped, which
    skip the front-end; ``attributes`` maps each attribute to where it comes from; ``attributes_public``
    means that small groups may be shown (they are then insufficient, not suppressed); ``au_scale`` is what
    action units are coded on, taken from their values where it is left open. ``target_face`` says which of
    several persons a target means: the one of most area over the frames, the one nearest to the middle of the
    frame, or the one at the given box. ``label_source``: a label is what somebody was asked to show, what was
    to be elicited, what others perceived, or what the person reported.
    """

    name: str
    labels: tuple[str, ...] = ()
    label_space: str = ""
    cluster_unit: ClusterUnit = "person"
    media_kind: MediaKind = "frame"
    attributes: dict[str, str] = {}
    attributes_public: bool = False
    licence: str = "unknown"
    trained_on_by: tuple[str, ...] = ()
    au_scale: AuScale | None = None
    target_face: TargetFace = "largest"
    label_source: LabelSource | None = None

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        """As it was before these could be said: digests, and so the keys of cells, stay."""
        return _without(dump(self), target_face="largest", label_source=None)


class DataSource(Record):
    """One data set of a suite: an adapter, a split and, for plain tables, the facts it cannot know."""

    adapter: Word
    name: Name | None = None
    split: str | None = None
    targets: str | None = None
    labels: str | None = None
    cluster_unit: ClusterUnit | None = None
    media_kind: MediaKind | None = None
    attributes_public: bool | None = None
    au_scale: AuScale | None = None
    target_face: TargetFace | None = None
    label_source: LabelSource | None = None

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        """As it was before these could be said: the digests of suites stay."""
        return _without(dump(self), target_face=None, label_source=None)

    @property
    def key(self) -> str:
        """The name that ``--data NAME=ROOT`` gives a folder to."""
        return self.name or self.adapter


class Condition(Record):
    """What is done to the media: nothing (``clean``) or one perturbation at some severities.

    ``where: frame`` perturbs the full frame before detection (the system), ``crop`` the aligned face
    (the classifier): two different claims. Where it says neither, the media are perturbed as they are given:
    frames, or faces already cropped. ``where: sound`` is said of what acts on the sound.
    """

    perturb: Word
    severities: tuple[Severity, ...] = (1, 2, 3, 4, 5)
    where: Where | None = None

    @property
    def name(self) -> str:
        """What is done to what, in words.

        >>> Condition(perturb="roll").name, Condition(perturb="roll", where="crop").name
        ('roll on the media as given', 'roll on the crop')
        """
        return f"{self.perturb} on the {self.where or 'media as given'}"

    def acts_on(self, media: MediaKind) -> Where:
        """Whether it acts on the frame, on the crop or on the sound of such media."""
        return self.where or ("crop" if media == "aligned" else "frame")

    @field_validator("severities")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or list(value) != sorted(set(value)):
            raise ValueError(f"severities are {list(value)}. They ascend without repetition, as [1, 3, 5]")
        return value


class SliceRule(Record):
    """When a slice is shown and when it may be compared (thresholds of STATISTICS, Slice status)."""

    suppress_below: Annotated[int, Field(ge=1)] = 5
    clusters: Annotated[int, Field(ge=2)] = 20
    n_eff: Annotated[int, Field(ge=1)] = 50
    successes_and_failures: Annotated[int, Field(ge=0)] = 10
    rows_in_class: Annotated[int, Field(ge=0)] = 10


class Slicing(NamedTuple):
    """What rows are cut by: attributes together and, where they are compared within its values, a control."""

    attributes: tuple[str, ...]
    control: str | None = None

    @property
    def name(self) -> str:
        """The name of the slice in Estimates.

        >>> Slicing(("race", "sex")).name, Slicing(("sex",), "age").name
        ('race&sex', 'sex|age')
        """
        return "|".join(["&".join(self.attributes), *([self.control] if self.control else [])])


class Suite(Record):
    """A plan: which data, under which conditions, cut into which slices, measured by which metrics.

    A suite without data is for any. A slice is one attribute or a list of attributes (their intersection);
    ``bins`` cuts a numeric attribute at the given edges, lower edge included. ``controls`` are attributes
    within each value of which every slice is compared once more, and over which nothing is added up.
    ``primary`` names the tests that are confirmatory, such as ``gap/uar/sex``; all others are exploratory.
    ``reference`` names the model that errors under conditions are held against (mCE).
    """

    suite: Name
    about: str = ""
    data: tuple[DataSource, ...] = ()
    clean: bool = True
    conditions: tuple[Condition, ...] = ()
    slices: tuple[Word | tuple[Word, ...], ...] = ()
    controls: tuple[Word, ...] = ()
    bins: dict[str, tuple[float, ...]] = {}
    metrics: tuple[Word, ...] = ()
    primary: tuple[Word, ...] = ()
    reference: Word | None = None
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    draws: Annotated[int, Field(ge=999, le=999_999)] = 9_999
    missing_constant: Annotated[float, Field(ge=-1, le=1)] = 0.0
    slice_rule: SliceRule = SliceRule()

    @field_validator("bins")
    @classmethod
    def _cut_what_is_sliced(
        cls, value: dict[str, tuple[float, ...]], info: ValidationInfo
    ) -> dict[str, tuple[float, ...]]:
        slices = info.data.get("slices", ())
        sliced = {name for s in slices for name in ([s] if isinstance(s, str) else s)}
        sliced |= set(info.data.get("controls", ()))
        for name, edges in value.items():
            if not edges or list(edges) != sorted(set(edges)):
                shown = ", ".join(f"{edge:g}" for edge in edges)
                raise ValueError(f"the edges of {name!r} are [{shown}]. Edges ascend without repetition")
            if name not in sliced:
                near = nearest(name, sliced)
                raise ValueError(f"bins cut {name!r}, which no slice uses.{near} Bins cut a sliced attribute")
        return value

    @field_validator("slices")
    @classmethod
    def _attributes_once(cls, value: tuple[str | tuple[str, ...], ...]) -> tuple[str | tuple[str, ...], ...]:
        for attributes in value:
            if isinstance(attributes, tuple) and (not attributes or len(set(attributes)) < len(attributes)):
                raise ValueError(f"a slice is {list(attributes)}. An intersection is as [sex, race]")
            for name in (attributes,) if isinstance(attributes, str) else attributes:
                if "|" in name:
                    raise ValueError(f"slice {name!r} has an '|', which stands before a control. Rename it")
        _require_distinct(value, "slice")
        return value

    @field_validator("controls")
    @classmethod
    def _controls_of_slices(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        slices = [[s] if isinstance(s, str) else s for s in info.data.get("slices", ())]
        for name in value:
            if all(name in attributes for attributes in slices):
                raise ValueError(
                    f"control {name!r} controls nothing. A control needs a slice by another attribute"
                )
        _require_distinct(value, "control")
        return value

    @field_validator("metrics")
    @classmethod
    def _metrics_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        _require_distinct(value, "metric")
        return value

    @field_validator("primary")
    @classmethod
    def _tests_of_what_is_sliced(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        cuts = slicings(info.data.get("slices", ()), info.data.get("controls", ()))
        slices = [cut.name for cut in cuts]
        metrics = info.data.get("metrics", ())
        for name in value:
            kind, _, rest = name.partition("/")
            metric, _, sliced = rest.rpartition("/")
            if kind != "gap" or not metric:
                raise ValueError(
                    f"primary test {name!r} is no test. Tests are as gap/uar/sex, gap/uar/race&sex"
                )
            # A metric stands for those of all labels, as recall does for recall/fear.
            for what, part, known in (("slice", sliced, slices), ("metric", metric, metrics or [metric])):
                if not {part, part.partition("/")[0]} & set(known):
                    found = f"{part!r}, which is no {what} of the suite.{nearest(part, known)}"
                    raise ValueError(f"primary test {name!r} is of {found} A test is of a {what}")
        _require_distinct(value, "primary test")
        return value

    @field_validator("conditions")
    @classmethod
    def _conditions_once(cls, value: tuple[Condition, ...]) -> tuple[Condition, ...]:
        _require_distinct([c.name for c in value], "condition", _SEVERITIES)
        for condition in value:
            others = {c.where for c in value if c.perturb == condition.perturb and c.where is not None}
            if condition.where is None and others:
                raise ValueError(
                    f"condition {condition.name!r} is beside one on the {' and the '.join(sorted(others))}. "
                    "Each says where, or there is one"
                )
        return value

    @field_validator("data")
    @classmethod
    def _names_once(cls, value: tuple[DataSource, ...]) -> tuple[DataSource, ...]:
        _require_distinct([source.key for source in value], "data set", "Give each its own 'name'")
        return value

    @property
    def slicings(self) -> tuple[Slicing, ...]:
        """What the rows are cut by, each once: every slice, then every slice within every control."""
        return slicings(self.slices, self.controls)

    @model_validator(mode="after")
    def _something_to_run(self) -> Suite:
        if self.reference is not None and not (self.clean and self.conditions):
            raise ValueError(
                f"'reference' is {self.reference!r}, and nothing is held against it. "
                "A reference model needs clean media and at least one condition"
            )
        if not self.clean and not self.conditions:
            raise ValueError("the suite runs nothing. Without clean media it names at least one condition")
        return self


def slicings(slices: Sequence[str | tuple[str, ...]], controls: Sequence[str]) -> tuple[Slicing, ...]:
    """The slices, each once, then each within every control that is none of its attributes.

    >>> [cut.name for cut in slicings(["sex", ("race", "sex")], ["age", "sex"])]
    ['sex', 'race&sex', 'sex|age', 'race&sex|age']
    """
    cuts = [Slicing((s,) if isinstance(s, str) else tuple(dict.fromkeys(s))) for s in slices]
    within = [Slicing(c.attributes, a) for a in controls for c in cuts if a not in c.attributes]
    return tuple(dict.fromkeys([*cuts, *within]))


def members(name: str) -> tuple[str, ...]:
    """The metrics that a name of a metric or of a criterion stands for.

    >>> members("equalised_odds/fear"), members("uar")
    (('recall/fear', 'false_positive_rate/fear'), ('uar',))
    """
    stem, slash, label = name.partition("/")
    return tuple(f"{each}{slash}{label}" for each in CRITERIA.get(stem, (stem,)))


def _without(fields: dict[str, object], **defaults: object) -> dict[str, object]:
    return {key: value for key, value in fields.items() if key not in defaults or value != defaults[key]}


def _require_distinct(values: Sequence[object], what: str, allowed: str = "Once is enough") -> None:
    for position, value in enumerate(values):
        if value in values[:position]:
            shown = list(value) if isinstance(value, tuple) else value
            raise ValueError(f"{what} {shown!r} is there twice. {allowed}")
