"""A bundle as it is made: what is in it, that it can be made again, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import subprocess
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.digest import digest_json
from bench.errors import UserError
from bench.evidence.aggregates import reduced_plan
from bench.evidence.encryption import decrypt, read_identities
from bench.evidence.keys import read_public_key
from bench.evidence.make import bundle
from bench.folder import RunFolder
from tests.evidence.conftest import FEW, PEOPLE, PLACE, Bundles, Keys, called, invoke, subject


@pytest.fixture(scope="module")
def opened(bundles: Bundles, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The internal bundle as any zip program sees it, once it is decrypted."""
    plain = tmp_path_factory.mktemp("plain") / "internal.zip"
    with plain.open("wb") as sink:
        decrypt(bundles.internal, sink, read_identities(keys.identity))
    return zipfile.ZipFile(plain)


def test_internal_holds_every_file_of_the_run_and_the_lock(opened: zipfile.ZipFile, scored: Path) -> None:
    run = scored / "run"
    there = {p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file()} - {".lock"}
    assert {*opened.namelist()} == there | {"manifest.json", "manifest.sig", "signer.pem", "lock.json"}
    assert {"curves.parquet", "report.html", "judged.json", "targets/people.parquet"} <= there
    assert all(opened.read(name) == (run / name).read_bytes() for name in there)
    assert opened.read("lock.json") == (scored / "LOCK.json").read_bytes()


def test_the_manifest_names_every_file_with_its_digest(opened: zipfile.ZipFile) -> None:
    manifest = json.loads(opened.read("manifest.json"))
    stated = {file["path"]: (file["size"], file["sha256"]) for file in manifest["files"]}
    rest = [name for name in opened.namelist() if not name.startswith("manifest.")]
    assert stated == {
        name: (len(opened.read(name)), hashlib.sha256(opened.read(name)).hexdigest()) for name in rest
    }
    of = {file["path"]: file["of"] for file in manifest["files"]}
    tables = ["run.json", "targets/people.parquet", "cells/mine/people/clean/predictions.parquet"]
    assert of["estimates.parquet"] == of["curves.parquet"] == tables
    assert of["cells/mine/people/clean/cell.json"] == tables[2:]
    assert of["report.html"] == ["run.json", "estimates.parquet", "curves.parquet"]


