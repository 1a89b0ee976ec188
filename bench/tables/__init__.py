"""The four tables in which predict, judge and report meet: targets, predictions, frames, estimates."""

from bench.tables.estimates import ESTIMATES, write_estimates
from bench.tables.files import read_table, write_table
from bench.tables.predictions import (
    STATUSES,
    decide,
    frames_schema,
    predictions_schema,
    read_predictions,
    validate_predictions,
)
from bench.tables.targets import Targets, read_targets, validate_targets

__all__ = [
    "ESTIMATES",
    "STATUSES",
    "Targets",
    "decide",
    "frames_schema",
    "predictions_schema",
    "read_predictions",
    "read_table",
    "read_targets",
    "validate_predictions",
    "validate_targets",
    "write_estimates",
    "write_table",
]
