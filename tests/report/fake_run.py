"""A fake run folder: numbers planted by hand, in the layout that 'run' and 'score' write."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.digest import digest_json
from bench.folder import RunFolder, write_json
from bench.spec import Condition, DataSource, Facts, Suite
from bench.tables import write_estimates
from bench.tables.estimates import estimates_table

_NUMERICS = {"device": "cpu", "precision": "fp32"}
Part = tuple[str | None, str | None]
Place = tuple[str, int, str | None]
CLEAN: Place = ("clean", 0, None)


@dataclass
class FakeRun:
    """Collects models, a data set, estimates and cells, then writes them."""

    facts: Facts
    models: list[dict[str, Any]]
    rows: int
    slices: tuple[str | tuple[str, ...], ...] = ()
    metrics: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    primary: tuple[str, ...] = ()
    suite: str = "fake"
    about: str = ""
    kind: str = "run"
    estimates: list[dict[str, Any]] = field(default_factory=list)
    cells: list[tuple[str, Place, dict[str, int]]] = field(default_factory=list)
    perturbations: dict[str, dict[str, Any]] = field(default_factory=dict)
    harmed: dict[tuple[str, Place], dict[str, int]] = field(default_factory=dict)

    def estimate(
        self, model: str, metric: str, value: float | None, *, part: Part = (None, None),
        place: Place = CLEAN, n: int = 1000, clusters: int = 91, half: float | None = 0.02, **fields: Any,
    ) -> None:  # fmt: skip
        """Plant one estimate with an interval of +- half."""
        known = value is not None and half is not None
        row = {
            "model": model, "dataset": self.facts.name, "condition": place[0], "severity": place[1],
            "where": place[2], "slice": part[0], "value": part[1], "metric": metric, "kind": "value",
            "estimate": value, "low": value - half if known else None,
            "high": value + half if known else None, "level": 0.95, "side": "two",
            "method": "korn-graubard-wilson", "n": n,
            "clips": n, "clusters": clusters, "cluster_unit": self.facts.cluster_unit, "n_eff": n / 2.5,
            "coverage": 0.9975, "slices_left_out": 0, "role": "exploratory", "status": "reportable",
        }  # fmt: skip
        self.estimates.append(row | fields)

    def cell(self, model: str, statuses: dict[str, int], place: Place = CLEAN) -> None:
        """Plant one finished cell."""
        self.cells.append((model, place, statuses))

    def write(self, path: Path) -> Path:
        """Write the folder and return it."""
        suite = Suite(
            suite=self.suite, about=self.about, data=(DataSource(adapter="manifest"),), slices=self.slices,
            metrics=self.metrics, conditions=self.conditions, primary=self.primary,
        ).model_dump(mode="json")  # fmt: skip
        data = {
            "name": self.facts.name, "digest": digest_json(self.facts.name), "rows": self.rows,
            "facts": self.facts.model_dump(mode="json"),
        }  # fmt: skip
        run = RunFolder(path)
        cells = [[model, self.facts.name, _condition(place)] for model, place, _ in self.cells]
        run.claim({
            "affectbench": "0.1.0", "kind": self.kind, "suite": suite, "suite_digest": digest_json(suite),
            "models": self.models, "cells": cells, "datasets": [data],
            **({"device": None, "precision": None} if self.kind == "score" else _NUMERICS),
            **({"perturbations": self.perturbations} if self.perturbations else {}),
        })  # fmt: skip
        for model, place, statuses in self.cells:
            name, severity, where = place
            folder = run.cell(model, self.facts.name, _condition(place))
            write_json(folder.path / "cell.json", {
                "key": digest_json([model, *map(str, place)]), "model": model, "dataset": self.facts.name,
                "condition": name, "severity": severity, "where": where, "statuses": statuses,
                "environment": {"python": "3.11.2", "torch": "2.13.0"},
                "decoding": {"cells": len(self.cells), "targets": 7, "seconds": 12.5, "recalled": 0},
                **self.harmed.get((model, place), {}),
            })  # fmt: skip
        write_estimates(estimates_table(self.estimates), run.estimates)
        return path


def _condition(place: Place) -> str:
    name, severity, where = place
    return f"{name}-{severity}-{where}" if severity else name


def model(name: str, *, double: bool = False) -> dict[str, Any]:
    """A model's entry in run.json."""
    return {
        "name": name, "entry": name.partition("@")[0], "checkpoint": name.partition("@")[2] or None,
        "weights_sha256": [] if double else [digest_json(name)], "double": double,
        "code_sha256": {"model.py": digest_json(["code", name])},
    }  # fmt: skip


def scored(name: str) -> dict[str, Any]:
    """The entry in run.json of predictions made elsewhere."""
    return {
        "name": name, "entry": None, "checkpoint": None, "weights_sha256": [], "double": False,
        "predictions_sha256": digest_json(["predictions", name]),
    }  # fmt: skip


LONG = "L" + "o" * 197 + "ng"
SCRIPT = "<script>alert('x')</script>"
QUOTES = "\"quoted\" & 'single' $\\frac{1}{2}$ {{ 7 * 7 }} [red]markup[/red] 表情"
SECRET = (0.123457, 0.098761, 0.187653)


