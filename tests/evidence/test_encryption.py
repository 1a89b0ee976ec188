"""What is encrypted: it opens for whom it is, streams, and leaves nothing behind however it ends."""

from __future__ import annotations

import base64
import hmac
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from typer.testing import CliRunner

from bench.cli.app import app
from bench.errors import UserError
from bench.evidence import encryption
from bench.evidence.container import member, pack
from bench.evidence.encryption import (
    Locked,
    Opener,
    decrypt,
    encrypt,
    read_identities,
    read_passphrase,
    read_recipients,
    wants_passphrase,
)  # fmt: skip
from bench.evidence.make import bundle
from bench.evidence.verify import opened
from bench.folder import RunFolder
from tests.evidence.conftest import Bundles, Keys, invoke


def test_it_opens_for_every_recipient(keys: Keys, tmp_path: Path) -> None:
    from bench.evidence.encryption import make_identity

    second = make_identity(tmp_path / "second.age")
    with (tmp_path / "b").open("wb") as sink:
        encrypt([b"con", b"tent"], 7, sink, read_recipients([keys.recipient, second]))
    assert b"content" not in (tmp_path / "b").read_bytes()
    for identity in (keys.identity, tmp_path / "second.age"):
        found = io.BytesIO()
        decrypt(tmp_path / "b", found, read_identities(identity))
        assert found.getvalue() == b"content"
    with pytest.raises(UserError, match="what was given does not open it"):
        decrypt(tmp_path / "b", io.BytesIO(), read_identities(keys.other_identity))


def test_it_streams(keys: Keys, tmp_path: Path) -> None:
    block, count = bytes(1 << 20), 48
    tracemalloc.start()
    try:
        with (tmp_path / "b").open("wb") as sink:
            encrypt((block for _ in range(count)), count << 20, sink, read_recipients([keys.recipient]))
        with (tmp_path / "plain").open("wb") as sink:
            decrypt(tmp_path / "b", sink, read_identities(keys.identity))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / "plain").stat().st_size == count << 20
    assert peak < 12 << 20


def age_file(content: bytes, passphrase: str) -> bytes:
    """An age file by the specification (age-encryption.org/v1), with a work factor for tests: 2 ** 4."""
    assert len(content) < 1 << 16  # one chunk
    salt, key, nonce = (bytes([n]) * 16 for n in (1, 2, 3))

    def text(data: bytes) -> bytes:
        return base64.b64encode(data).rstrip(b"=")

    def derived(info: bytes, salt: bytes | None = None) -> bytes:
        return HKDF(SHA256(), 32, salt, info).derive(key)

    wrap = Scrypt(b"age-encryption.org/v1/scrypt" + salt, 32, 16, 8, 1).derive(passphrase.encode())
    stanza = text(ChaCha20Poly1305(wrap).encrypt(bytes(12), key, None))
    header = b"age-encryption.org/v1\n-> scrypt " + text(salt) + b" 4\n" + stanza + b"\n---"
    mac = hmac.new(derived(b"header"), header, "sha256").digest()
    chunk = ChaCha20Poly1305(derived(b"payload", nonce)).encrypt(bytes(11) + b"\x01", content, None)
    return header + b" " + text(mac) + b"\n" + nonce + chunk


