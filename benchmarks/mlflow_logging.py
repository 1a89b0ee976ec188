"""Log 5,000 metrics to MLflow as ``bench.track`` does, against a loop of single ``log_metric`` calls.

Both write into the same store in one run, in turn; the fastest of the rounds counts. The loop makes
1,000 calls and its time is scaled to 5,000 (each call costs the same: one transaction or one request).
Without ``--tracking-uri`` the store is a fresh SQLite file.

    python benchmarks/mlflow_logging.py
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.track.content import Reading
from bench.track.send import log
from bench.track.store import session


def main() -> None:
    """Measure both ways and print a Markdown table with their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--metrics", type=int, default=5000, help="how many numbers a run logs")
    parser.add_argument("--calls", type=int, default=1000, help="how many of them the loop really logs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tracking-uri", help="measure this store, for example http://127.0.0.1:5000")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        uri = asked.tracking_uri or f"sqlite:///{Path(folder).as_posix()}/mlflow.db"
        batched, looped = measure(uri, asked.metrics, asked.calls, asked.rounds)
    scaled = looped * asked.metrics / asked.calls
    print(f"| {asked.metrics:,} metrics to {uri.split(':')[0]} | seconds | ms a metric |")
    print("|---|---|---|")
    print(f"| bench.track, batches of 1,000 | {batched:.2f} | {1000 * batched / asked.metrics:.2f} |")
    print(
        f"| a loop of log_metric ({asked.calls:,} calls, scaled) "
        f"| {scaled:.2f} | {1000 * looped / asked.calls:.2f} |"
    )
    print(f"| ratio | {scaled / batched:.1f} | |")


def measure(uri: str, metrics: int, calls: int, rounds: int) -> tuple[float, float]:
    """The fastest seconds of logging ``metrics`` in batches and ``calls`` one by one; reads both back."""
    readings = tuple(Reading(f"uar/attribute/{i}", i / metrics, 0) for i in range(metrics))
    batched, looped = [], []
    with session(uri, "Start the server") as client:
        experiment = client.create_experiment(f"benchmark-{time.time_ns()}")

        def timed(write: Callable[[str], None], expected: int) -> float:
            run_id = client.create_run(experiment).info.run_id
            started = time.perf_counter()
            write(run_id)
            seconds = time.perf_counter() - started
            found = client.get_run(run_id).data.metrics
            if found != {reading.name: reading.value for reading in readings[:expected]}:
                raise SystemExit("the store does not hold what was logged")
            client.delete_run(run_id)
            return seconds

        def one_by_one(run_id: str) -> None:
            for reading in readings[:calls]:
                client.log_metric(run_id, reading.name, reading.value, step=reading.step)

        for _ in range(rounds):
            batched.append(timed(lambda run_id: log(client, run_id, readings, {}), metrics))
            looped.append(timed(one_by_one, calls))
    return min(batched), min(looped)


if __name__ == "__main__":
    main()
