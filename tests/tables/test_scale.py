"""The scale of predicted affect: one check, for valence, arousal and dominance alone."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import UserError
from bench.tables.scale import require_scale


def test_the_first_value_beyond_the_scale_is_named() -> None:
    values = np.array([0.5, np.nan, 2.0, -2.0, -2.5, 9.0])
    require_scale("valence", values[:4], str)
    require_scale("au_12", values, str)
    with pytest.raises(UserError) as caught:
        require_scale("arousal", values, lambda row: f"P.csv row {row + 1}")
    assert str(caught.value) == (
        "P.csv row 5: arousal is -2.5. arousal lies in [-1, 1], and a regression that overshoots in [-2, 2]. "
        "Rescale the column to [-1, 1]."
    )
