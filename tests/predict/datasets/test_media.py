from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest

from bench.errors import UserError
from bench.predict.datasets import digest_media, media_path, require_media
from bench.spec import Facts
from bench.tables import Targets, validate_targets

A, B = hashlib.sha256(b"a").hexdigest(), hashlib.sha256(b"b").hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.png").write_bytes(b"a")
    (folder / "sub" / "b.png").write_bytes(b"b")
    (tmp_path / "secret.png").write_bytes(b"s")
    return folder


def make(root: Path | None, **columns: object) -> Targets:
    rows = len(next(iter(columns.values())))  # type: ignore[call-overload]
    table = pa.table({"target": [str(n) for n in range(rows)], **columns})
    return validate_targets(table, Facts(name="mine"), "T", root)


@pytest.mark.parametrize("media", ["../secret.png", "sub/../../secret.png", "/etc/passwd", "a\0.png"])
def test_path_that_leaves_the_root(root: Path, media: str) -> None:
    with pytest.raises(UserError, match=r"T row 2: path .* leaves the data folder. Paths are relative to"):
        require_media(make(root, media=["a.png", media]))
    with pytest.raises(UserError, match="leaves the data folder"):
        digest_media(make(root, media=["a.png", media]))


def test_link_that_leaves_the_root(root: Path, tmp_path: Path) -> None:
    (root / "file.png").symlink_to(tmp_path / "secret.png")
    (root / "folder").symlink_to(tmp_path)
    (root / "inner.png").symlink_to(root / "a.png")
    for media in ("file.png", "folder/secret.png"):
        with pytest.raises(UserError) as caught:
            media_path(root, media, "T row 1")
        assert str(caught.value) == (
            f"T row 1: path {media!r} is, or passes, a link that leads out of the data folder, to "
            f"'{tmp_path}/secret.png'. The files themselves lie in {root}. Copy them there, or give the folder "
            "they lie in (--root DIR with --targets, NAME=DIR with --data)."
        )
    assert media_path(root, "inner.png", "T row 1") == root / "inner.png"


def test_root_may_itself_be_a_link_or_relative(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(root)
    require_media(make(tmp_path / "link", media=["a.png", "sub/b.png"]))
    monkeypatch.chdir(tmp_path)
    require_media(make(Path("data"), media=["a.png"]))


def test_missing_media(root: Path) -> None:
    targets = make(root, media=["a.png", "none.png", "sub/b.png", "sub", None])
    with pytest.raises(UserError) as caught:
        require_media(targets)
    assert str(caught.value) == (
        f"T row 2: there is no file '{root}/none.png'; 3 of 5 rows lack their media. "
        f"Every row names a file under {root}. Fetch the missing files, correct the table, or give the folder "
        "they lie in (--root DIR with --targets, NAME=DIR with --data)."
    )


def test_rows_without_media(root: Path) -> None:
    with pytest.raises(UserError, match="T row 1: the row names no medium; 2 of 2 rows lack their media"):
        require_media(make(root, media=pa.nulls(2), label=["happy", "sad"]))
    with pytest.raises(UserError, match=r"T row 1: path 'a.png' has no folder.*--root DIR"):
        require_media(make(None, media=["a.png"]))


def test_a_table_without_the_column_says_which_and_what_it_has(root: Path) -> None:
    with pytest.raises(UserError) as caught:
        require_media(make(root, medium=["a.png", "a.png"], label=["happy", "sad"]))
    assert str(caught.value) == (
        "T: column 'media' is missing. Did you mean 'medium'? It has: label, medium, target. Add the column 'media' "
        "or rename one of these."
    )
    require_media(make(None, media_bytes=[b"a"]))


def test_sound_of_its_own_must_be_there_too(root: Path) -> None:
    require_media(make(root, media=["a.png", "a.png"], audio=["sub/b.png", None]))
    with pytest.raises(UserError, match=r"there is no file '.*none\.wav'; 1 of 1 row lacks its media"):
        require_media(make(root, media=["a.png"], audio=["none.wav"]))


def test_pointer_of_git_lfs_is_no_medium(root: Path) -> None:
    (root / "v.flv").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(UserError, match="is a git-lfs pointer, not the file itself"):
        require_media(make(root, media=["v.flv"]))
    (root / "large").write_bytes(b"version https://git-lfs.github.com/" + b"x" * 500)
    require_media(make(root, media=["large"]))


def test_digests_of_files_and_bytes(root: Path) -> None:
    targets = make(root, media=["a.png", "sub/b.png", None, "a.png"], media_bytes=[None, None, b"b", b"b"])
    assert digest_media(targets).table["sha256"].to_pylist() == [A, B, B, B]
    require_media(targets)
    only_bytes = make(None, media_bytes=[b"a", b"b"])
    assert digest_media(only_bytes).table["sha256"].to_pylist() == [A, B]
    sound = digest_media(make(root, media=["a.png", None], audio=[None, "sub/b.png"])).table
    assert sound["sha256"].to_pylist() == [A, None]
    assert sound["audio_sha256"].to_pylist() == [None, B]


def test_digest_of_the_targets_moves_with_the_content_of_a_file(root: Path) -> None:
    targets = make(root, media=["a.png"])
    before = digest_media(targets).digest
    (root / "a.png").write_bytes(b"c")
    assert digest_media(targets).digest != before


def test_no_media_at_all_needs_no_digests(root: Path) -> None:
    targets = make(root, label=["happy"])
    assert digest_media(targets).table.equals(targets.table)


def test_given_digests_are_checked(root: Path) -> None:
    same = make(root, media=["a.png", "sub/b.png"], sha256=[A.upper(), None])
    assert digest_media(same).table["sha256"].to_pylist() == [A, B]
    with pytest.raises(UserError) as caught:
        digest_media(make(root, media=["a.png", "sub/b.png"], sha256=[A, A]))
    assert str(caught.value) == (
        f"T row 2: 'sub/b.png' has sha256 {B}; the table says {A}. A medium is the one that was labelled. "
        "Fetch the file again, or correct the table if the file is right."
    )
    with pytest.raises(UserError, match=f"T row 1: the medium has sha256 {B}; the table says {A}"):
        digest_media(make(None, media_bytes=[b"b"], sha256=[A]))
    with pytest.raises(UserError, match=f"T row 1: the medium has sha256 none; the table says {A}"):
        digest_media(make(root, media=pa.array([None], pa.string()), sha256=[A]))
    with pytest.raises(UserError, match=f"'a.png' has sha256 {A}; the table says {B}"):
        digest_media(make(root, media=["a.png"], audio=["a.png"], audio_sha256=[B]))


def test_digest_of_a_file_that_is_not_there(root: Path) -> None:
    with pytest.raises(UserError, match=r"T row 2: there is no file '.*none\.png'"):
        digest_media(make(root, media=["a.png", "none.png"]))
