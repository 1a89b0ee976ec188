"""The command ``audit``: a run is recomputed or bundled, a bundle is verified and recomputed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.errors import UserError

if TYPE_CHECKING:
    from bench.evidence.encryption import Opener

__all__ = ["audit"]


@dataclass(frozen=True)
class Keys:
    """What opens or closes a bundle, as given."""

    recipient: tuple[str, ...] = ()
    passphrase_file: Path | None = None
    identity: Path | None = None


def audit(
    path: Annotated[
        Path, typer.Argument(metavar="RUN|BUNDLE", help="A finished run's folder, or a bundle of one.")
    ],
    bundle: Annotated[
        str | None,
        typer.Option(
            "--bundle", metavar="internal|external",
            help="Make a signed file of a run: all of it, encrypted; or aggregates and digests alone.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The bundle: a new file.")] = None,
    sign: Annotated[
        Path | None, typer.Option("--sign", metavar="KEY.pem", help="The Ed25519 key that signs the bundle.")
    ] = None,
    recipient: Annotated[
        list[str] | None,
        typer.Option("--recipient", metavar="age1...", help="Who can open an internal bundle. May repeat."),
    ] = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option("--passphrase-file", help="Its first line closes, or opens, an internal bundle."),
    ] = None,
    lock: Annotated[
        Path | None, typer.Option("--lock", help="The lock that the run was given; it goes into the bundle.")
    ] = None,
    verify_key: Annotated[
        Path | None,
        typer.Option("--verify-key", metavar="KEY.pub.pem", help="The signer's public key, from the signer."),
    ] = None,
    identity: Annotated[
        Path | None, typer.Option("--identity", help="The age identity that opens an internal bundle.")
    ] = None,
    targets: Annotated[
        list[str] | None,
        typer.Option(
            "--targets",
            metavar="[NAME=]FILE",
            help="Targets that an external bundle is held against. May repeat.",
        ),
    ] = None,
    cells: Annotated[
        Path | None,
        typer.Option("--cells", help="The run's folder 'cells': with --targets, all is made again."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:  # fmt: skip
    """Recompute a run's numbers by another way, bundle it, or verify a bundle; exit 1 where it fails.

    A folder is recomputed or, with --bundle, bundled; a file is verified and recomputed as far as it allows.
    """
    making = {"--out": out, "--sign": sign, "--recipient": recipient, "--lock": lock}
    reading = {"--verify-key": verify_key, "--identity": identity, "--targets": targets, "--cells": cells}
    keys = Keys(tuple(recipient or ()), passphrase_file, identity)
    if bundle is not None:
        _refuse(reading, "With --bundle a bundle is made")
        _make(path, bundle, out, sign, keys, lock, json=json)
    elif path.is_dir():
        _refuse(
            {**making, **reading, "--passphrase-file": passphrase_file}, "A folder is recomputed, or bundled"
        )
        _recompute(path, json=json)
    else:
        _refuse(making, "A file is verified as a bundle")
        _verify(path, keys, verify_key, tuple(targets or ()), cells, json=json)


def _refuse(flags: dict[str, Any], why: str) -> None:
    """UserError for the first flag that has nothing to do here."""
    for flag, given in flags.items():
        if given:
            raise UserError(
                flag, "it has nothing to do here", why, "Leave it out, or see 'affectbench audit --help'"
            )


def _recompute(run: Path, *, json: bool) -> None:
    from bench.cli.audit import as_json, as_text
    from bench.judge.audit import audit as recompute

    found = recompute(run)
    typer.echo(as_json(found) if json else as_text(found))
    if not found.agrees:
        raise typer.Exit(1)


def _make(
    run: Path, kind: str, out: Path | None, sign: Path | None, keys: Keys, lock: Path | None, *, json: bool
) -> None:  # fmt: skip
    from bench.cli.evidence_text import made_json, made_text
    from bench.evidence import bundle
    from bench.evidence.keys import read_signing_key
    from bench.folder import RunFolder

    if kind not in ("internal", "external"):
        raise UserError(
            "--bundle", f"{kind!r} is no kind of bundle", "internal or external", "Give one of them"
        )
    if out is None or sign is None:
        flag = "--out" if out is None else "--sign"
        raise UserError(
            flag, "it is not given", "A bundle is a new file, and signed: --out FILE --sign KEY.pem",
            f"Give {flag}; 'affectbench key new FILE' makes a key",
        )  # fmt: skip
    key = read_signing_key(sign)
    if kind == "internal":
        made = bundle(RunFolder(run), "internal", out, key, _closer(keys), lock)
    else:
        _refuse({"--recipient": keys.recipient, "--passphrase-file": keys.passphrase_file}, _OPEN)
        made = bundle(RunFolder(run), "external", out, key, None, lock)
    typer.echo(made_json(made) if json else made_text(made))


_OPEN = "An external bundle holds nothing of single persons and is not encrypted"


def _closer(keys: Keys) -> Opener:
    """Whom an internal bundle is for; where nothing says it, a passphrase is asked for on a terminal."""
    from bench.evidence.encryption import Opener, read_passphrase, read_recipients

    if keys.recipient and keys.passphrase_file:
        raise UserError(
            "--passphrase-file", "there is a --recipient too", "The age format takes one or the other",
            "Leave one out",
        )  # fmt: skip
    if keys.recipient:
        return read_recipients(keys.recipient)
    if keys.passphrase_file:
        return read_passphrase(keys.passphrase_file)
    if not _asks():
        raise UserError(
            "--bundle internal", "there is nobody to open it",
            "It holds rows of single persons and is encrypted, with --recipient or --passphrase-file",
            "Give one of them",
        )  # fmt: skip
    return Opener(passphrase=typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True))


def _asks() -> bool:
    """Whether somebody is there to be asked for a passphrase."""
    return sys.stdin.isatty()


def _opener(path: Path, keys: Keys) -> Opener | None:
    """What opens a bundle; where nothing is given, a passphrase that it wants is asked for on a terminal."""
    from bench.evidence.encryption import Opener, read_identities, read_passphrase, wants_passphrase

    if keys.identity and keys.passphrase_file:
        raise UserError(
            "--passphrase-file",
            "there is an --identity too",
            "A bundle opens with one or the other",
            "Leave one out",
        )
    if keys.identity:
        return read_identities(keys.identity)
    if keys.passphrase_file:
        return read_passphrase(keys.passphrase_file)
    if path.is_file() and wants_passphrase(path) and _asks():
        return Opener(passphrase=typer.prompt("Passphrase", hide_input=True, err=True))
    return None


def _verify(
    path: Path, keys: Keys, verify_key: Path | None, targets: tuple[str, ...], cells: Path | None, *,
    json: bool,
) -> None:  # fmt: skip
    from bench.cli.evidence_text import verified_json, verified_text
    from bench.evidence import Beside, opened, recompute
    from bench.evidence.keys import read_public_key

    key = None if verify_key is None else read_public_key(verify_key)
    with opened(path, _opener(path, keys), key) as held:
        made = recompute(held, Beside(_named(targets, held), cells)) if held.whole else None
        typer.echo(verified_json(held, made) if json else verified_text(held, made))
        if made is None or not made.agrees:
            raise typer.Exit(1)


def _named(targets: tuple[str, ...], held: Any) -> dict[str, Path]:
    """Targets by data set: ``NAME=FILE``, or the file alone where the bundle is of one data set."""
    from bench.evidence.recompute import datasets_of

    known, found = datasets_of(held), dict[str, Path]()
    for text in targets if known else ():
        name, _, file = text.partition("=")
        if not file or (name not in known and Path(text).is_file()):
            name, file = "", text
        if not name and len(known) > 1:
            raise UserError(
                "--targets", f"{text!r} does not say of which data set", f"The bundle has {', '.join(known)}",
                "Give NAME=FILE",
            )  # fmt: skip
        if (name or known[0]) in found:
            raise UserError(
                "--targets", f"there are two of {name or known[0]}", "Each data set has one", "Leave one out"
            )  # fmt: skip
        found[name or known[0]] = Path(file)
    return found