def test_a_passphrase_closes_and_opens(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("correct horse battery staple\n")
    opener = read_passphrase(tmp_path / "p")
    with (tmp_path / "b").open("wb") as sink:
        encrypt([b"con", b"tent"], 7, sink, opener)
    found = io.BytesIO()
    decrypt(tmp_path / "b", found, opener)
    assert found.getvalue() == b"content"
    assert wants_passphrase(tmp_path / "b")


def test_a_bundle_with_a_passphrase(keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As another program encrypted it; given in a file, or asked for on a terminal."""
    plain, out, runner = tmp_path / "plain", tmp_path / "b", CliRunner()
    with plain.open("wb") as sink:
        pack([member("manifest.json", b"{}")], sink)
    out.write_bytes(age_file(plain.read_bytes(), "correct horse"))
    assert "is encrypted with a passphrase" in str(
        invoke("audit", out, "--identity", keys.identity).exception
    )
    assert "is encrypted with a passphrase" in str(invoke("audit", out).exception)
    (tmp_path / "p").write_text("correct horse\n")
    done = invoke("audit", out, "--passphrase-file", tmp_path / "p")
    assert done.output.startswith("manifest.json: it is no manifest: affectbench: Field required")
    monkeypatch.setattr("bench.cli.evidence._asks", lambda: True)
    again = runner.invoke(app, ["audit", str(out)], input="correct horse\n")
    assert again.stdout.endswith(done.stdout)
    assert "correct horse" not in again.output
    wrong = runner.invoke(app, ["audit", str(out)], input="incorrect horse\n")
    assert str(wrong.exception) == (
        f"{out}: what was given does not open it: it is for another key, or its header was changed. "
        "The key or passphrase that it was encrypted for. Give that, or get the bundle again."
    )


def test_a_passphrase_that_is_asked_for_is_asked_for_twice(
    scored: Path, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.cli.evidence._asks", lambda: True)
    seen: list[str | None] = []

    def kept(_blocks: object, _size: int, _sink: object, to: Opener) -> None:
        seen.append(to.passphrase)

    monkeypatch.setattr("bench.evidence.make.encrypt", kept)
    words = ["audit", scored / "run", "--bundle", "internal", "--out", tmp_path / "b", "--sign", keys.sign]
    done = CliRunner().invoke(app, [str(word) for word in words], input="one\nother\ntwo\ntwo\n")
    assert done.exit_code == 0, done.exception
    assert seen == ["two"]


def test_a_passphrase_is_for_what_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        UserError, match=r"^--passphrase-file: the bundle has 536,870,913 bytes\. .* Give a --recipient\.$"
    ):
        encrypt([], (512 << 20) + 1, io.BytesIO(), Opener(passphrase="p"))  # noqa: S106
    assert "secret" not in repr(Opener(passphrase="secret"))  # noqa: S106


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


class _EndError(BaseException):
    """As SIGTERM raises."""


@pytest.mark.parametrize("error", [KeyboardInterrupt(), _EndError(), OSError(28, "No space left on device")])
def test_however_making_ends_nothing_is_left(
    error: BaseException,
    scored: Path,
    keys: Keys,
    tmp_path: Path,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cut(members: object) -> Iterator[bytes]:
        yield b"plain"
        raise error

    monkeypatch.setattr("bench.evidence.make.stream", cut)
    out = tmp_path / "out" / "b"
    with pytest.raises(type(error)):
        bundle(
            RunFolder(scored / "run"), "internal", out, keys.signing, read_recipients([keys.recipient]), None
        )
    assert [*out.parent.iterdir(), *temporary.iterdir()] == []


def test_making_writes_no_plain_copy(
    scored: Path, keys: Keys, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    real = encryption.encrypt

    def watched(blocks: Iterator[bytes], *rest: object) -> None:
        def looked() -> Iterator[bytes]:
            for block in blocks:
                seen.extend(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
                yield block

        real(looked(), *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("bench.evidence.make.encrypt", watched)
    (tmp_path / "out").mkdir()
    bundle(
        RunFolder(scored / "run"), "internal", tmp_path / "out" / "b", keys.signing,
        read_recipients([keys.recipient]), None,
    )  # fmt: skip
    assert seen
    assert not any(b"manifest" in data or b"PAR1" in data for data in seen)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), _EndError(), ValueError()])
def test_however_reading_ends_nothing_is_left(
    error: BaseException, bundles: Bundles, keys: Keys, temporary: Path
) -> None:
    def used() -> None:
        with opened(bundles.internal, read_identities(keys.identity), None) as held:
            assert (held.folder / "targets" / "people.parquet").is_file()
            assert [p.name for p in held.folder.parent.iterdir()] == ["bundle"]
            raise error

    with pytest.raises(type(error)):
        used()
    assert list(temporary.iterdir()) == []


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT as at a terminal: who runs the tests in the background has it ignored, here and in what is started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_it_decrypts(bundles: Bundles, keys: Keys) -> None:
    class Interrupted(io.BytesIO):
        def write(self, data: object) -> int:
            signal.raise_signal(signal.SIGINT)
            return 0

    with pytest.raises(KeyboardInterrupt):
        decrypt(bundles.internal, Interrupted(), read_identities(keys.identity))


def test_a_full_disk_is_no_fault_of_the_bundle(bundles: Bundles, keys: Keys) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        decrypt(bundles.internal, Full(), read_identities(keys.identity))


def test_cut_short_or_longer_it_does_not_open(bundles: Bundles, keys: Keys, tmp_path: Path) -> None:
    data = bundles.internal.read_bytes()
    for bad in (data[:-1], data[: len(data) // 2], data + b"x", data[:200]):
        (tmp_path / "b").write_bytes(bad)
        with pytest.raises((Locked, UserError), match="changed"):
            decrypt(tmp_path / "b", io.BytesIO(), read_identities(keys.identity))


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_program_that_is_stopped_leaves_nothing(
    number: int, code: int, bundles: Bundles, keys: Keys, tmp_path: Path
) -> None:
    words = ["audit", str(bundles.internal), "--identity", str(keys.identity)]
    with subprocess.Popen(
        [sys.executable, "-c", "from bench.cli import main; main()", *words],
        env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as program:  # fmt: skip
        while program.poll() is None and not list(tmp_path.glob("affectbench-*/bundle/run.json")):
            time.sleep(0.01)
        program.send_signal(number)
        program.communicate(timeout=60)
    assert program.returncode == code
    assert list(tmp_path.iterdir()) == []
