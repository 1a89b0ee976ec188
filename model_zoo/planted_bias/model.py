"""Planted bias: right on a stated share of all targets, and on a stated share less in one stated group.

``planted_bias@sex=Female,loss=0.2,accuracy=0.8`` is right on 80 % of the others and on 60 % of the targets
with sex Female, exact to one row; wrong answers are the next label. A judge must find what was planted.
"""

from __future__ import annotations

import numpy as np
from _parts.doubles import answer, generator, targets_of, true_codes

from bench.errors import UserError, listed
from bench.predict.pipeline import Build, Pipeline

USAGE = "planted_bias@ATTRIBUTE=VALUE,loss=0.2,accuracy=0.8"


def build(request: Build) -> Pipeline:
    """Choose by lot which targets of the group, and which of the rest, are answered wrongly."""
    targets = targets_of(request)
    attribute, value, loss, accuracy = parse(request.checkpoint)
    if attribute not in targets.attributes:
        raise UserError(
            "planted_bias", f"there is no attribute {attribute!r}", f"It has: {listed(targets.attributes)}",
            f"Write {USAGE}",
        )  # fmt: skip
    group = np.array([str(found) == value for found in targets.table[attribute].to_pylist()])
    if not group.any():
        raise UserError(
            "planted_bias", f"no target has {attribute} {value!r}", "A group that is there", f"Write {USAGE}"
        )
    truth = true_codes(targets)
    draw = generator(request, 2)
    wrong = np.zeros(len(targets), bool)
    for members, share in ((group, accuracy - loss), (~group, accuracy)):
        rows = draw.permutation(np.flatnonzero(members & (truth >= 0)))
        wrong[rows[round(share * len(rows)) :]] = True
    return answer(request, np.where(wrong, (truth + 1) % len(targets.space), truth))


def parse(text: str | None) -> tuple[str, str, float, float]:
    """Read ``ATTRIBUTE=VALUE,loss=L,accuracy=A``; loss is 0.2 and accuracy 0.8 where not given."""
    group, *rest = (text or "").split(",")
    attribute, equals, value = group.partition("=")
    numbers = {"loss": 0.2, "accuracy": 0.8}
    try:
        for part in rest:
            name, _, number = part.partition("=")
            numbers = {**numbers, name: float(number)}
    except ValueError:
        equals = ""
    loss, accuracy = numbers["loss"], numbers["accuracy"]
    if not equals or set(numbers) != {"loss", "accuracy"} or not 0 <= loss <= accuracy <= 1:
        raise UserError(
            "planted_bias", f"{text or ''!r} states no bias", "0 <= loss <= accuracy <= 1", f"Write {USAGE}"
        )
    return attribute, value, loss, accuracy
