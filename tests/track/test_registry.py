"""Weights come out of a real registry by alias or version, byte for byte, and nothing else does."""

from __future__ import annotations

import pytest
from mlflow.tracking import MlflowClient

from bench.errors import UserError
from bench.track import TrackError, Unreachable
from bench.track.registry import fetch


def register(uri: str, name: str, files: dict[str, bytes], tmp_path, tags: dict[str, str]) -> str:
    """Register the files as the next version of a model and give it the alias ``candidate``."""
    client = MlflowClient(uri)
    location = None if uri.startswith("http") else (tmp_path / "registry").as_uri()
    experiment = client.create_experiment(f"training-{name}", artifact_location=location)
    run = client.create_run(experiment)
    for path, data in files.items():
        local = tmp_path / "upload" / path
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_bytes(data)
        folder = "weights" if "/" not in path else f"weights/{path.rsplit('/', 1)[0]}"
        client.log_artifact(run.info.run_id, str(local), folder)
    client.create_registered_model(name)
    source = f"{run.info.artifact_uri}/weights"
    version = client.create_model_version(name, source, run.info.run_id, tags=tags)
    client.set_registered_model_alias(name, "candidate", version.version)
    return str(version.version)


def test_an_alias_and_a_version_lead_to_the_same_file(store, tmp_path):
    files = {"model.safetensors": b"numbers", "README.md": b"about", "deep/er/notes.txt": b"x"}
    register(store, "fer", files, tmp_path, {"affectbench.entry": "mini-xception"})
    found = fetch("models:/fer@candidate", store, tmp_path / "cache")
    assert (found.name, found.version, found.entry) == ("fer", "1", "mini-xception")
    assert found.weights == tmp_path / "cache" / "fer-1.safetensors"
    assert found.weights.read_bytes() == b"numbers"
    assert fetch("models:/fer/1", store, tmp_path / "cache") == found
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["fer-1.safetensors"]


def test_a_file_in_a_folder_is_found_and_the_models_tag_stands_in(sqlite, tmp_path, monkeypatch):
    files = {"data/net.H5": b"tensors", ".hidden.pt": b"no", "code.py": b"raise SystemExit"}
    register(sqlite, "fer", files, tmp_path, {})
    MlflowClient(sqlite).set_registered_model_tag("fer", "affectbench.entry", "private")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite)
    found = fetch("models:/fer@candidate", None, tmp_path / "cache")
    assert (found.entry, found.weights.name) == ("private", "fer-1.H5")
    assert found.weights.read_bytes() == b"tensors"


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("models:/fer", "this is not a registry URI"),
        ("models:/fer/latest", "this is not a registry URI"),
        ("models:/../fer@x", "this is not a registry URI"),
        ("models:/a\\b/1", "this is not a registry URI"),
        ("models:/fer@nobody", "the registry does not have it"),
        ("models:/fer/7", "the registry does not have it"),
        ("models:/nobody@candidate", "the registry does not have it"),
        ("models:/fer@candidate", "version 1 has no tag 'affectbench.entry'.*set_model_version_tag"),
    ],
)
def test_what_cannot_be_resolved_is_the_users_to_change(sqlite, tmp_path, uri, text):
    register(sqlite, "fer", {"a.pt": b"x"}, tmp_path, {})
    with pytest.raises(UserError, match=text):
        fetch(uri, sqlite, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"a.pkl": b"x"}, r"it holds 0 weights files \(a\.pkl\)"),
        ({"a.pt": b"x", "more/b.onnx": b"y"}, r"it holds 2 weights files \(a\.pt, more/b\.onnx\)"),
    ],
)
def test_exactly_one_weights_file(store, tmp_path, files, text):
    name = f"model-{len(files)}"
    register(store, name, files, tmp_path, {"affectbench.entry": "mini-xception"})
    with pytest.raises(UserError, match=text):
        fetch(f"models:/{name}@candidate", store, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_listed_paths_never_leave_the_version(sqlite, tmp_path, monkeypatch):
    import mlflow.artifacts
    from mlflow.entities import FileInfo

    register(sqlite, "fer", {"a.pt": b"x"}, tmp_path, {"affectbench.entry": "mini-xception"})
    hostile = [
        FileInfo("../../b.pt", is_dir=False, file_size=1),
        FileInfo("..", is_dir=True, file_size=None),
        FileInfo("%2e%2e", is_dir=True, file_size=None),
        FileInfo("/etc/.passwd.pt", is_dir=False, file_size=1),
    ]
    asked = []

    def listing(uri, tracking_uri=None):
        asked.append(uri)
        return hostile

    monkeypatch.setattr(mlflow.artifacts, "list_artifacts", listing)
    secret = next((tmp_path / "registry").iterdir()) / "b.pt"  # two folders above the version
    secret.write_bytes(b"secret")
    with pytest.raises(TrackError, match="--weights FILE"):  # asked for b.pt inside, where there is none
        fetch("models:/fer@candidate", sqlite, tmp_path / "cache")
    assert len(asked) == 1
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_a_server_nothing_is_guessed(tmp_path, closed_port, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no MLflow server is named"):
        fetch("models:/fer@x", None, tmp_path / "cache")
    with pytest.raises(Unreachable, match="--weights FILE"):
        fetch("models:/fer@x", f"http://127.0.0.1:{closed_port}", tmp_path / "cache")
    assert list(tmp_path.iterdir()) == []
