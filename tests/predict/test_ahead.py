"""Working ahead: the order of the calls, how many are under way, and what a failing one does."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
import torch

from bench.predict.ahead import ahead


def test_results_keep_the_order_of_the_calls_whichever_ends_first() -> None:
    second = threading.Event()

    def first() -> str:
        assert second.wait(10)
        return "first"

    def other() -> str:
        second.set()
        return "second"

    assert list(ahead(iter([first, other]), threads=2, each=1)) == ["first", "second"]


@pytest.mark.parametrize("threads", [1, 3])
def test_as_many_calls_are_taken_as_there_are_threads_and_one_more(threads: int) -> None:
    taken = 0

    def calls():  # type: ignore[no-untyped-def]
        nonlocal taken
        for i in range(20):
            taken += 1
            yield lambda i=i: i

    with closing(ahead(calls(), threads, each=1)) as results:
        for read, value in enumerate(results):
            assert value == read
            assert taken <= read + threads + 1
            if read == 5:
                break
    assert taken == 5 + threads + 1


def test_an_error_comes_in_its_turn_and_ends_what_has_not_begun() -> None:
    done: list[int] = []

    def call(i: int) -> int:
        if i == 2:
            raise KeyboardInterrupt("here")
        done.append(i)
        return i

    read = []
    with (
        pytest.raises(KeyboardInterrupt, match="here"),
        closing(ahead((lambda i=i: call(i) for i in range(50)), 1, each=1)) as results,  # type: ignore[misc]
    ):
        read.extend(results)
    assert read == [0, 1]
    assert len(done) < 50


def test_torch_uses_the_threads_asked_for_and_is_left_as_it_was() -> None:
    before = torch.get_num_threads()
    assert list(ahead(iter([torch.get_num_threads] * 3), threads=2, each=1)) == [1, 1, 1]
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert (torch.get_num_threads(), seen) == (before, [before])
