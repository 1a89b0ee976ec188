"""Rules on speed: intervals of what was measured decide, on one machine, and what was not measured never does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from bench.errors import UserError
from bench.folder import RunFolder
from bench.gate.hold import Gate, gate
from bench.latency import Measured, Stretch, quantile, rate, write_latency
from bench.policy import read_policy
from bench.sides import Side
from tests.gate.conftest import invoke
from tests.gate.test_gate import hold, policy
from tests.test_latency import HARDWARE, measured

N = 300


def plant(run: Path, model: str, slower: float = 1.0, **other: Any) -> Measured:
    """Give a run 300 calls of about 4 ms each and five stretches of 200 targets/s, so many times slower."""
    spread = np.random.default_rng(7).lognormal(0, 0.1, N)
    times = [int(t) for t in 4e6 * slower * spread]
    stretches = [Stretch(round=i, targets=200, seconds=slower * (1 + i / 100)) for i in range(5)]
    one = measured([*times], 5, model=model, dataset="T", throughput=stretches, **other)
    write_latency(run / "latency.json", (one,))
    RunFolder(run).seal()
    return one


@pytest.fixture
def timed(runs: Path, tmp_path: Path) -> Path:
    """The runs ``old`` and ``new``, which is 1.2 times as slow."""
    for name, slower in (("old", 1.0), ("new", 1.2)):
        shutil.copytree(runs / name, tmp_path / name)
        plant(tmp_path / name, name, slower)
    return tmp_path


def verdict(runs: Path, rule: str, **words: Any) -> tuple[str, str | None]:
    (held,) = hold(runs, policy(runs, rule), **words).of(0)
    return held.verdict, held.why


def test_a_latency_is_decided_by_its_interval(timed: Path) -> None:
    one = plant(timed / "new", "new", 1.2)
    for name, share in (("latency_p50", 0.5), ("latency_p95", 0.95)):
        found = quantile(one.times(), share)
        assert found.low < found.estimate < found.high
        bounds = {
            found.low * 0.999: "fail", found.estimate: "inconclusive", found.high * 0.999: "inconclusive",
            found.high: "pass",
        }  # fmt: skip
        for bound, expected in bounds.items():
            assert verdict(timed, f"metric: {name}, at_most: {bound!r}")[0] == expected, bound
    front = verdict(timed, "metric: latency_p50, stage: front_end, at_most: 9")
    assert front == ("inconclusive", "no call went through the front-end")
    assert verdict(timed, "metric: latency_p50, stage: model, at_most: 9") == ("pass", None)


def test_a_throughput_is_decided_by_its_interval(timed: Path) -> None:
    found = rate(plant(timed / "new", "new", 1.2).throughput)
    bounds = {found.low: "pass", found.estimate: "inconclusive", found.high * 1.001: "fail"}
    for bound, expected in bounds.items():
        assert verdict(timed, f"metric: throughput, at_least: {bound!r}")[0] == expected


def test_a_baseline_is_held_by_the_ratio(timed: Path) -> None:
    """Planted: 1.2 times as slow in every quantile, and in the throughput."""
    for metric in ("latency_p50", "latency_p95", "throughput"):
        verdicts = [
            verdict(timed, f"metric: {metric}, no_slower_than: {bound}", baseline="old")[0]
            for bound in (0.9, 1.2, 1.6)
        ]
        assert verdicts == ["fail", "inconclusive", "pass"], metric
    row = hold(timed, policy(timed, "metric: latency_p50, no_slower_than: 1.6"), baseline="old").of(0)[0].row
    assert row["estimate"] == pytest.approx(1.2, rel=1e-6)
    with pytest.raises(UserError, match="held against a baseline, and none is given"):
        verdict(timed, "metric: latency_p50, no_slower_than: 1.1")


def test_the_ratio_never_says_more_than_simulation(timed: Path) -> None:
    """The interval of a ratio is of both quantiles at once: wider than either's own."""
    row = hold(timed, policy(timed, "metric: latency_p50, no_slower_than: 2"), baseline="old").of(0)[0].row
    alone = quantile(plant(timed / "old", "old").times(), 0.5)
    assert row["high"] / row["estimate"] > (alone.high / alone.estimate) ** 1.5
    assert row["level"] == pytest.approx(0.95)


