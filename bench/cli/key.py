"""``affectbench key``: the keys that sign evidence, and those that open it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Keys that sign evidence, and keys that open it: new.")


class Use(StrEnum):
    """What a key is for."""

    SIGNING = "signing"
    ENCRYPTION = "encryption"


@app.callback()
def _keys() -> None:
    pass


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="Where the secret goes: a new file, for you alone.")],
    use: Annotated[
        Use, typer.Option("--for", help="signing: Ed25519 in PEM; encryption: an age identity.")
    ] = Use.SIGNING,
) -> None:
    """Make a key: the secret in a file for you alone (mode 0600), and the half that you give to others."""
    if use is Use.SIGNING:
        from bench.evidence.keys import fingerprint, make_signing_key, read_public_key

        public = make_signing_key(file)
        typer.echo(f"secret         {file}: keep it; --sign signs with it")
        typer.echo(f"public         {public}: give it to who verifies; --verify-key takes it")
        typer.echo(f"fingerprint    {fingerprint(read_public_key(public))}")
    else:
        from bench.evidence.encryption import make_identity

        recipient = make_identity(file)
        typer.echo(f"secret         {file}: keep it; --identity opens with it")
        typer.echo(f"recipient      {recipient}")
