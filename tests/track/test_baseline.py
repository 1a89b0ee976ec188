"""A baseline comes back from a server whole, and a verdict goes there."""

from __future__ import annotations

from mlflow.tracking import MlflowClient

from bench.folder import RunFolder
from bench.track.baseline import fetch_baseline
from bench.track.send import send
from bench.track.verdict import Release, find_place, record
from tests.gate.conftest import score, write


def test_a_run_is_rebuilt_from_a_server_and_released_on_a_pass(server, tmp_path):
    write(tmp_path)
    for name in ("old", "new"):
        score(tmp_path, name)
    old, new = (RunFolder(tmp_path / name) for name in ("old", "new"))
    (first,), (second,) = (send(run.path, server).runs for run in (old, new))
    client = MlflowClient(server)
    client.create_registered_model("gated")
    for made in (first, second):
        source = client.get_run(made.parent).info.artifact_uri
        client.create_model_version("gated", source, made.parent)
    client.set_registered_model_alias("gated", "released", "1")

    for reference in (first.parent, first.children["T clean"], "models:/gated@released", "models:/gated/1"):
        found = fetch_baseline(reference, server, new, tmp_path / reference[-8:])
        assert found.run_id == first.parent
        assert found.run.plan == old.plan
        (mine,), (own,) = found.run.cells(), old.cells()
        assert mine.predictions.read_bytes() == own.predictions.read_bytes()
        assert mine.facts == own.facts
        assert found.run.targets("T").digest == old.targets("T").digest

    place = find_place(new, "new", server, Release("gated", "2", "released"))
    assert record(place, {"": "fail"}, passed=False).moved is False
    assert client.get_model_version_by_alias("gated", "released").version == "1"
    assert record(place, {"": "pass"}, passed=True).moved is True
    assert client.get_model_version_by_alias("gated", "released").version == "2"
    assert client.get_run(second.parent).data.tags["affectbench.gate"] == "pass"
    tags = client.get_model_version("gated", "2").tags
    assert tags == {"affectbench.gate": "pass", "affectbench.run": second.parent}
