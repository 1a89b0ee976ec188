"""What is made again of a bundle that holds, and what is found where its signer signed what is not so."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.digest import canonical_json
from bench.evidence.container import MANIFEST, SIGNATURE, member, pack
from bench.evidence.derive import derive
from bench.evidence.keys import fingerprint, public_pem, read_signing_key
from bench.evidence.make import bundle
from bench.evidence.manifest import SIGNER
from bench.evidence.verify import opened
from bench.folder import RunFolder
from tests.evidence.conftest import PLACE, Bundles, Keys, called, invoke

INTACT = "intact: nothing was changed since that key signed it; who that is was not checked"
VERIFIED = "verified: nothing was changed since the key given signed it"
DIFFERS = "DOES NOT HOLD: the files are as signed, but not all numbers can be made again as they are"


def test_an_internal_bundle_is_made_again_whole(bundles: Bundles, keys: Keys, scored: Path) -> None:
    said = called("audit", bundles.internal, "--identity", keys.identity, "--verify-key", keys.public)
    lines = said.splitlines()
    assert lines[-1] == VERIFIED
    assert "lock           the one that the run was given" in lines
    alone = called("audit", scored / "run").splitlines()
    start = lines.index("recomputed     from targets and predictions:") + 1
    assert lines[start:-1] == alone
    assert alone[-1] == "agrees"


def test_whose_key_it_is_nobody_can_tell_without_it(bundles: Bundles, keys: Keys) -> None:
    lines = called("audit", bundles.external).splitlines()
    assert lines[-1] == INTACT
    assert lines[2].endswith(
        "whose key that is was not checked: give the signer's public key with --verify-key"
    )
    done = invoke("audit", bundles.external, "--verify-key", keys.other_public)
    mine, other = (fingerprint(read_signing_key(k).public_key()) for k in (keys.sign, keys.other))
    assert done.exit_code == 1
    assert done.output.splitlines()[0] == (
        f"signer.pem: {mine} signed it, and not the key given, {other}: whose signature it is cannot be told"
    )
    assert done.output.splitlines()[-1] == "DOES NOT HOLD: 1 fault"


def test_external_alone_says_what_needs_targets_and_cells(bundles: Bundles, scored: Path) -> None:
    lines = called("audit", bundles.external).splitlines()
    rows = pq.read_table(scored / "run" / "estimates.parquet").to_pylist()
    withheld = sum(row["status"] == "suppressed" for row in rows)
    found = json.loads(called("audit", bundles.external, "--json"))
    follow, need = found["follow_from_other_estimates"], found["need_targets_and_cells"]
    assert sum(follow.values()) + sum(need.values()) + withheld == len(rows)
    assert {name.split()[0] for name in need} >= {"value"}
    assert f"withheld       {withheld} estimates: not looked at" in lines
    assert any(
        line.startswith(f"not recomputed {sum(need.values())} need --targets and --cells") for line in lines
    )
    assert (found["holds"], found["signer_vouched"], found["audit"]) == (True, False, None)


def test_external_with_targets(bundles: Bundles, scored: Path) -> None:
    for targets in (scored / PLACE / "T.csv", scored / "run" / "targets" / "people.parquet"):
        lines = called("audit", bundles.external, "--targets", targets).splitlines()
        assert "invariant      slices have the values of the targets (1 checked): yes" in lines
        assert any(line.startswith("invariant      values of few people are withheld") for line in lines)
        assert lines[-1] == INTACT


def test_external_with_targets_and_cells_is_made_again_whole(bundles: Bundles, scored: Path) -> None:
    given = ("--targets", f"people={scored / PLACE / 'T.csv'}", "--cells", scored / "run" / "cells")
    lines = called("audit", bundles.external, *given).splitlines()
    start = lines.index("recomputed     from targets and predictions:") + 1
    assert lines[start:-1] == called("audit", scored / "run").splitlines()


def test_other_targets_and_cells_are_no_evidence(bundles: Bundles, scored: Path, tmp_path: Path) -> None:
    text = (scored / PLACE / "T.csv").read_text().replace(",f,", ",m,", 1)
    (tmp_path / "T.csv").write_text(text)
    done = invoke("audit", bundles.external, "--targets", tmp_path / "T.csv")
    assert done.exit_code == 1
    assert done.output.startswith(f"{tmp_path}/T.csv: its digest is ")
    assert done.output.splitlines()[0].endswith(": it is not used, and nothing is made again of it")
    assert done.output.splitlines()[-1] == DIFFERS
    cells = Path(shutil.copytree(scored / "run" / "cells", tmp_path / "cells"))
    changed = cells / "mine" / "people" / "clean" / "predictions.parquet"
    pq.write_table(pq.read_table(changed), changed, compression="none")
    given = ("--targets", scored / PLACE / "T.csv", "--cells", cells)
    done = invoke("audit", bundles.external, *given)
    assert done.exit_code == 1
    assert done.output.splitlines()[0] == (
        f"{changed}: its digest differs from the one of cells/mine/people/clean/predictions.parquet that was "
        "signed: it is not used, and nothing is made again of it"
    )


def test_what_does_not_fit_is_refused(bundles: Bundles, keys: Keys, scored: Path, tmp_path: Path) -> None:
    def refused(*words: object) -> str:
        done = invoke("audit", *words)
        assert getattr(done.exception, "exit_code", None) == 2, done.output
        return str(done.exception)

    external, targets = bundles.external, scored / PLACE / "T.csv"
    assert refused(external, "--targets", f"else={targets}") == (
        "--targets: else is no data set of the bundle. It has: people. Give NAME=FILE with one of these."
    )
    # Of two files none is looked at in place of the other.
    assert refused(external, "--targets", targets, "--targets", f"people={targets}") == (
        "--targets: there are two of people. Each data set has one. Leave one out."
    )
    assert refused(external, "--cells", scored / "run" / "cells") == (
        "--cells: there are no targets of people. Cells are held against their targets. "
        "Give --targets NAME=FILE for each data set."
    )
    assert refused(external, "--targets", targets, "--cells", tmp_path).startswith(
        f"--cells {tmp_path}: there is no mine/people/clean/"
    )
    internal = (bundles.internal, "--identity", keys.identity)
    assert refused(*internal, "--cells", tmp_path).startswith("--cells: the bundle is internal.")
    assert refused(*internal, "--targets", targets).startswith("--targets: the bundle is internal.")
    assert refused(bundles.internal) == (
        f"{bundles.internal}: the bundle is encrypted with a key. It opens with --identity FILE. "
        "Give --identity FILE."
    )
    assert refused(bundles.internal, "--identity", keys.other_identity) == (
        f"{bundles.internal}: what was given does not open it: it is for another key, or its header was "
        "changed. The key or passphrase that it was encrypted for. Give that, or get the bundle again."
    )
    assert refused(external, "--identity", keys.identity).startswith(
        f"{external}: the bundle is not encrypted."
    )
    assert refused(external, "--sign", keys.sign).startswith("--sign: it has nothing to do here. A file is")
    assert refused(external, "--bundle", "external", "--out", tmp_path / "b", "--sign", keys.sign).startswith(
        f"{external}: there is no readable run.json."
    )
    (tmp_path / "words.txt").write_text("words")
    assert refused(tmp_path / "words.txt") == (
        f"{tmp_path}/words.txt: this is no bundle, or its first bytes were changed: it begins neither as a zip "
        "file nor as an age file. A bundle is a file that 'affectbench audit RUN --bundle' wrote. Correct the "
        "path, or get it again."
    )
    shutil.make_archive(str(tmp_path / "other"), "zip", scored / PLACE)
    assert "its first member is not manifest.json" in refused(tmp_path / "other.zip")
    assert refused(tmp_path / "none").startswith(f"{tmp_path}/none: it cannot be read: No such file")


def resigned(
    source: Path,
    change: Callable[[dict[str, bytes]], None],
    key: Path,
    to: Path,
    fields: dict[str, Any] | None = None,
) -> Path:
    """A bundle with other content, whose manifest says so, signed by a key: what a dishonest signer makes."""
    with opened(source, None, None) as held:
        content = {name: (held.folder / name).read_bytes() for name in held.files}
    manifest = json.loads(content[MANIFEST])
    change(content)
    secret = read_signing_key(key)
    content[SIGNER] = public_pem(secret.public_key())
    members = [member(n, data) for n, data in content.items() if n not in (MANIFEST, SIGNATURE)]
    manifest["files"] = [{"path": m.path, "size": m.size, "sha256": m.sha256, "of": []} for m in members]
    manifest |= {"signer": fingerprint(secret.public_key())} | (fields or {})
    data = canonical_json(manifest).encode()
    with to.open("wb") as file:
        pack([*members, member(MANIFEST, data), member(SIGNATURE, secret.sign(data))], file)
    return to


def better(content: dict[str, bytes]) -> None:
    """A gap is made smaller than its values are apart."""
    table = pq.read_table(pa.BufferReader(content["estimates.parquet"]))
    rows = table.to_pylist()
    gap = next(
        r
        for r in rows
        if (r["kind"], r["slice"], r["metric"], r["reference"]) == ("gap", "sex", "accuracy", None)
    )
    gap["estimate"] /= 2
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, table.schema), sink)
    content["estimates.parquet"] = sink.getvalue().to_pybytes()


def test_a_number_that_does_not_follow_is_found_though_it_is_signed(
    bundles: Bundles, keys: Keys, tmp_path: Path
) -> None:
    path = resigned(bundles.external, better, keys.sign, tmp_path / "b")
    done = invoke("audit", path, "--verify-key", keys.public)
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert (
        sum(
            line.startswith("NO             mine / people / clean / sex: accuracy gap estimate is ")
            for line in lines
        )
        == 1
    )
    assert lines[-1] == DIFFERS


def test_a_bundle_signed_anew_by_another_is_not_the_signers(
    bundles: Bundles, keys: Keys, tmp_path: Path
) -> None:
    path = resigned(bundles.external, lambda content: None, keys.other, tmp_path / "b")
    assert called("audit", path).splitlines()[-1] == INTACT
    done = invoke("audit", path, "--verify-key", keys.public)
    assert (done.exit_code, done.output.splitlines()[-1]) == (1, "DOES NOT HOLD: 1 fault")


def drop(name: str) -> Callable[[dict[str, bytes]], None]:
    return lambda content: content.pop(name) and None


def put(name: str, data: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda content: content.update({name: data})


def nulls(rows: int) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": pa.nulls(rows)}), sink)
    return bytes(sink.getvalue().to_pybytes())


def other_predictions(content: dict[str, bytes]) -> None:
    cells = json.loads(content["cells.json"])
    cells[0]["predictions_sha256"] = "0" * 64
    content["cells.json"] = canonical_json(cells).encode()


def renamed(content: dict[str, bytes]) -> None:
    plan = json.loads(content["plan.json"])
    plan["models"][0]["name"] = "m\x1b[2J"
    content["plan.json"] = canonical_json(plan).encode()


UNSOUND: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "no plan": (drop("plan.json"), "plan.json: an external bundle needs it, and the manifest has it not: "),
    "no estimates": (drop("estimates.parquet"), "estimates.parquet: an external bundle needs it, and the "),
    "a damaged table": (put("estimates.parquet", b"PAR1"), "estimates.parquet: it is signed as it is, but is no table that can be read: "),
    "other columns": (put("estimates.parquet", nulls(3)), "estimates.parquet: it has other columns than this version of affectbench: "),
    "a table that grows": (put("curves.parquet", nulls(100_000_001)), "curves.parquet: it would grow to 100,000,001 rows and "),
    "no JSON": (put("plan.json", b"{"), "plan.json: it is signed as it is, but is no plan of this version of affectbench: "),
    "deep JSON": (put("plan.json", b"[" * 100_000), "plan.json: it is signed as it is, but is no plan of this "),
    "no cells": (put("cells.json", b"{}"), "plan.json: it is signed as it is, but is no plan of this version "),
    "rows": (put("targets/people.parquet", nulls(3)), "targets/people.parquet: an external bundle holds no such file: "),
    "another seal": (put("judged.json", b'{"estimates_sha256":"0"}'), "results are those that the run was judged with: NO. judged.json is of another estimates.parquet"),
    "no seal": (put("judged.json", b"{}"), "results are those that the run was judged with: NO. judged.json is no seal of a run"),
    "another report": (put("report.html", b"all is well"), "results are those that the run was judged with: NO. judged.json is of another report.html"),
    "more is said to follow": (put("derivable.json", b"{}"), "it says rightly what follows from it: NO. derivable.json says something else"),
    "other predictions": (other_predictions, "cells are of the predictions named: NO. mine / people / clean: predictions are others than"),
    "names that act on a terminal": (renamed, "plan.json: it is signed as it is, but is no plan of this "),
    "other cells": (put("cells.json", b"[]"), "plan.json: it has other cells than cells.json: "),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSOUND)
def test_what_is_signed_may_still_be_unsound(name: str, bundles: Bundles, keys: Keys, tmp_path: Path) -> None:
    change, words = UNSOUND[name]
    path = resigned(bundles.external, change, keys.sign, tmp_path / "b")
    done = invoke("audit", path, "--verify-key", keys.public)
    assert done.exit_code == 1, done.exception
    assert any(line.startswith(words) for line in done.output.splitlines()), done.output
    assert done.output.splitlines()[-1].startswith("DOES NOT HOLD: ")


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"kind": "evidence"}, "it is no manifest: kind: Input should be 'affectbench evidence'"),
        ({"format": 2}, "it is no manifest: format: Input should be 1"),
        ({"more": 1}, "it is no manifest: more: Extra inputs are not permitted"),
        ({"m\x1b[2J": 1}, "it is no manifest: m\\x1b[2J: Extra inputs are not permitted"),
        ({"affectbench": "0.1.0\nverified"}, "it is no manifest: affectbench: String should match pattern"),
        (
            {"elsewhere": [{"path": "../up", "size": 0, "sha256": "0" * 64, "of": []}]},
            "it is no manifest: elsewhere.0.path: Value error, this is no path in a bundle: it leads out of",
        ),
    ],
)
def test_a_manifest_of_another_kind_is_none(
    fields: dict[str, Any], found: str, bundles: Bundles, keys: Keys, tmp_path: Path
) -> None:
    path = resigned(bundles.external, lambda content: None, keys.sign, tmp_path / "b", fields)
    done = invoke("audit", path)
    assert done.exit_code == 1
    first = done.output.splitlines()[0]
    assert first.startswith(f"manifest.json: {found}")
    assert first.endswith(": no file of the bundle can be traced to who signed it")


def test_what_follows_under_conditions(ran: Path) -> None:
    found = derive(RunFolder(ran))
    assert found.differences == ()
    kinds = Counter(name.split()[0] for name in found.follow)
    assert {"gap", "degradation", "area", "worst"} <= set(kinds)
    assert {name.split()[0] for name in found.need_rows} >= {"value", "stability"}
    rows = pq.read_table(ran / "estimates.parquet").to_pylist()
    assert sum(found.follow.values()) + sum(found.need_rows.values()) + found.withheld == len(rows)


def test_a_degradation_by_hand(ran: Path, tmp_path: Path) -> None:
    """Clean less low light at severity 5, of all rows: as reported; and found once it is another."""
    table = pq.read_table(ran / "estimates.parquet")
    rows = table.to_pylist()

    def one(**named: Any) -> dict[str, Any]:
        found = [
            r
            for r in rows
            if all(r[k] == v for k, v in ({"metric": "accuracy", "slice": None} | named).items())
        ]
        assert len(found) == 1
        return dict(found[0])

    clean = one(kind="value", condition="clean")["estimate"]
    harmed = one(kind="value", condition="low_light", severity=5)["estimate"]
    lost = one(kind="degradation", condition="low_light", severity=5)
    np.testing.assert_allclose(lost["estimate"], clean - harmed, rtol=0, atol=1e-12)
    copy = Path(shutil.copytree(ran, tmp_path / "run"))
    changed = [r | {"estimate": r["estimate"] + 1e-6} if r == lost else r for r in rows]
    pq.write_table(pa.Table.from_pylist(changed, table.schema), copy / "estimates.parquet")
    differ = derive(RunFolder(copy)).differences
    assert {(d.row["kind"], d.row["severity"]) for d in differ} <= {
        ("degradation", 5),
        ("worst", None),
        ("worst", 5),
    }
    assert next(d for d in differ if d.row["kind"] == "degradation").size == pytest.approx(1e-6, rel=1e-6)


def test_runs_with_conditions_are_bundled_too(ran: Path, keys: Keys, tmp_path: Path) -> None:
    out = tmp_path / "b"
    made = bundle(RunFolder(ran), "external", out, keys.signing, None, None)
    assert made.manifest.lock is None
    cells = [
        f"cells/planted_bias@tint=cool,loss=0.25/drawn/{c}/"
        for c in ("clean", "low_light-1-frame", "low_light-5-frame")
    ]
    assert {
        f.path.rpartition("/")[0] + "/" for f in made.manifest.elsewhere if f.path.startswith("cells/")
    } == set(cells)
    given = ("--targets", ran / "targets" / "drawn.parquet", "--cells", ran / "cells")
    lines = called("audit", out, *given, "--verify-key", keys.public).splitlines()
    assert lines[-2:] == ["agrees", VERIFIED]
