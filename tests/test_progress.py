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


@pytest.mark.parametrize("voice", [Voice(quiet=True, json=False), Voice(quiet=False, json=True)])
def test_quiet_and_json_say_nothing(voice, clock, capsys):
    with voice.progress("rows") as progress:
        advance = progress(10)
        clock[0] += 100
        advance(5)
    assert capsys.readouterr() == ("", "")