def test_openssl_verifies_the_signature(opened: zipfile.ZipFile, keys: Keys, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl is installed")
    opened.extractall(tmp_path)
    words = [
        "pkeyutl", "-verify", "-pubin", "-inkey", "signer.pem", "-rawin", "-in", "manifest.json",
        "-sigfile", "manifest.sig",
    ]  # fmt: skip
    done = subprocess.run([openssl, *words], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "Signature Verified Successfully")
    assert (tmp_path / "signer.pem").read_bytes() == keys.public.read_bytes()
    der = subprocess.run(
        [openssl, "pkey", "-pubin", "-in", "signer.pem", "-outform", "DER"], cwd=tmp_path, capture_output=True
    )
    named = json.loads((tmp_path / "manifest.json").read_text())["signer"]
    assert named == hashlib.sha256(der.stdout).hexdigest()


def test_the_same_run_gives_the_same_bytes(
    bundles: Bundles, scored: Path, keys: Keys, tmp_path: Path
) -> None:
    elsewhere = shutil.copytree(scored / "run", tmp_path / "elsewhere")
    again = tmp_path / "again.affectbench"
    bundle(RunFolder(elsewhere), "external", again, keys.signing, None, scored / "LOCK.json")
    assert again.read_bytes() == bundles.external.read_bytes()


def test_external_holds_nothing_of_persons(bundles: Bundles, scored: Path) -> None:
    with zipfile.ZipFile(bundles.external) as file:
        held = {name: file.read(name) for name in file.namelist()}
    assert set(held) == {
        "manifest.json", "manifest.sig", "signer.pem", "plan.json", "cells.json", "derivable.json",
        "estimates.parquet", "curves.parquet", "judged.json", "report.html",
    }  # fmt: skip
    tables = [pq.read_table(pa.BufferReader(held[f"{name}.parquet"])) for name in ("estimates", "curves")]
    text = b"".join(held.values()).decode("utf-8", "replace") + "".join(str(t.to_pylist()) for t in tables)
    assert not [subject(p) for p in range(PEOPLE) if subject(p) in text]
    assert str(scored) not in text
    assert PLACE in (scored / "run" / "run.json").read_text()
    assert PLACE not in text
    cells = json.loads(held["cells.json"])
    assert [set(cell) & {"statuses"} for cell in cells] == [set()]
    assert cells[0]["rows"] == PEOPLE * 8


def test_external_states_the_digests_of_what_it_does_not_hold(bundles: Bundles, scored: Path) -> None:
    with zipfile.ZipFile(bundles.external) as file:
        manifest = json.loads(file.read("manifest.json"))
    elsewhere = {each["path"]: each["sha256"] for each in manifest["elsewhere"]}
    assert elsewhere == {
        name: hashlib.sha256((scored / "run" / name).read_bytes()).hexdigest()
        for name in (
            "run.json", "targets/people.parquet", "cells/mine/people/clean/predictions.parquet",
            "cells/mine/people/clean/cell.json",
        )
    }  # fmt: skip


def test_suppressed_rows_are_there_without_numbers(bundles: Bundles) -> None:
    with zipfile.ZipFile(bundles.external) as file:
        rows = pq.read_table(pa.BufferReader(file.read("estimates.parquet"))).to_pylist()
        derivable = json.loads(file.read("derivable.json"))
    hidden = [row for row in rows if row["status"] == "suppressed"]
    assert {row["value"] for row in hidden} >= {"withheld-kind"}
    assert FEW < 5
    assert all(
        row[name] is None for row in hidden for name in ("estimate", "low", "high", "n", "clusters", "p")
    )
    follow, need = (
        sum(derivable[key].values()) for key in ("follow_from_other_estimates", "need_targets_and_cells")
    )
    assert derivable["withheld"] == len(hidden) > 0
    assert follow + need + len(hidden) == len(rows)


def test_it_says_what_is_left_out(copy: Path, keys: Keys, tmp_path: Path) -> None:
    (copy / "notes.txt").write_text("mine")
    out = tmp_path / "e.affectbench"
    said = called("audit", copy, "--bundle", "external", "--out", out, "--sign", keys.sign)
    assert "left out       notes.txt: no part of the run" in said.splitlines()
    assert "notes.txt" not in zipfile.ZipFile(out).namelist()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_pages_of_an_audit_go_with_the_run(copy: Path, keys: Keys, tmp_path: Path) -> None:
    for name in ("audit.html", "audit.md", "audit.json", "audit.pdf"):
        (copy / name).write_text("a page")
    called("audit", copy, "--bundle", "external", "--out", tmp_path / "e", "--sign", keys.sign)
    assert {"audit.html", "audit.md", "audit.json", "audit.pdf"} <= {
        *zipfile.ZipFile(tmp_path / "e").namelist()
    }


def refused(folder: Path, words: tuple[object, ...]) -> str:
    """What the program says, with exit code 2 and nothing written; paths below the folder are cut."""
    before = {path for path in folder.rglob("*") if path.name != ".lock"}
    done = invoke("audit", *words)
    assert done.exit_code == 1  # the runner's code of an exception; main() makes it 2 for a UserError
    assert getattr(done.exception, "exit_code", None) == 2, (done.output, done.exception)
    assert {path for path in folder.rglob("*") if path.name != ".lock"} == before
    return str(done.exception).replace(f"{folder}/", "")


def test_what_cannot_be_bundled_is_refused(copy: Path, scored: Path, keys: Keys, tmp_path: Path) -> None:
    made = (copy, "--bundle", "external", "--out", tmp_path / "e", "--sign", keys.sign)
    inside = (copy, "--bundle", "internal", "--out", tmp_path / "e", "--sign", keys.sign)
    assert refused(tmp_path, made[:5]) == (
        "--sign: it is not given. A bundle is a new file, and signed: --out FILE --sign KEY.pem. "
        "Give --sign; 'affectbench key new FILE' makes a key."
    )
    assert refused(tmp_path, (copy, "--bundle", "both")) == (
        "--bundle: 'both' is no kind of bundle. internal or external. Give one of them."
    )
    assert refused(tmp_path, inside).startswith(
        "--bundle internal: there is nobody to open it. It holds rows"
    )
    assert refused(tmp_path, (*made, "--recipient", keys.recipient)) == (
        "--recipient: it has nothing to do here. An external bundle holds nothing of single persons and is not "
        "encrypted. Leave it out, or see 'affectbench audit --help'."
    )
    assert refused(tmp_path, (copy, "--sign", keys.sign)).startswith("--sign: it has nothing to do here.")
    assert refused(tmp_path, (*made, "--verify-key", keys.public)).startswith("--verify-key: it has nothing")
    (tmp_path / "e").write_text("there")
    assert (
        refused(tmp_path, made)
        == "e: it is there already. Evidence is never written over. Choose another --out."
    )
    (tmp_path / "e").unlink()
    lock = json.loads((scored / "LOCK.json").read_text()) | {"time": "2025-01-01T00:00:00Z"}
    lock["lock"] = digest_json({name: value for name, value in lock.items() if name != "lock"})
    (tmp_path / "L.json").write_text(json.dumps(lock))
    assert refused(tmp_path, (*made, "--lock", tmp_path / "L.json")) == (
        "--lock: the run was given another lock. The lock that the run was given. Leave it out, or give that one."
    )


def test_a_run_that_was_changed_is_refused(copy: Path, keys: Keys, tmp_path: Path) -> None:
    made = (copy, "--bundle", "external", "--out", tmp_path / "e", "--sign", keys.sign)
    plan = (copy / "run.json").read_text()
    (copy / "run.json").write_text(plan.replace('"seed": 0', '"seed": 1'))
    assert refused(tmp_path, made).startswith(
        "run: plan, estimates, curves, latencies or report were changed."
    )
    (copy / "run.json").write_text(plan)
    predictions = copy / "cells" / "mine" / "people" / "clean" / "predictions.parquet"
    pq.write_table(pq.read_table(predictions), predictions, compression="none")
    assert "1 of 1 cell is unfinished or changed" in refused(tmp_path, made)


def test_names_that_act_on_a_terminal_are_refused(copy: Path, keys: Keys, tmp_path: Path) -> None:
    plan = json.loads((copy / "run.json").read_text())
    plan["models"][0]["name"] = "mine\x1b[2J"
    (copy / "run.json").write_text(json.dumps(plan))
    RunFolder(copy).seal()
    made = (copy, "--bundle", "external", "--out", tmp_path / "e", "--sign", keys.sign)
    assert "or has names with control characters" in refused(tmp_path, made)


def test_a_file_that_is_a_link_is_refused(copy: Path, keys: Keys, tmp_path: Path) -> None:
    (copy / "audit.md").symlink_to(keys.sign)
    made = (copy, "--bundle", "external", "--out", tmp_path / "e", "--sign", keys.sign)
    assert refused(tmp_path, made).startswith("run/audit.md: it is a link.")


def test_a_suppressed_row_with_a_number_never_leaves(copy: Path, keys: Keys, tmp_path: Path) -> None:
    table = pq.read_table(copy / "estimates.parquet")
    rows = [r | {"null_mean": 0.5} if r["status"] == "suppressed" else r for r in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, table.schema), copy / "estimates.parquet")
    RunFolder(copy).seal()
    made = (copy, "--bundle", "external", "--out", tmp_path / "e", "--sign", keys.sign)
    assert refused(tmp_path, made) == (
        "estimates.parquet: suppressed rows have numbers in the column 'null_mean'. An external bundle holds "
        "aggregates and nothing of single persons. Judge the run anew with 'affectbench report RUN'."
    )


