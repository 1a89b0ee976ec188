"""From the words of --model to choices: zoo entries, checkpoints, own weights, registered models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UserError

if TYPE_CHECKING:
    from bench.predict.zoo import Choice

__all__ = ["choose"]


def choose(models: Sequence[str], weights: Path | None, tracking_uri: str | None) -> list[Choice]:
    """Read every --model; ``models:/NAME@alias`` is fetched from the MLflow registry."""
    if weights is not None and len(models) != 1:
        raise UserError(
            "--weights", f"one file is given for {len(models)} models", "One --model with its --weights",
            "Run the models one by one",
        )  # fmt: skip
    if len(set(models)) < len(models):
        raise UserError("--model", "a model is named twice", "Each model once", "Remove one of them")
    return [_choice(text, weights, tracking_uri) for text in models]


def _choice(text: str, weights: Path | None, tracking_uri: str | None) -> Choice:
    from bench.predict.zoo import Choice, parse_choice

    if not text.startswith("models:/"):
        return parse_choice(text, weights)
    if weights is not None:
        raise UserError(
            "--weights", "a registered model brings its own weights", "One of the two", "Leave out --weights"
        )
    import atexit
    import shutil
    import tempfile

    from bench.track import default_uri
    from bench.track.registry import fetch

    uri = default_uri(Path.cwd()) if tracking_uri in (None, "off") else tracking_uri
    folder = Path(tempfile.mkdtemp(prefix="affectbench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    registered = fetch(text, uri, folder)
    origin = f"{text}, version {registered.version}"
    return Choice(registered.entry, None, registered.weights, origin)
