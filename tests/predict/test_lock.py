"""Weights count only by their digest, wherever they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.digest import digest_bytes
from bench.errors import UserError
from bench.predict.lock import Checkpoint, Lock, locate, pull, read_lock, verify_format

DATA = b"weights"
DIGEST = digest_bytes(DATA)


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    monkeypatch.setenv("AFFECTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AFFECTBENCH_WEIGHTS", raising=False)
    return Checkpoint(name="a", file="a.onnx", sha256=DIGEST, size=len(DATA), licence="MIT")


def test_found_by_digest_whatever_the_name(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locate(checkpoint, "m/weights.toml") is None
    folder = tmp_path / "elsewhere" / "deep"
    folder.mkdir(parents=True)
    (folder / "other.bin").write_bytes(DATA)
    (folder / "a.onnx").write_bytes(b"WEIGHTS")  # same name and size, another content
    monkeypatch.setenv("AFFECTBENCH_WEIGHTS", str(tmp_path / "elsewhere"))
    assert locate(checkpoint, "m/weights.toml") == folder / "other.bin"


def test_the_right_file_of_another_size_than_locked_is_named(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFFECTBENCH_WEIGHTS", str(tmp_path))
    (tmp_path / "mine.onnx").write_bytes(DATA)
    (tmp_path / "other.onnx").write_bytes(b"another")
    for url in (None, "https://example.org/a.onnx"):  # nothing is fetched either
        wrong = checkpoint.model_copy(update={"size": 152, "url": url})
        with pytest.raises(UserError) as error:
            pull(wrong, "m/weights.toml")
        assert str(error.value) == (
            f"m/weights.toml: {tmp_path}/mine.onnx has the sha256 of a.onnx, and 7 bytes where the lock says 152. The "
            "size is that of the file in bytes. Write 'size = 7' in the lock."
        )
    assert pull(checkpoint, "m/weights.toml") == tmp_path / "mine.onnx"


def test_a_download_longer_than_locked_says_so(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    import bench.predict.lock as lock

    monkeypatch.setattr(lock.urllib.request, "urlopen", lambda *_args, **_named: io.BytesIO(DATA))
    short = checkpoint.model_copy(update={"size": 4, "url": "https://example.org/a.onnx"})
    with pytest.raises(UserError) as error:
        pull(short, "m/weights.toml")
    assert error.value.found == (
        f"what came has sha256 {digest_bytes(DATA[:5])}, and more than the 4 bytes locked"
    )


def test_a_cached_file_with_another_digest_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    cached = tmp_path / "cache" / "weights" / DIGEST / "a.onnx"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"something else")
    with pytest.raises(UserError) as error:
        pull(checkpoint, "m/weights.toml")
    assert str(error.value) == (
        f"{cached}: the file has sha256 {digest_bytes(b'something else')}. m/weights.toml locks {DIGEST}. "
        "Delete the file to fetch it again."
    )
    cached.write_bytes(DATA)
    assert pull(checkpoint, "m/weights.toml") == cached


@pytest.mark.parametrize(
    ("folder", "shown"),
    [(None, "which is not set"), (".", "."), ("nowhere", "nowhere: there is no such folder")],
)
def test_what_cannot_be_fetched_says_what_to_do(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str | None, shown: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if folder is not None:
        monkeypatch.setenv("AFFECTBENCH_WEIGHTS", folder)
    with pytest.raises(UserError) as error:
        pull(checkpoint, "m/weights.toml")
    assert str(error.value) == (
        f"m/weights.toml: a.onnx (sha256 {DIGEST[:12]}…) is not on this machine and the lock names no address "
        f"to fetch it from. Weights are looked for by sha256 in AFFECTBENCH_WEIGHTS ({shown}) and in the cache "
        f"({tmp_path}/cache/weights). Set AFFECTBENCH_WEIGHTS to a folder that holds the file, or run 'affectbench zoo pull' with a network."
    )
    unreachable = checkpoint.model_copy(update={"url": "https://127.0.0.1:9/a.onnx"})
    with pytest.raises(UserError, match="fetching it failed"):
        pull(unreachable, "m/weights.toml")


def test_a_download_with_another_digest_is_not_kept(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bench.predict.lock as lock

    fetched = checkpoint.model_copy(update={"url": "https://example.org/a.onnx"})
    monkeypatch.setattr(lock, "_download", lambda _checkpoint, path: path.write_bytes(b"tampered"))
    with pytest.raises(UserError, match="what came has sha256"):
        pull(fetched, "m/weights.toml")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    monkeypatch.setattr(lock, "_download", lambda _checkpoint, path: path.write_bytes(DATA))
    assert pull(fetched, "m/weights.toml").read_bytes() == DATA


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("kind = model", "the file is not TOML"),
        ('kind = "robot"', "kind: "),
        ('[[checkpoint]]\nname = "a"', "checkpoint.0.file: "),
        ('[[checkpoint]]\nname="a"\nfile="../a"\nsha256="0"\nsize=1\nlicence="x"', "checkpoint.0.file: "),
    ],
)
def test_a_bad_lock_is_refused(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "weights.toml").write_text(text)
    with pytest.raises(UserError, match=found):
        read_lock(tmp_path / "weights.toml")


def test_checkpoints_are_chosen_by_name(checkpoint: Checkpoint) -> None:
    lock = Lock(default="a", checkpoint=(checkpoint,))
    assert lock.choose(None, "m") == lock.choose("a", "m") == checkpoint
    assert Lock().choose(None, "m") is None
    with pytest.raises(UserError, match=r"there is no checkpoint 'b'\. Checkpoints: a\."):
        lock.choose("b", "m")


def test_formats_that_run_code_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"x")
    with pytest.raises(UserError, match=r"suffix '\.pkl' is not a weights format that is safe to read"):
        verify_format(tmp_path / "model.pkl")
    with pytest.raises(UserError, match="there is no such file"):
        verify_format(tmp_path / "model.onnx")
