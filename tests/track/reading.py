"""What a store holds, read back with MLflow's own client."""

from __future__ import annotations

from pathlib import Path

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

CHILDREN = {"faces clean", "faces low_light frame", "faces low_light crop"}


def active(uri: str, experiment: str) -> list[Run]:
    return MlflowClient(uri).search_runs([experiment])


def files_of(client: MlflowClient, run_id: str, under: str = "") -> set[str]:
    found = set()
    for info in client.list_artifacts(run_id, under or None):
        found |= files_of(client, run_id, info.path) if info.is_dir else {info.path}
    return found


def fetched(client: MlflowClient, run_id: str, name: str, folder: Path) -> bytes:
    folder.mkdir(exist_ok=True)
    return Path(client.download_artifacts(run_id, name, str(folder))).read_bytes()
