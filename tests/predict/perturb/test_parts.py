from __future__ import annotations

import pytest
import torch

from bench.predict.perturb.parts import parts


@pytest.mark.parametrize("held", [1, 4])
@pytest.mark.parametrize(("device", "most"), [("cpu", 1 << 22), ("meta", 1 << 25)])
@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 48, 48), (3, 224, 224), (3, 1080, 1920)])
def test_parts_cover_the_frames_in_bounded_memory(
    shape: tuple[int, int, int], device: str, most: int, held: int
) -> None:
    frames = torch.empty(70, *shape, dtype=torch.uint8, device=device)
    rows = [list(range(70))[part] for part in parts(frames, held)]
    assert [row for part in rows for row in part] == list(range(70))
    numbers = held * frames[0].numel()
    assert all(len(part) == 1 or len(part) * numbers <= most for part in rows)
    # No part could take a frame more.
    assert all((len(part) + 1) * numbers > most for part in rows[:-1])