def test_what_was_not_measured_decides_nothing(timed: Path) -> None:
    (timed / "old" / "latency.json").unlink()
    RunFolder(timed / "old").seal()
    why = "the baseline's speed was not measured there (run --measure-latency)"
    assert verdict(timed, "metric: latency_p50, no_slower_than: 9", baseline="old") == ("inconclusive", why)
    assert verdict(timed, "metric: latency_p50, at_most: 9", new="old") == (
        "inconclusive", "speed was not measured there (run --measure-latency)",
    )  # fmt: skip


@pytest.mark.parametrize("field", ["device", "cpu", "cores", "threads", "workers"])
def test_other_hardware_decides_no_ratio_whatever_is_allowed(timed: Path, field: str) -> None:
    value = {"device": "B", "cpu": "B"}.get(field, 64)
    plant(timed / "old", "old", 1.0, hardware=HARDWARE.model_copy(update={field: value}))
    path = policy(timed, "metric: latency_p50, no_slower_than: 9")
    sides = [Side("--model", RunFolder(timed / name)) for name in ("new", "old")]
    for allowed in (False, True):
        found = gate(read_policy(path), *sides, allow_environment_change=allowed)
        assert found.verdict == "inconclusive"
        mine = getattr(HARDWARE, field)
        why = f"the two were measured on different hardware: {field} ({mine} against {value})"
        assert found.of(0)[0].why == why


@pytest.mark.parametrize(
    "other", [{"environment": {"torch": "2"}}, {"environment": {"torch": "1", "cuda": "12"}}, {"precision": "bf16"}]
)  # fmt: skip
def test_other_software_decides_where_that_is_allowed(timed: Path, other: dict[str, Any]) -> None:
    plant(timed / "old", "old", 1.0, **other)
    path = policy(timed, "metric: latency_p50, no_slower_than: 9")
    sides = [Side("--model", RunFolder(timed / name)) for name in ("new", "old")]
    held: list[Gate] = [
        gate(read_policy(path), *sides, allow_environment_change=allowed) for allowed in (False, True)
    ]
    assert [found.verdict for found in held] == ["inconclusive", "pass"]
    assert (held[0].of(0)[0].why or "").startswith("the two runs differ in ")


def test_a_bound_for_another_device_decides_nothing(timed: Path) -> None:
    rule = "metric: latency_p50, at_most: 99, device: "
    assert verdict(timed, rule + "A") == ("pass", None)
    why = "it was measured on A, and the rule is of NVIDIA H200"
    assert verdict(timed, rule + "NVIDIA H200") == ("inconclusive", why)


def test_failed_calls_decide_nothing(timed: Path) -> None:
    times = [None, *[4_000_000 + i for i in range(59)]]
    write_latency(timed / "new" / "latency.json", (measured(times, model="new", dataset="T"),))
    RunFolder(timed / "new").seal()
    found = verdict(timed, "metric: latency_p50, at_most: 9")
    assert found == ("inconclusive", "1.7% of the measured rows are decode or model errors, and 1.0% may be")


def test_rounds_that_differ_say_what_would_settle_it(timed: Path) -> None:
    times = [3_000_000 + i for i in range(150)] + [9_000_000 + i for i in range(150)]
    write_latency(timed / "new" / "latency.json", (measured(times, model="new", dataset="T"),))
    RunFolder(timed / "new").seal()
    decided, why = verdict(timed, "metric: latency_p50, at_most: 5")
    assert decided == "inconclusive"
    assert why == (
        "the interval does not decide it; 300 calls count as 1, for rounds lie between 3 and 9 ms: measure it where "
        "nothing else runs"
    )  # fmt: skip


