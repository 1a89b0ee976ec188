"""Tables: each byte, or each word of 16 bits, becomes what stands at its place."""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["look_up"]


def look_up(table: torch.Tensor, values: torch.Tensor, into: torch.Tensor | None = None) -> torch.Tensor:
    """What ``table`` has at each of ``values``: of their shape and the table's type, contiguous.

    ``values``: uint8 for a table [256], int16 for a table [65536], where they stand for the unsigned numbers
    of the same bits. ``table``: uint8, int16, int32 or float32. ``into``: contiguous room for it, or new.
    """
    if into is None:
        into = torch.empty(values.shape, dtype=table.dtype, device=values.device)
    if values.device.type == "cpu":
        if values.numel():
            _on_host(table.numpy(), values.flatten().numpy(), into.view(-1).numpy())
        return into
    return into.copy_(_on_device(table, values))


def _on_host(table: np.ndarray, values: np.ndarray, into: np.ndarray) -> None:
    """Bytes for bytes by StringZilla, 64 at once where the processor can; all else by OpenCV.

    Either takes at most half the time of torch's, and needs no wider numbers to index by.
    """
    if table.dtype == np.uint8 and len(table) == 256:
        import stringzilla

        found, entries = np.ascontiguousarray(values).data, np.ascontiguousarray(table).data
        stringzilla.translate(found, entries, out=into.data)
        return
    import cv2

    cv2.LUT((values.view(np.uint16) if len(table) > 256 else values)[None], table, into[None])


def _on_device(table: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    places = values.flatten().to(torch.int32) & (len(table) - 1)
    return table.index_select(0, places).view(values.shape)
