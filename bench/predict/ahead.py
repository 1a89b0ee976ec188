"""Working ahead: threads make calls while earlier results are used, in order and in bounded number."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["ahead"]

Result = TypeVar("Result")


def ahead(calls: Iterable[Callable[[], Result]], threads: int, each: int) -> Generator[Result]:
    """The results of ``calls`` in their order; at most one call more than there are threads is under way.

    ``each``: threads that torch may use within one call. Calls are taken from their iterable by whoever reads
    the results. Raises what a call raised, in its turn. Close it, so that its threads end.

    >>> list(ahead((lambda i=i: i * i for i in range(5)), threads=2, each=1))
    [0, 1, 4, 9, 16]
    """
    waiting: deque[Future[Result]] = deque()
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(each,))
    try:
        for call in calls:
            waiting.append(pool.submit(call))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)  # what one thread sets, threads begun later take over
