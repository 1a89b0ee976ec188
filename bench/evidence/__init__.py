"""Evidence: a finished run as one signed file, and what such a file proves."""

from bench.evidence.make import Bundled, bundle
from bench.evidence.recompute import Beside, Recomputation, recompute
from bench.evidence.verify import Held, follows, opened

__all__ = ["Beside", "Bundled", "Held", "Recomputation", "bundle", "follows", "opened", "recompute"]
