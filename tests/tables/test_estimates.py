from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from bench.tables import ESTIMATES, read_table, write_estimates
from bench.tables.estimates import estimates_table


def test_columns_are_those_of_the_design() -> None:
    assert " ".join(ESTIMATES.names) == (
        "model dataset condition severity where slice value metric kind reference estimate low high level "
        "side method n clips frames clusters cluster_unit n_eff df p p_adjusted family role null_mean "
        "null_p95 sdd80 coverage slices_left_out status warning"
    )


def test_absent_and_undefined_are_null_never_zero() -> None:
    row = estimates_table([{"model": "m", "estimate": float("nan"), "n": 3, "low": 0.0}]).to_pylist()[0]
    assert (row["model"], row["estimate"], row["n"], row["low"], row["high"]) == ("m", None, 3, 0.0, None)


def test_unknown_column_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no such column of Estimates.*estimat"):
        estimates_table([{"estimat": 1.0}])


def test_write_and_read(tmp_path: Path) -> None:
    table = estimates_table([{"model": "m", "metric": "uar", "estimate": 0.5}])
    write_estimates(table, tmp_path / "estimates.parquet")
    assert read_table(tmp_path / "estimates.parquet").equals(table)
    with pytest.raises(ValueError, match="not an Estimates table"):
        write_estimates(pa.table({"a": [1]}), tmp_path / "x.parquet")
