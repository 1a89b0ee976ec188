"""A process that has imported what others wrote and forks: each child runs the program, as if just started.

The text of this file is a program (``python -c``). It reads orders, one JSON object a line, and answers each
with the exit code of its child. Nothing of ``bench`` is imported before the fork: a child imports it itself,
in its own order. Refuses to go on with a second thread of Python, which no child would have.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from importlib import import_module

PACKAGES = (
    "av", "cv2", "h5py", "jinja2", "matplotlib.backends.backend_svg", "matplotlib.figure", "mpl_toolkits.mplot3d",
    "numpy", "pandas", "pyarrow.compute", "pyarrow.dataset", "pyarrow.parquet", "pydantic", "rich.console",
    "rich.progress", "rich.table", "safetensors.torch", "scipy.special", "scipy.stats", "torch", "typer", "yaml",
)  # fmt: skip


def become(order: dict[str, object]) -> None:
    """Take the folder, the environment, the words and the streams of an order."""
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    sys.argv = ["-c", *order["words"]]
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, order["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)


def serve() -> None:
    """Answer orders until there are no more; returns in a child alone."""
    for name in PACKAGES:
        import_module(name)
    gc.collect()
    gc.freeze()  # else every child walks, and so copies, all that was imported before it ends: a second
    answers = os.fdopen(os.dup(1), "w")
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        assert threading.active_count() == 1
        assert "bench" not in sys.modules
        child = os.fork()
        if not child:
            answers.close()
            become(json.loads(line))
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)
    os._exit(0)


if __name__ == "__main__":
    serve()
    from bench.cli import main

    main()
