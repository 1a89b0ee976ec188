"""Send a finished run folder to MLflow, once, however often it is asked.

``RUN/track.json`` holds one id for the folder; every MLflow run made from it carries that id as the tag
``affectbench.send``. The store itself says what is there: a parent that is FINISHED, has the same numbers
and all its children is kept (changed files are uploaded into it); everything else with that id is deleted
first and sent anew. So an interrupted send is replaced, never doubled.
"""

from __future__ import annotations

import json
import os
import shlex
import tempfile
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from bench.digest import digest_file
from bench.errors import UserError
from bench.folder import write_file
from bench.track.content import Content, Dataset, Reading, read_contents
from bench.track.store import artifacts_beside, public, session

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

__all__ = ["FILES_TAG", "KEY_TAG", "PARENT_TAG", "SEND_TAG", "Sent", "SentRun", "log", "runs_with", "send"]

SEND_TAG, KEY_TAG, FILES_TAG = "affectbench.send", "affectbench.key", "affectbench.files"
PARENT_TAG = "mlflow.parentRunId"
_NUMBERS = "affectbench.numbers"
_DIGEST_LENGTH = 36  # MLflow takes no longer digest; the tag of the input holds all 64 digits


@dataclass(frozen=True)
class SentRun:
    """The MLflow run id of one model and suite, and that of each data set and condition by name."""

    name: str
    parent: str
    children: dict[str, str]


@dataclass(frozen=True)
class Sent:
    """Where a run folder is tracked; ``new`` is False where all of it was there already."""

    uri: str
    experiment: str
    experiment_id: str
    runs: tuple[SentRun, ...]
    new: bool

    @property
    def hint(self) -> str:
        """Where to look: the page of the experiment, or the command that shows a local store."""
        if self.uri.startswith("http"):
            return f"{self.uri.rstrip('/')}/#/experiments/{self.experiment_id}"
        return f"mlflow ui --backend-store-uri {shlex.quote(self.uri)}"


def send(run: Path, uri: str, *, upload: bool = True) -> Sent:
    """Send the run folder: a parent per model and suite, children per data set and condition, files.

    The experiment is ``affectbench/SUITE``, or MLFLOW_EXPERIMENT_NAME where that is set. Without
    ``upload`` no file leaves the machine. Raises UserError for an unfinished folder, Unreachable within
    seconds where the store does not answer (nothing is written), and TrackError where it fails later;
    sending again finishes the work.
    """
    suite, parents = read_contents(run)
    memory = _memory(run)
    remedy = f"Send it later with: {_command(run, uri)}"
    with session(uri, remedy) as client:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or f"affectbench/{suite}"
        experiment = _experiment(client, name, uri)
        _write(run, memory)  # the id is on disk before any run carries it
        there = runs_with(client, experiment, SEND_TAG, memory["send"])
        kept = {parent.name: _whole(parent, there) for parent in parents}
        _delete(client, there, [found for found in kept.values() if found])
        tags = {SEND_TAG: memory["send"], "mlflow.source.name": "affectbench"}
        runs, new = [], False
        for parent in parents:
            found = kept[parent.name] or _create(client, experiment, parent, tags)
            uploaded = upload and _upload_changed(client, found, parent)
            client.set_terminated(found.parent)
            runs.append(found)
            new = new or uploaded or kept[parent.name] is None
    sent = Sent(public(uri), name, experiment, tuple(runs), new)
    _remember(run, memory, sent)
    return sent


def log(client: MlflowClient, run_id: str, readings: tuple[Reading, ...], params: dict[str, str]) -> None:
    """Log numbers in batches of up to 1,000 (the client cuts them) and parameters with the first."""
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    metrics = [Metric(reading.name, reading.value, now, reading.step) for reading in readings]
    client.log_batch(run_id, metrics, [Param(name, value) for name, value in params.items()])


def _create(client: MlflowClient, experiment: str, parent: Content, tags: dict[str, str]) -> SentRun:
    """Make the parent and its children with all their numbers; the parent stays RUNNING."""
    top = _start(client, experiment, parent, {**tags, _NUMBERS: parent.numbers})
    children = {}
    for child in parent.children:
        children[child.name] = _start(client, experiment, child, {**tags, PARENT_TAG: top})
        client.set_terminated(children[child.name])
    return SentRun(parent.name, top, children)


def _start(client: MlflowClient, experiment: str, content: Content, tags: dict[str, str]) -> str:
    counts = {f"affectbench.{status}": str(count) for status, count in content.counts.items()}
    tags = {**tags, **counts, KEY_TAG: content.name}
    run_id = str(client.create_run(experiment, tags=tags, run_name=content.name).info.run_id)
    client.log_inputs(run_id, [_input(dataset) for dataset in content.datasets])
    log(client, run_id, content.readings, content.params)
    return run_id


