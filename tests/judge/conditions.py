"""Persons seen under conditions that take a known share of right answers, for tests of robustness."""

from __future__ import annotations

import numpy as np

from bench.spec import Suite
from tests.judge.made import LABELS, make_cell, make_suite, make_targets

DARK = {"perturb": "low_light", "severities": (1, 3), "where": "crop"}
NOISE = {"perturb": "sensor_noise", "severities": (2,), "where": "crop"}
PERSONS, CLIPS = 60, 8
CLEAN_RATE = 0.8


class Made:
    """Targets of 60 persons with 8 clips each, half of them of either sex, and models' answers to them."""

    def __init__(self, seed, *, persons=PERSONS, clips=CLIPS, **facts):
        self.rng = np.random.default_rng(seed)
        self.subject = np.repeat(np.arange(persons), clips)
        self.female = self.subject % 2 == 0
        self.truth = np.tile(np.arange(clips) % 4, persons)
        columns = {
            "subject": [f"s{i:03d}" for i in self.subject],
            "label": [LABELS[k] for k in self.truth],
            "valence": self.rng.uniform(-1, 1, len(self.truth)),
            "sex": np.where(self.female, "female", "male"),
        }
        self.targets = make_targets(columns, **facts)
        self.skill = np.clip(self.rng.normal(CLEAN_RATE, 0.08, persons), 0, 1)[self.subject]
        self.luck = self.rng.random(len(self.truth))

    def answers(self, loss):
        """Right where luck is below skill - loss, else the next label: nested, so that pairing matters."""
        right = self.luck < self.skill - loss
        return np.where(right, self.truth, (self.truth + 1) % 4)

    def cell(self, decision, condition="clean", severity=0, **fields):
        words = [LABELS[k] if k < 4 else None for k in decision]
        columns = {"predicted": words, "valence": fields.pop("valence", np.zeros(len(words)))}
        where = None if condition == "clean" else "crop"
        return make_cell(self.targets, columns, condition=condition, severity=severity, where=where, **fields)


def suite(*conditions, **fields) -> Suite:
    return make_suite(
        conditions=conditions or (DARK, NOISE), **{"slices": ("sex",), "metrics": ("accuracy",), **fields}
    )


def rows(table, kind, **names):
    found = [row for row in table.to_pylist() if row["kind"] == kind]
    return [row for row in found if all(row[name] == value for name, value in names.items())]


def one(table, kind, **names):
    (found,) = rows(table, kind, **{"slice": None, "value": None, "metric": "accuracy", **names})
    return found