@pytest.mark.parametrize("code", ["s{}", "participant-{}"])
def test_a_slice_of_names_never_leaves(code: str, tmp_path: Path, keys: Keys) -> None:
    lines = [
        f"t{n},s{n // 4},{('fear', 'anger')[n % 2]},{code.format(n // 4)},{n // 4 % 6}" for n in range(80)
    ]
    (tmp_path / "T.csv").write_text("\n".join(["target,subject,label,who,decade", *lines]) + "\n")
    said = [f"t{n},fear" for n in range(80)]
    (tmp_path / "P.csv").write_text("\n".join(["target,predicted", *said]) + "\n")
    called(
        "score", "--targets", tmp_path / "T.csv", "--predictions", f"m={tmp_path}/P.csv", "--slice", "who",
        "--slice", "decade", "--metric", "accuracy", "--out", tmp_path / "run", "--tracking-uri", "off", "--quiet",
    )  # fmt: skip
    made = (tmp_path / "run", "--bundle", "external", "--out", tmp_path / "e", "--sign", keys.sign)
    assert refused(tmp_path, made).startswith("T: each value of the slice 'who' is of one subject.")


def test_paths_are_cut_from_a_plan(scored: Path) -> None:
    plan = RunFolder(scored / "run").plan
    plan["models"][0] |= {
        "origin": "/home/lovelace/best.pt",
        "checkpoint": "C:\\lovelace\\best.pt",
        "secret": "mine",
    }
    plan["root"] = "/home/lovelace"
    plan["suite"]["data"][0]["targets"] = "lovelace/T.csv"
    plan["lock"] |= {"followed": False, "differs": 'data of the suite: "lovelace/T.csv" is added'}
    found = json.loads(reduced_plan(plan))
    assert "lovelace" not in json.dumps(found).lower()
    assert found["models"][0]["origin"] == found["models"][0]["checkpoint"] == "best.pt"
    assert found["lock"]["differs"] == "data of the suite"
    assert not {"secret", "root"} & {*found, *found["models"][0]}