def hostile(path: Path, *, leaky: bool = True) -> Path:
    """Two models with hostile names, slices in every state, one perturbation at five severities.

    Leaky: the suppressed rows of the file carry numbers, as no honest file does.
    """
    facts = Facts(
        name="data <b>&amp;", labels=("neutral", SCRIPT), label_space="declared", cluster_unit="clip",
        attributes={SCRIPT: "given", "sex": "self-reported"}, licence=QUOTES,
    )  # fmt: skip
    models = [model(SCRIPT), model(QUOTES, double=True)]
    run = FakeRun(
        facts, models, rows=1234, slices=(SCRIPT, "sex"), metrics=("uar", "accuracy", "auroc"),
        conditions=(Condition(perturb="low_light"),), about=f"About {SCRIPT}",
    )  # fmt: skip
    for place, name in itertools.product([CLEAN, *(("low_light", s, "frame") for s in range(1, 6))], models):
        who, drop = name["name"], 0.05 * place[1]
        run.estimate(
            who, "uar", 0.61 - drop, place=place, n=1234, clusters=1234, method="jackknife", n_eff=None
        )
        run.estimate(who, "accuracy", 0.655 - drop, place=place, n=1234, clusters=1234)
        run.cell(who, {"ok": 1230 - place[1], "no_face": 3 + place[1], "decode_error": 1}, place)
    for name in models:
        _hostile_slices(run, name["name"], leaky)
    run.estimate(models[0]["name"], "ccc_valence", None, half=None, warning=f"constant \x1b[31m {SCRIPT}")
    return run.write(path)


def _hostile_slices(run: FakeRun, who: str, leaky: bool) -> None:
    for label in run.facts.labels:
        run.estimate(who, f"recall/{label}", 0.5, n=617, clusters=617)
    for metric in ("uar", "accuracy"):
        run.estimate(who, metric, 0.7, part=(SCRIPT, QUOTES), n=800, clusters=800)
        run.estimate(who, metric, 0.6, part=(SCRIPT, LONG), n=430, clusters=12, status="insufficient")
        run.estimate(who, metric, None, part=("sex", "un\u202eknown\x07"), half=None, n=700, clusters=700)
        run.estimate(
            who, metric, SECRET[0], part=("sex", "few"), n=7741, clusters=6653, status="suppressed",
            low=SECRET[1], high=SECRET[2], n_eff=5557.0, coverage=0.44321, warning="only 6653 of them",
        )  # fmt: skip
        if not leaky:
            numbers = ("estimate", "low", "high", "n", "clips", "clusters", "n_eff", "coverage", "warning")
            run.estimates[-1] |= dict.fromkeys(numbers)


def crema(path: Path) -> Path:
    """Three raters of CREMA-D as models, by sex, race, ethnicity, age and sex with race; made-up slices."""
    facts = Facts(
        name="crema-d", labels=("neutral", "happiness", "sadness", "fear", "disgust", "anger"),
        label_space="crema-6", attributes=dict.fromkeys(("sex", "race", "ethnicity", "age"), "self-reported"),
        attributes_public=True, licence="ODbL-1.0",
    )  # fmt: skip
    run = FakeRun(
        facts, [scored(n) for n in ("voice", "face", "both")], rows=7442, suite="crema-d", kind="score",
        slices=("sex", "race", "ethnicity", "age", ("sex", "race")),
        metrics=("accuracy", "uar", "macro_f1", "recall"),
        about="Human raters of acted emotion, from voice, face or both, against the intended emotion.",
    )  # fmt: skip
    slices = {
        "sex": [("Female", 43, 0.04), ("Male", 48, -0.036)],
        "race": [
            ("African American", 22, 0.0), ("Asian", 7, -0.043), ("Caucasian", 61, 0.006),
            ("Unknown", 1, 0.03),
        ],
        "ethnicity": [("Hispanic", 10, -0.02), ("Not Hispanic", 81, 0.003)],
        "age": [
            ("[20, 30)", 35, 0.01), ("[30, 40)", 21, 0.02), ("[40, 50)", 14, -0.03), ("[50, 75)", 21, -0.01),
        ],
        "sex&race": [
            ("Female&African American", 10, 0.05), ("Female&Asian", 4, -0.01), ("Female&Caucasian", 29, 0.05),
            ("Male&African American", 12, -0.04), ("Male&Asian", 3, -0.09), ("Male&Caucasian", 32, -0.03),
            ("Male&Unknown", 1, 0.03),
        ],
    }  # fmt: skip
    for who, base, tied in (("voice", 0.4164, 601), ("face", 0.6626, 402), ("both", 0.7221, 333)):
        run.cell(who, {"ok": 7442 - tied, "abstained": tied})
        for metric, shift in (("accuracy", 0.0), ("uar", -0.004), ("macro_f1", -0.012)):
            proportion = {} if metric == "accuracy" else {"n_eff": None, "method": "jackknife-t"}
            run.estimate(who, metric, base + shift, n=7442, half=0.014, **proportion)
            for name, values in slices.items():
                for value, clusters, delta in values:
                    fields = proportion | {"status": "reportable" if clusters >= 20 else "insufficient"}
                    half = None if clusters < 5 else 0.14 / clusters**0.5
                    run.estimate(
                        who, metric, base + shift + delta, part=(name, value),
                        n=82 * clusters - 20 % clusters, clusters=clusters, half=half, **fields,
                    )  # fmt: skip
        for number, label in enumerate(facts.labels):
            run.estimate(
                who, f"recall/{label}", base + 0.05 * (2 - number), n=1271 - 184 * (number == 0), half=0.03
            )
    return run.write(path)
