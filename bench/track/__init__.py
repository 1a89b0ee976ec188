"""MLflow: a finished run folder is sent to a tracking store, registered weights are fetched from one.

The only place that imports mlflow, and only in ``send`` and ``registry``: this module stays light, so that
a caller can name a default store or catch ``TrackError`` without paying for the import. Nothing here
decides a number: what is sent is a filter of Estimates, and results on disk never depend on a server.
"""

from bench.track.store import TrackError, Unreachable, default_uri

__all__ = ["TrackError", "Unreachable", "default_uri"]
