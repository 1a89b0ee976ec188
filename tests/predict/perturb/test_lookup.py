from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.predict.perturb.lookup import _on_device, look_up

DRAW = np.random.default_rng(0)
TABLES = {
    "bytes": DRAW.integers(0, 256, 256, dtype=np.uint8),
    "floats of bytes": DRAW.random(256).astype(np.float32),
    "integers of bytes": DRAW.integers(-(2**31), 2**31, 256).astype(np.int32),
    "bytes of words": DRAW.integers(0, 256, 1 << 16, dtype=np.uint8),
    "words of words": DRAW.integers(-(2**15), 2**15, 1 << 16).astype(np.int16),
    "floats of words": DRAW.random(1 << 16).astype(np.float32),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (7, 5), (300, 400), (333, 401)])
def test_each_value_is_looked_up(table: np.ndarray, shape: tuple[int, int]) -> None:
    """Second source: numpy's indexing; few and many, even and odd counts, on the host and elsewhere."""
    places = DRAW.integers(0, len(table), shape)
    values = torch.from_numpy(places.astype(np.uint8 if len(table) == 256 else np.uint16))
    values = values if len(table) == 256 else values.view(torch.int16)
    entries = torch.from_numpy(table)
    for seen, at in ((values, places), (values.T, places.T), (values[:, ::2], places[:, ::2])):
        found = look_up(entries, seen)
        assert found.is_contiguous()
        assert found.dtype == entries.dtype
        assert np.array_equal(found.numpy(), table[at])
        assert np.array_equal(_on_device(entries, seen).numpy(), table[at])


def test_room_that_is_given_is_filled() -> None:
    room = torch.zeros(2, 3, dtype=torch.uint8)
    table = torch.arange(255, -1, -1, dtype=torch.uint8)
    assert look_up(table, torch.tensor([[0, 1, 2], [3, 4, 5]], dtype=torch.uint8), room) is room
    assert room.tolist() == [[255, 254, 253], [252, 251, 250]]
