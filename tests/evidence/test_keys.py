"""Keys: how they are made, which are taken, and what the others are told."""

from __future__ import annotations

import hashlib
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bench.errors import UserError
from bench.evidence.encryption import read_identities, read_passphrase, read_recipients
from bench.evidence.keys import fingerprint, public_pem, read_public_key, read_signing_key, signs
from tests.evidence.conftest import Keys, called, invoke


def test_a_signing_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    said = called("key", "new", tmp_path / "k.pem").splitlines()
    assert stat.S_IMODE((tmp_path / "k.pem").stat().st_mode) == 0o600
    key, public = read_signing_key(tmp_path / "k.pem"), read_public_key(tmp_path / "k.pub.pem")
    assert signs(public, key.sign(b"said"), b"said")
    assert not signs(public, key.sign(b"said"), b"other")
    assert said[-1] == f"fingerprint    {fingerprint(public)}"
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    spki = bytes.fromhex("302a300506032b6570032100") + raw  # RFC 8410, section 4
    assert fingerprint(public) == hashlib.sha256(spki).hexdigest()


def test_an_identity_is_for_its_owner_alone(tmp_path: Path) -> None:
    said = called("key", "new", tmp_path / "k.age", "--for", "encryption").splitlines()
    assert stat.S_IMODE((tmp_path / "k.age").stat().st_mode) == 0o600
    recipient = said[-1].split()[-1]
    lines = (tmp_path / "k.age").read_text().splitlines()
    assert lines[0] == f"# public key: {recipient}"
    assert lines[1].startswith("AGE-SECRET-KEY-1")
    assert len(read_identities(tmp_path / "k.age").keys) == len(read_recipients([recipient]).keys) == 1


@pytest.mark.parametrize("use", ["signing", "encryption"])
def test_a_key_is_never_written_over(use: str, tmp_path: Path) -> None:
    (tmp_path / "k.pem").write_text("mine")
    done = invoke("key", "new", tmp_path / "k.pem", "--for", use)
    assert str(done.exception) == (
        f"{tmp_path}/k.pem: it is there already. A key is made once, and never written over. Choose another name."
    )
    assert (tmp_path / "k.pem").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["k.pem"]


def test_a_public_half_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "k.pub.pem").write_text("mine")
    assert "k.pub.pem: it is there already" in str(invoke("key", "new", tmp_path / "k.pem").exception)
    assert [p.name for p in tmp_path.iterdir()] == ["k.pub.pem"]


def test_keys_of_openssl_are_taken(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl is installed")
    subprocess.run([openssl, "genpkey", "-algorithm", "ed25519", "-out", "k.pem"], cwd=tmp_path, check=True)
    subprocess.run([openssl, "pkey", "-in", "k.pem", "-pubout", "-out", "p.pem"], cwd=tmp_path, check=True)
    key, public = read_signing_key(tmp_path / "k.pem"), read_public_key(tmp_path / "p.pem")
    assert fingerprint(key.public_key()) == fingerprint(public)
    assert public_pem(public) == (tmp_path / "p.pem").read_bytes()


def private(key: object, passphrase: bytes | None = None) -> bytes:
    locked = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)  # type: ignore[attr-defined]


def test_other_keys_are_refused(keys: Keys, tmp_path: Path) -> None:
    path, kept = tmp_path / "k", "Keys are Ed25519 in PEM, without a passphrase."
    given = {
        private(rsa.generate_private_key(65537, 2048)): "it is of another kind (RSA)",
        private(ec.generate_private_key(ec.SECP256R1())): "it is of another kind (EC)",
        private(ed25519.Ed25519PrivateKey.generate(), b"secret"): "the key is locked with a passphrase",
        keys.public.read_bytes(): "it is a public key",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n": "it is no private key in PEM",
        b"": "it is no private key in PEM",
    }
    for data, found in given.items():
        path.write_bytes(data)
        with pytest.raises(UserError) as refused:
            read_signing_key(path)
        assert str(refused.value).startswith(f"--sign {path}: {found}. {kept} ")
    path.write_bytes(keys.sign.read_bytes())
    with pytest.raises(
        UserError, match=r"it is a private key\. .* Give the public half, as in KEY\.pub\.pem\.$"
    ):
        read_public_key(path)
    rsa_public = rsa.generate_private_key(65537, 2048).public_key()
    path.write_bytes(rsa_public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(UserError, match=r"it is of another kind \(RSA\)"):
        read_public_key(path)
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="it is no public key in PEM"):
        read_public_key(path)
    with pytest.raises(UserError, match="it cannot be read: No such file or directory"):
        read_public_key(tmp_path / "none")


def test_what_opens_nothing_is_refused(keys: Keys, tmp_path: Path) -> None:
    secret = keys.identity.read_text().splitlines()[1]
    with pytest.raises(UserError, match=r"^--recipient: this is a secret key") as refused:
        read_recipients([secret])
    assert secret not in str(refused.value)
    with pytest.raises(UserError, match=r"'age1nobody' is no recipient"):
        read_recipients(["age1nobody"])
    for text in ("", "# only this\n", keys.recipient, f"{secret}\nmore\n"):
        (tmp_path / "i").write_text(text)
        with pytest.raises(UserError, match="it holds no secret key, or something else beside") as refused:
            read_identities(tmp_path / "i")
        assert secret not in str(refused.value)
    for text, found in (("", "is empty"), ("\n", r"has 1 line\."), ("one\ntwo\n", "has 2 lines")):
        (tmp_path / "p").write_text(text)
        with pytest.raises(UserError, match=found):
            read_passphrase(tmp_path / "p")
    (tmp_path / "p").write_bytes(b"\xff")
    with pytest.raises(UserError, match="it is not UTF-8 text"):
        read_passphrase(tmp_path / "p")
