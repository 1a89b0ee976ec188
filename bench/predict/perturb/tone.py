"""Tone curves: every byte becomes another by a table, one for the whole clip or one for each frame."""

from __future__ import annotations

import torch

from bench.predict.clip import Clip
from bench.predict.perturb.lookup import look_up
from bench.predict.perturb.parts import parts

__all__ = ["map_bytes"]


def map_bytes(clip: Clip, tables: torch.Tensor) -> Clip:
    """Map each byte of a clip by ``tables``, uint8 [1, 256] or [T, 256]."""
    if clip.frames.device.type == "cpu":
        return clip.with_frames(_on_host(clip.frames, tables))
    return clip.with_frames(_on_device(clip.frames, tables))


def _on_host(frames: torch.Tensor, tables: torch.Tensor) -> torch.Tensor:
    mapped = torch.empty_like(frames, memory_format=torch.contiguous_format)
    if len(tables) == 1:
        for part in parts(frames):
            look_up(tables[0], frames[part], mapped[part])
        return mapped
    for frame, table, found in zip(frames, tables, mapped, strict=True):
        look_up(table, frame, found)
    return mapped


def _on_device(frames: torch.Tensor, tables: torch.Tensor) -> torch.Tensor:
    flat = tables.flatten()
    starts = torch.arange(0, len(flat), 256, dtype=torch.int32, device=frames.device)[:, None]
    mapped = torch.empty_like(frames, memory_format=torch.contiguous_format)
    for part in parts(frames):
        values = frames[part].flatten(1).to(torch.int32)
        if len(tables) > 1:
            values.add_(starts[part])
        mapped[part] = flat.index_select(0, values.flatten()).view_as(frames[part])
    return mapped
