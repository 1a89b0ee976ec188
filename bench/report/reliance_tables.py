"""Tables of what a model relies on, with a sentence for each loss.

They show what ``bench.report.reliance`` chose and add no number of their own. What was not taken away is
named as not known, never shown as 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from bench.judge.metrics import METRICS
from bench.report import format as fmt
from bench.report.entries import Entry, reason, shown, state_of
from bench.report.records import Dataset, Model
from bench.report.reliance import CLEAN, WHOLE, Part, Taken, answers, taken
from bench.report.results import Results, Row
from bench.report.selection import follows_frames
from bench.report.table import Group, Line, Table, words

__all__ = ["reliance_tables", "told"]

_TOLD = (
    "What a model loses where an input is taken away, paired with clean media: the degradation under that "
    "condition at the strongest severity that was run. The order of frames and the direction of time are "
    "temporal reliance, sight and sound modality reliance. More than 0 means that answers rest on it.",
    "A model that sees each frame on its own and takes the mean loses nothing by the order of frames: "
    "exactly nothing if it looks at all of them, about nothing if at some. But a loss is of the whole "
    "system: a face that a tracker loses where frames jump counts, and so does stumbling over media such as "
    "were never seen in training. No loss does not mean that an input is ignored, for another may say the "
    "same; and losses do not add up.",
)
_STRETCHES = (
    "Frames are put in another order by whole stretches, and within each they keep their order: what a model "
    "makes of motion shorter than a stretch is not taken away, and its loss not seen."
)
_SOME_LEFT = "Below severity 5 a part of the input is left, and the loss is smaller than without any of it."
_FOLLOWING = "Metrics that follow frames are left out: another order moves them whatever a model does."
_DASHED = f"{fmt.DASH}: not compared, for want of rows or persons."
_COLUMNS = ("Input", "Clean", "Without it", "Loss", "q", "In words")
_STRONGEST = 5
_SAME = 1e-9


def told(results: Results, data: Dataset) -> tuple[str, ...]:
    """What the tables mean."""
    found = taken(results, data)
    some_left = any(one.place and one.place.severity < _STRONGEST for one in found)
    following = any(follows_frames(name) for name in results.metrics(data.name))
    stretches = any(one.place and one.input.condition == "shuffled" for one in found)
    further = ((_STRETCHES, stretches), (_SOME_LEFT, some_left), (_FOLLOWING, following))
    return (*_TOLD, *(text for text, holds in further if holds))


def reliance_tables(results: Results, data: Dataset) -> tuple[Table, ...]:
    """How inputs were taken away, and losses: by the metric that leads, by the others, by slice; or none."""
    every = taken(results, data)
    found = [one for one in every if one.place]
    names = answers(results, data, found)
    if not names:
        return ()
    heads = [one.input.name.capitalize() for one in found]
    leading, level = fmt.metric(names[0]), fmt.percent(results.suite.level)
    made = (
        Table(
            f"How each input was taken away on {data.name}", ("Input", "Condition", "Amount"),
            (Group(tuple(Line(one.input.name, _how(results, one)) for one in every)),),
        ),
        _noted(Table(
            f"What each model relies on, {leading} on {data.name}, with {level} intervals", _COLUMNS,
            tuple(_in_words(results, found, names[0])),
        )),
        _noted(Table(
            f"Loss without each input on {data.name}, by other metrics", ("Model", "Clean", *heads),
            tuple(_by_metric(results, data, found, names[1:])),
        )),
        _noted(Table(
            f"Loss without each input on {data.name}, {leading} by slice", ("Slice", "Clean", *heads),
            tuple(_by_slice(results, data, found, names[0])),
        )),
    )  # fmt: skip
    return tuple(table for table in made if table.groups)


def _noted(table: Table) -> Table:
    """The table with what its dashes mean."""
    entries = [entry for group in table.groups for line in group.lines for entry in line.entries]
    dashed = any(entry.text == fmt.DASH and entry.kind == "absent" for entry in entries)
    return Table(table.caption, table.columns, table.groups, (_DASHED,) if dashed else ())


def _how(results: Results, one: Taken) -> tuple[Entry, ...]:
    """The condition that took an input away and its amount; that none was run is said, never blank."""
    if one.place is None:
        return Entry(f"not run ({one.input.condition.replace('_', ' ')})", "text"), Entry("not known", "text")
    lost = fmt.LOST * results.may_lose_label(one.place)
    return Entry(words(one.place) + lost, "text"), Entry(results.amount(one.place) or fmt.DASH, "text")


def _in_words(results: Results, found: Sequence[Taken], metric: str) -> Iterator[Group]:
    for model in results.models:
        known = [(one, loss) for one in found if (loss := one.loss(model.name, metric))]
        made = tuple(Line(one.input.name, _told_of(results, one, loss)) for one, loss in known)
        if made:
            yield Group(made, _title(model))


def _told_of(results: Results, one: Taken, loss: Row) -> tuple[Entry, ...]:
    """One loss: the values that it lies between, the loss, its q, and what it says."""
    assert one.place is not None
    clean, left = (
        results.find((loss["model"], loss["dataset"], place), loss["metric"], WHOLE)
        for place in (CLEAN, one.place)
    )
    said = " ".join(_sentences(results, one, loss, (clean, left)))
    return (
        shown(clean), shown(left), shown(loss), Entry(fmt.probability(loss["p_adjusted"])),
        Entry(said, "sentence"),
    )  # fmt: skip


def _by_metric(
    results: Results, data: Dataset, found: Sequence[Taken], metrics: Sequence[str]
) -> Iterator[Group]:
    for metric in metrics:
        made = (_line(results, data, found, (model.name, metric), WHOLE) for model in results.models)
        known = [Line(_title(m), e) for m, e in zip(results.models, made, strict=True) if e]
        if known:
            yield Group(tuple(known), fmt.heading(metric))


def _by_slice(results: Results, data: Dataset, found: Sequence[Taken], metric: str) -> Iterator[Group]:
    for model, (name, values) in product(results.models, results.slices(data.name)):
        made = (_line(results, data, found, (model.name, metric), (name, value)) for value in values)
        known = [Line(value, entries) for value, entries in zip(values, made, strict=True) if entries]
        if known:
            yield Group(tuple(known), f"{_title(model)}, {name}")


def _line(
    results: Results, data: Dataset, found: Sequence[Taken], of: tuple[str, str], part: Part
) -> tuple[Entry, ...]:
    """The value on clean media and the loss without each input; empty where there is no loss to be had."""
    model, metric = of
    losses = [one.loss(model, metric, part) for one in found]
    clean = results.find((model, data.name, CLEAN), metric, part)
    entries = (shown(loss) if loss else Entry(fmt.DASH, "absent") for loss in losses)
    return (shown(clean), *entries) if any(losses) else ()


def _sentences(results: Results, one: Taken, loss: Row, pair: tuple[Row | None, Row | None]) -> Iterator[str]:
    """What one loss says, in plain words."""
    state = state_of(loss)
    if state == "suppressed":
        yield "Withheld."
        return
    if loss["estimate"] is None:
        yield f"Not known: {reason(loss) or state}."
        return
    yield _verdict(one, loss)
    if loss["low"] is None:
        yield from _unchanged(results, loss)
    if state == "insufficient":
        yield "Too few persons or rows to rest on that."
    clean, left = (None if row is None else row["coverage"] for row in pair)
    if clean is not None and left is not None and left < clean:
        here, there = fmt.percent(1 - clean), fmt.percent(1 - left)
        yield f"Rows without an answer: {there}, on clean media {here}."


def _verdict(one: Taken, loss: Row) -> str:
    """Whether the input is used, as far as the interval says."""
    value, low, high = loss["estimate"], loss["low"], loss["high"]
    metric, without = fmt.metric(loss["metric"]), one.input.without
    name = one.input.phrase
    if low is None and abs(value) < _SAME:
        return f"No use of {name} is seen: {metric} is the same {without}."
    if low is None:
        change = "worse" if value > 0 else "better"
        return f"{metric[:1].upper()}{metric[1:]} is {change} {without}, by {fmt.number(abs(value))} here."
    if low > 0:
        return f"Relies on {name}: {metric} is worse {without}, by {fmt.number(low)} to {fmt.number(high)}."
    if high < 0:
        better = f"{fmt.number(-high)} to {fmt.number(-low)}"
        return f"Not helped by {name}: {metric} is better {without}, by {better}."
    return f"No use of {name} is seen; a loss of up to {fmt.number(high)} cannot be excluded."


def _unchanged(results: Results, loss: Row) -> Iterator[str]:
    """How many decisions are as on clean media, where the loss of a metric of labels has no interval."""
    if METRICS[loss["metric"].partition("/")[0]].key.kernel != "confusion":
        return
    names = ("condition", "where", "severity", "slice")
    for row in results.of_kind("stability", loss["dataset"], loss["model"], "stability"):
        if all(row[name] == loss[name] for name in names):
            yield f"Unchanged decisions: {fmt.estimate(row)}."


def _title(model: Model) -> str:
    return f"{model.name} (double)" if model.double else model.name