def test_a_run_sealed_before_its_plan_was_is_still_read(copy: Path) -> None:
    judged = json.loads((copy / "judged.json").read_text())
    assert judged.pop("run_sha256") == hashlib.sha256((copy / "run.json").read_bytes()).hexdigest()
    (copy / "judged.json").write_text(json.dumps(judged))
    RunFolder(copy).require_sealed()
    (copy / "report.html").write_text("changed")
    with pytest.raises(UserError, match="plan, estimates, curves, latencies or report were changed"):
        RunFolder(copy).require_sealed()


def test_the_public_half_is_what_verifies(keys: Keys, bundles: Bundles) -> None:
    with zipfile.ZipFile(bundles.external) as file:
        read_public_key(keys.public).verify(file.read("manifest.sig"), file.read("manifest.json"))


def test_calls_that_were_timed_stay_with_the_rows(copy: Path, keys: Keys, tmp_path: Path) -> None:
    """What was measured names targets: an internal bundle holds it, an external one its digest alone."""
    run = RunFolder(copy)
    run.latency.write_text('[{"target": "s01-0"}]', encoding="utf-8")
    run.seal()
    made = tmp_path / "run.evidence"
    bundle(run, "external", made, keys.signing, None, None)
    with zipfile.ZipFile(made) as file:
        manifest = json.loads(file.read("manifest.json"))
        assert "latency.json" not in file.namelist()
    assert "latency.json" in [each["path"] for each in manifest["elsewhere"]]
    assert "results are those that the run was judged with (5 checked): yes" in called("audit", made)
    run.latency.write_text("[]", encoding="utf-8")
    again = (copy, "--bundle", "external", "--out", tmp_path / "e", "--sign", keys.sign)
    assert refused(tmp_path, again).startswith("run: plan, estimates, curves, latencies or report")
