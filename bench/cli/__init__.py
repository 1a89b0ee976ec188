"""The command line: parse, call one function, print.

Nothing heavy is imported before it is needed, so that ``--help`` answers at once. Exit codes: 0 done, 1
an audit disagrees, 2 the user must change something, 4 the machine or the program failed, 130 interrupted,
141 nobody reads the output any more, 143 told to end, as by a job's time limit.
"""

from __future__ import annotations

import os
import signal
import sys

from bench.memory import keep_freed_memory

__all__ = ["main"]

_INTERRUPTED = 130
_TERMINATED = 143  # what a shell shows of a program that SIGTERM ended
_UNREAD = 141  # what a shell shows of a program that SIGPIPE ended, such as 'yes | head -1'


def main() -> None:
    """The program ``affectbench``."""
    # A thread that waits by spinning starves the others: set before torch or OpenMP load.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    keep_freed_memory()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = _call()
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        code = _leave_unread()
    except SystemExit as end:  # how typer and rich end where nobody reads
        code = _leave_unread() if isinstance(end.__context__, BrokenPipeError) else end.code
    sys.exit(code if isinstance(code, int) else 0)


class _Terminated(BaseException):
    """The program was told to end; not a KeyboardInterrupt, which typer takes for its own."""


def _terminate(_number: int, _frame: object) -> None:
    raise _Terminated


def _call() -> object:
    """Run the command that the words name: its exit code; what goes wrong is said on stderr."""
    code: object
    try:
        from bench.cli.app import app

        code = app(standalone_mode=False, prog_name="affectbench")
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except _Terminated:
        code = _TERMINATED
    except BrokenPipeError:
        raise
    except Exception as error:  # the last resort: every fault ends as a message and a code
        code = _report(error)
    if code in (_INTERRUPTED, _TERMINATED):
        kept = sys.argv[1:2] in (["run"], ["demo"])
        then = "goes on from here" if kept else "begins anew"
        what = "interrupted" if code == _INTERRUPTED else "told to end (SIGTERM)"
        print(f"{what}; the same command {then}", file=sys.stderr)
    return code


def _leave_unread() -> int:
    """Let what is still to be flushed go nowhere, so that the end is silent."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
    return _UNREAD


def _report(error: Exception) -> int:
    """Say what happened on stderr and return the exit code."""
    from bench.errors import AffectbenchError

    if isinstance(error, AffectbenchError):
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    show = getattr(error, "show", None)
    if show is not None:  # a usage error of typer, which knows how to say it
        show()
        return 2
    print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
    print(
        f"The program or the machine failed. The traceback is in {_write_traceback(error)}", file=sys.stderr
    )
    return 4


def _write_traceback(error: Exception) -> str:
    import tempfile
    import traceback

    text = "".join(traceback.format_exception(error))
    with tempfile.NamedTemporaryFile("w", prefix="affectbench-", suffix=".log", delete=False) as log:
        log.write(text)
    return log.name
