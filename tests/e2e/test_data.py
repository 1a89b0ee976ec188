"""``affectbench data write`` from the outside: what it writes, and that it replaces nothing."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.conftest import Affectbench


def write_faces(root: Path, emotions: str) -> None:
    """A table as of FER2013, of blank faces."""
    pixels = " ".join(["7"] * 48 * 48)
    rows = [f"{emotion},{pixels},PrivateTest" for emotion in emotions]
    root.mkdir(exist_ok=True)
    (root / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")


def test_a_table_of_another_content_is_never_replaced(affectbench: Affectbench, tmp_path: Path) -> None:
    words = ("data", "write", "fer2013=faces", "--out", "tables")
    write_faces(tmp_path / "faces", "036")
    first = affectbench(*words, cwd=tmp_path)
    assert (first.returncode, first.stdout) == (0, "tables/targets.parquet: 3 targets\n"), first.stderr
    written = (tmp_path / "tables" / "targets.parquet").read_bytes()

    again = affectbench(*words, cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert (tmp_path / "tables" / "targets.parquet").read_bytes() == written

    write_faces(tmp_path / "faces", "035")
    other = affectbench(*words, cwd=tmp_path)
    assert (other.returncode, other.stdout) == (2, "")
    assert other.stderr == (
        "error: tables: it holds targets.parquet with another content. A table is written where none is, or again "
        "where it would be the same. Choose another --out.\n"
    )
    assert (tmp_path / "tables" / "targets.parquet").read_bytes() == written
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == ["targets.parquet"]
