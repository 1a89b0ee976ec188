"""Where runs are tracked: the default store, a quiet and bounded MLflow client, and its errors.

MLflow is set up through the environment; what is set here is put back afterwards. Telemetry is off. A
server that does not answer within seconds is unreachable; no number on disk depends on it.
"""

from __future__ import annotations

import logging
import os
import re
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import MachineError, UserError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

__all__ = [
    "TrackError",
    "Unreachable",
    "artifacts_beside",
    "default_uri",
    "public",
    "public_text",
    "require_there",
    "same",
    "session",
    "short",
]

_ALWAYS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_KNOCK = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
_WORK = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "60", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
_LOUD = ("mlflow", "alembic", "urllib3")


class TrackError(MachineError):
    """The tracking store refused or failed; results on disk are whole and can be sent again."""


class Unreachable(TrackError):  # noqa: N818 - it says what is the case
    """The tracking store could not be opened; nothing was written, here or there."""


def default_uri(folder: Path) -> str:
    """Name the tracking store: the user's MLFLOW_TRACKING_URI, or else ``folder/mlflow.db`` (SQLite).

    Artifacts of the SQLite store lie beside it in ``mlartifacts``.
    """
    database = folder.resolve() / "mlflow.db"
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{database.as_posix()}"


def artifacts_beside(uri: str) -> str | None:
    """The artifact folder of a SQLite store as a file URI; None where the server decides."""
    if not uri.startswith("sqlite:"):
        return None
    return (Path(_database(uri) or "").resolve().parent / "mlartifacts").as_uri()


def require_there(uri: str) -> None:
    """UserError for a SQLite store that does not exist: opening it to read would make an empty one."""
    database = _database(uri)
    if database is not None and not Path(database).is_file():
        raise UserError(
            uri, "there is no such tracking store", "The store that holds the runs",
            "Name it with --tracking-uri or MLFLOW_TRACKING_URI",
        )  # fmt: skip


def same(one: str, other: str) -> bool:
    """Whether two URIs are of one store, however they are written."""
    return _place(one) == _place(other)


def _place(uri: str) -> Path | str:
    database = _database(uri)
    return public(uri).rstrip("/") if database is None else Path(database).resolve()


def _database(uri: str) -> str | None:
    """The file of a SQLite store, None of any other."""
    from sqlalchemy.engine import make_url

    return make_url(uri).database if uri.startswith("sqlite:") else None


def public(uri: str) -> str:
    """The URI without user name, password and query, fit for messages and files.

    >>> public("https://jane:secret@host:5000/mlflow?token=1")
    'https://host:5000/mlflow'
    """
    return uri if uri.startswith("sqlite:") else public_text(uri).split("?")[0]


def short(error: BaseException) -> str:
    """The first line of an error without credentials, cut at a word to at most 200 characters.

    Where the operating system refused (no connection, no permission), that alone: what libraries wrap around
    it says the same at length.

    >>> short(ConnectionRefusedError(111, "Connection refused"))
    'ConnectionRefusedError: [Errno 111] Connection refused'
    """
    error = _refusal(error) or error
    lines = str(error).splitlines() or [""]
    text = public_text(f"{type(error).__name__}: {lines[0]}")
    return textwrap.shorten(text, 200, placeholder=" …").rstrip(". ")


def _refusal(error: BaseException | None) -> OSError | None:
    """The innermost error of the operating system that an error was made of, None without one."""
    found = None
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            found = error
        error = error.__cause__ or error.__context__
    return found


def public_text(text: str) -> str:
    """The text with the user names and passwords of all URIs in it left out."""
    return re.sub(r"//[^/@\s]*@", "//", text)


@contextmanager
def session(uri: str, remedy: str) -> Iterator[MlflowClient]:
    """Open the store at ``uri``, quietly, and hand out its client; the environment is put back at the end.

    Raises Unreachable where the store does not open within seconds (no answer, no such database, no
    driver) and TrackError where it refuses or is lost later.
    """
    with _environment(_ALWAYS), _quiet():
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
        from sqlalchemy.exc import SQLAlchemyError

        # OSError holds what requests raises; ImportError a missing database driver.
        failures = (MlflowException, SQLAlchemyError, OSError, ImportError)
        try:
            with _environment(_KNOCK):
                client = MlflowClient(tracking_uri=uri)
                client.search_experiments(max_results=1)
        except failures as error:
            raise Unreachable(
                public(uri), f"the tracking store cannot be opened ({short(error)})",
                "It is an MLflow server (http, https) or a database (sqlite:///FILE)", remedy,
            ) from error  # fmt: skip
        try:
            with _environment({name: os.environ.get(name, value) for name, value in _WORK.items()}):
                yield client
        except failures as error:
            raise TrackError(
                public(uri), f"the tracking store refused ({short(error)})",
                "What is on disk is whole", remedy,
            ) from error  # fmt: skip


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _LOUD]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.tracking  # noqa: F401 - its import sets the levels that are lowered below

        before = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)