def test_latencies_that_were_changed_are_refused(timed: Path) -> None:
    """Without a new seal: as if somebody had made them look better."""
    for name, words in (("new", {}), ("old", {"baseline": "old"})):
        path = timed / name / "latency.json"
        before = path.read_text()
        path.write_text(before.replace('"warm_up": 1', '"warm_up": 2'))
        rule = "metric: latency_p50, " + ("no_slower_than: 9" if words else "at_most: 9")
        with pytest.raises(UserError, match="were changed"):
            verdict(timed, rule, **words)
        path.write_text(before)


def test_every_output_says_it(timed: Path) -> None:
    path = policy(
        timed, "metric: latency_p95, stage: model, at_most: 9, device: A", "metric: throughput, at_least: 1000",
        "metric: latency_p50, no_slower_than: 1.2",
    )  # fmt: skip
    words = ["gate", timed / "new", "--policy", path, "--baseline", timed / "old"]
    done = invoke(*words, "--json", "--junit", timed / "j.xml", "--summary", timed / "s.md")
    assert done.exit_code == 1
    found = json.loads(done.output)
    assert [rule["verdict"] for rule in found["rules"]] == ["pass", "fail", "inconclusive"]
    first = found["rules"][0]["numbers"][0]
    assert (first["unit"], first["stage"], first["hardware"], first["n"]) == ("ms", "model", "A", N)
    of = quantile(plant(timed / "new", "new", 1.2).times("model"), 0.95)
    tail = f"{of.estimate:.2f} [{of.low:.2f}, {of.high:.2f}]"
    for text in (
        f"Latency (95th percentile) of the model, T, clean: {tail} ms (300 calls, A); at most 9 ms on A: pass",
        "targets/s (5 stretches, A); at least 1000 targets/s: fail",
        "Latency (median), T, clean: 1.20 [",
    ):
        assert text in done.output
        junit = " ".join(case.get("name", "") for case in ET.parse(timed / "j.xml").iter("testcase"))  # noqa: S314
        assert text in junit
        assert text in (timed / "s.md").read_text().replace("\\", "")
    printed = " ".join(invoke(*words).output.split())
    assert "at most 1.2 times as slow as the baseline" in printed


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("metric: latency_p50, at_least: 3", "'at_least' stands at 'latency_p50'"),
        ("metric: throughput, at_most: 3", "'at_most' stands at 'throughput'"),
        ("metric: throughput, stage: model, at_least: 3", "'stage' stands at 'throughput'"),
        ("metric: latency_p50, slice: sex, at_most: 3", "'slice' stands at 'latency_p50'"),
        ("metric: latency_p50, condition: gamma, at_most: 3", "'condition' stands at 'latency_p50'"),
        ("metric: latency_p50, no_slower_than: 1.1, device: A", "'device' stands beside 'no_slower_than'"),
        ("metric: latency_p50, stage: face, at_most: 3", "'stage' is 'face'"),
        ("metric: uar, no_slower_than: 1.1", "'no_slower_than' stands at 'uar'"),
        ("metric: uar, device: A, at_least: 0.1", "'device' stands at 'uar'"),
        ("metric: latency_p50, no_slower_than: 0", "'no_slower_than' is 0"),
        ("metric: latency_p99, at_most: 3", "metric 'latency_p99' is not in the run. Did you mean 'latency_p95'?"),
    ],
)  # fmt: skip
def test_rules_that_mean_nothing_are_refused_by_their_line(timed: Path, rule: str, text: str) -> None:
    path = policy(timed, "metric: uar, at_least: 0.1", rule)
    with pytest.raises(UserError) as caught:
        hold(timed, path)
    assert caught.value.where == f"{path}:4"
    assert text in str(caught.value)
