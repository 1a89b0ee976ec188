"""Progress where stderr is no terminal: a line now and then, nothing where nobody wants it."""

from __future__ import annotations

import pytest

from bench.cli.show import Voice


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("bench.cli.show.time.monotonic", lambda: now[0])
    return now


def test_a_line_every_half_minute(clock, capsys):
    with Voice(quiet=False, json=False).progress("rows") as progress:
        advance = progress(9_000)
        for _ in range(9):  # 1,000 rows in ten seconds
            clock[0] += 10
            advance(1_000)
    told = capsys.readouterr()
    assert told.err.splitlines() == ["3,000 of 9,000 rows, 100 rows/s", "6,000 of 9,000 rows, 100 rows/s"]
    assert told.out == ""


def test_the_rate_is_that_since_the_line_before(clock, capsys):
    with Voice(quiet=False, json=False).progress("rows") as progress:
        advance = progress(9_000)
        for made in (3_000, 600, 15, 0):
            clock[0] += 30
            advance(made)
    assert [line.split(", ")[1] for line in capsys.readouterr().err.splitlines()] == [
        "100 rows/s", "20 rows/s", "30 rows/min", "0 rows/min",
    ]  # fmt: skip


@pytest.mark.parametrize("voice", [Voice(quiet=True, json=False), Voice(quiet=False, json=True)])
def test_quiet_and_json_say_nothing(voice, clock, capsys):
    with voice.progress("rows") as progress:
        advance = progress(10)
        clock[0] += 100
        advance(5)
    assert capsys.readouterr() == ("", "")
