"""Keys that sign a bundle: Ed25519 (RFC 8032) in PEM, as ``openssl genpkey -algorithm ed25519`` writes them.

A private key is a file that its owner alone may read, never written over. The fingerprint of a key is the
sha256 of its public half in DER (SubjectPublicKeyInfo). Refused are other kinds of keys and locked files.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from bench.digest import digest_bytes
from bench.errors import UserError

__all__ = [
    "fingerprint", "make_signing_key", "public_pem", "read_public_key", "read_signing_key", "signs",
    "write_secret",
]  # fmt: skip

_MAKE = "Make one with 'affectbench key new FILE'"


def make_signing_key(path: Path) -> Path:
    """Write a new private key, and its public half beside it; returns the path of that.

    UserError, with nothing written, where either file is there or cannot be written.
    """
    public = path.with_suffix(".pub.pem")
    key = Ed25519PrivateKey.generate()
    if public.exists() or public.is_symlink():
        raise _there(public)
    write_secret(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(public_pem(key.public_key()))
    return public


def write_secret(path: Path, content: bytes) -> None:
    """Write a new file that its owner alone may read; UserError where one is there or none can be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise _there(path) from None
    except OSError as error:
        raise UserError(
            str(path), f"the key cannot be written: {error.strerror}", "A place that can be written",
            "Choose another",
        ) from None  # fmt: skip
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _there(path: Path) -> UserError:
    return UserError(
        str(path), "it is there already", "A key is made once, and never written over", "Choose another name"
    )


def read_signing_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key; UserError for what is none."""
    data = _bytes(path, "--sign")
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError:
        raise _refused(
            "--sign", path, "the key is locked with a passphrase", "Unlock it with openssl"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        found = "it is a public key" if b"PUBLIC KEY" in data else "it is no private key in PEM"
        raise _refused("--sign", path, found, _MAKE) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _refused("--sign", path, f"it is of another kind ({_kind(key)})", _MAKE)
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key; UserError for what is none."""
    data = _bytes(path, "--verify-key")
    if b"PRIVATE KEY" in data:
        raise _refused("--verify-key", path, "it is a private key", "Give the public half, as in KEY.pub.pem")
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise _refused("--verify-key", path, "it is no public key in PEM", "Ask the signer for it") from None
    if not isinstance(key, Ed25519PublicKey):
        raise _refused(
            "--verify-key", path, f"it is of another kind ({_kind(key)})", "Ask the signer for the right one"
        )
    return key


def public_pem(key: Ed25519PublicKey) -> bytes:
    """The public key as PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(key: Ed25519PublicKey) -> str:
    """The sha256 of the public key in DER, as 64 hex digits."""
    return digest_bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def signs(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    """Whether the signature is one of the key over the content."""
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _bytes(path: Path, flag: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _refused(flag, path, f"it cannot be read: {error.strerror}", "Correct the path") from None


def _refused(flag: str, path: Path, found: str, remedy: str) -> UserError:
    return UserError(f"{flag} {path}", found, "Keys are Ed25519 in PEM, without a passphrase", remedy)


def _kind(key: object) -> str:
    return type(key).__name__.removesuffix("PrivateKey").removesuffix("PublicKey").strip("_")