def _input(dataset: Dataset) -> Any:
    from mlflow.entities import Dataset as Entity
    from mlflow.entities import DatasetInput, InputTag

    about = {name: dataset.facts.get(name) for name in ("licence", "cluster_unit", "media_kind")}
    entity = Entity(
        name=dataset.name,
        digest=dataset.digest[:_DIGEST_LENGTH],
        source_type="code",
        source=json.dumps({"tags": {"mlflow.source.name": "affectbench", **about}}),
        profile=json.dumps({"num_rows": dataset.rows}),
    )
    tags = {"mlflow.data.context": "evaluation", "affectbench.digest": dataset.digest}
    return DatasetInput(entity, [InputTag(key, value) for key, value in tags.items()])


def _upload_changed(client: MlflowClient, sent: SentRun, parent: Content) -> bool:
    """Upload the files of parent and children unless the store has these already; say whether it did."""
    digest = parent.uploads
    if client.get_run(sent.parent).data.tags.get(FILES_TAG) == digest:
        return False
    _upload(client, sent.parent, parent)
    for child in parent.children:
        _upload(client, sent.children[child.name], child)
    client.set_tag(sent.parent, FILES_TAG, digest)
    return True


def _upload(client: MlflowClient, run_id: str, content: Content) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, file in content.files.items():
            place = PurePosixPath(name)
            path = file if isinstance(file, Path) else Path(folder) / place.name
            if isinstance(file, bytes):
                path.write_bytes(file)
            client.log_artifact(run_id, str(path), None if place.parent.name == "" else str(place.parent))


def _experiment(client: MlflowClient, name: str, uri: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=artifacts_beside(uri)))
    return str(found.experiment_id)


def runs_with(client: MlflowClient, experiment: str, tag: str, value: str) -> list[Run]:
    """All runs of an experiment, oldest first, that have a tag of this value, such as one send's."""
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs(
            [experiment], f"tags.`{tag}` = '{value}'", order_by=["attributes.start_time ASC"],
            page_token=token,
        )  # fmt: skip
        runs.extend(page)
        token = page.token
        if not token:
            return runs


def _whole(parent: Content, there: list[Run]) -> SentRun | None:
    """The finished runs that already hold what ``parent`` holds, if the store has them."""
    wanted = sorted(child.name for child in parent.children)
    for run in there:
        tags = run.data.tags
        if tags.get(KEY_TAG) != parent.name or tags.get(_NUMBERS) != parent.numbers:
            continue
        mine = [child for child in there if child.data.tags.get(PARENT_TAG) == run.info.run_id]
        statuses = {found.info.status for found in [run, *mine]}
        if statuses == {"FINISHED"} and sorted(child.data.tags[KEY_TAG] for child in mine) == wanted:
            children = {child.data.tags[KEY_TAG]: str(child.info.run_id) for child in mine}
            return SentRun(parent.name, str(run.info.run_id), children)
    return None


def _delete(client: MlflowClient, there: list[Run], kept: list[SentRun]) -> None:
    keep = {run_id for sent in kept for run_id in (sent.parent, *sent.children.values())}
    for run in reversed(there):
        if run.info.run_id not in keep:
            client.delete_run(run.info.run_id)


def _command(run: Path, uri: str) -> str:
    return shlex.join(["affectbench", "track", str(run), "--tracking-uri", public(uri)])


def _memory(run: Path) -> dict[str, Any]:
    path = run / "track.json"
    if not path.is_file():
        return {"send": uuid.uuid4().hex, "sent": []}
    try:
        memory = json.loads(path.read_text(encoding="utf-8"))
        uuid.UUID(memory["send"])
        return {"send": memory["send"], "sent": list(memory["sent"])}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            str(path), "the file is damaged", "It remembers where this run was sent",
            "Delete it; what was sent before then stays where it is, beside what is sent next",
        ) from None  # fmt: skip


def _remember(run: Path, memory: dict[str, Any], sent: Sent) -> None:
    place = (sent.uri, sent.experiment)
    others = [entry for entry in memory["sent"] if (entry["uri"], entry["experiment"]) != place]
    entry = {
        "uri": sent.uri,
        "experiment": sent.experiment,
        "experiment_id": sent.experiment_id,
        "estimates": digest_file(run / "estimates.parquet"),
        "runs": [asdict(found) for found in sent.runs],
    }
    _write(run, {"send": memory["send"], "sent": [*others, entry]})


def _write(run: Path, memory: dict[str, Any]) -> None:
    write_file(run / "track.json", json.dumps(memory, indent=2) + "\n")
