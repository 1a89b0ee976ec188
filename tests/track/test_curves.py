"""Curves go along with the estimates where a run has them."""

from __future__ import annotations

from bench.track.content import read_contents


def test_curves_go_along_where_they_are(make_run):
    run = make_run()
    (parent,) = read_contents(run)[1]
    assert "curves.parquet" not in parent.files
    before = parent.uploads
    (run / "curves.parquet").write_bytes(b"curves")
    (parent,) = read_contents(run)[1]
    assert parent.files["curves.parquet"] == run / "curves.parquet"
    assert parent.uploads != before
    assert "curves.parquet" not in {name for child in parent.children for name in child.files}
