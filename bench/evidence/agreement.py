"""Whether the files of a bundle say the same of one another: seal, cells and manifest.

What one signer signed in one go may still not belong together. Says what is wrong instead of raising.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.evidence.aggregates import CELLS, DERIVABLE
from bench.evidence.manifest import Manifest
from bench.folder import RunFolder
from bench.judge.invariants import Finding

__all__ = ["agreement"]

_SEALED = {
    "run_sha256": "run.json",
    "estimates_sha256": "estimates.parquet",
    "curves_sha256": "curves.parquet",
    "report_sha256": "report.html",
    "latency_sha256": "latency.json",
}


def agreement(folder: Path, manifest: Manifest, derivable: bytes | None) -> list[Finding]:
    """Hold the files of a bundle in a folder against one another; ``derivable`` is what really follows."""
    digests = {file.path: file.sha256 for file in (*manifest.files, *manifest.elsewhere)}
    judged = _read(folder / "judged.json")
    sealed = [name for name in _SEALED if isinstance(judged, dict) and name in judged]
    found = [
        Finding(
            "results are those that the run was judged with", len(sealed),
            tuple(_unsealed(judged, sealed, digests)),
        )
    ]  # fmt: skip
    if derivable is not None:
        cells = _read(folder / CELLS)
        found.append(
            Finding("cells are of the predictions named", len(cells), tuple(_unnamed(cells, digests)))
        )
        said = (folder / DERIVABLE).read_bytes() if (folder / DERIVABLE).is_file() else b""
        wrong = () if said == derivable else (f"{DERIVABLE} says something else",)
        found.append(Finding("it says rightly what follows from it", 1, wrong))
    return found


def _unsealed(judged: Any, sealed: list[str], digests: dict[str, str]) -> Iterator[str]:
    if not sealed:
        yield "judged.json is no seal of a run"
    for name in sealed:
        if judged[name] != digests.get(_SEALED[name]):
            yield f"judged.json is of another {_SEALED[name]}"


def _unnamed(cells: list[dict[str, Any]], digests: dict[str, str]) -> Iterator[str]:
    """Cells whose tables are not those of which the manifest has the digests."""
    run = RunFolder(Path())
    for facts in cells:
        severity = f"-{facts.get('severity')}-{facts.get('where')}" if facts.get("severity") else ""
        names = str(facts.get("model")), str(facts.get("dataset")), f"{facts.get('condition')}{severity}"
        place = run.cell(*names).path.as_posix()
        for table in ("predictions", "frames"):
            if facts.get(f"{table}_sha256") != digests.get(f"{place}/{table}.parquet"):
                yield f"{' / '.join(names)}: {table} are others than the manifest names"


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
