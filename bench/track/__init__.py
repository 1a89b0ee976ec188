"""MLflow: run folders are sent to a tracking store, weights and baselines fetched, verdicts recorded there.

The only place that imports mlflow, and only in functions that need it: this module stays light, so that
a caller can name a default store or catch ``TrackError`` without paying for the import. Nothing here
decides a number: what is sent is a filter of Estimates, and results on disk never depend on a server.
"""

from bench.track.store import TrackError, Unreachable, default_uri

__all__ = ["TrackError", "Unreachable", "default_uri"]
