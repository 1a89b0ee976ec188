"""Keras HDF5 files as tensors and layer settings, read with h5py alone: no pickle, no code, no links.

It refuses big files, tensors of another shape or type than asked for, and anything that leads outside the
file.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import torch

from bench.errors import UserError

__all__ = ["KerasFile"]

_LARGEST = 256 << 20
_LONGEST = 1 << 20


class KerasFile:
    """An open Keras file; ``layers`` holds the settings of each layer by its name.

    Raises UserError for a file that is not a Keras model in HDF5.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        size = path.stat().st_size
        if size > _LARGEST:
            raise self.refusal(f"the file has {size} bytes", f"At most {_LARGEST} bytes")
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise self.refusal("this is not an HDF5 file", "A Keras model in HDF5") from error
        try:
            self.layers = self._layers()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> KerasFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def refusal(self, found: str, allowed: str) -> UserError:
        """The error that this file is not what was asked for."""
        return UserError(str(self._path), found, allowed, "Choose another weight file")

    def layer(self, name: str, kind: str) -> dict[str, Any]:
        """The settings of a layer that must be there and be of this Keras class."""
        found = self.layers.get(name)
        if found is None or found["class_name"] != kind:
            said = "is missing" if found is None else f"is a {found['class_name']}"
            raise self.refusal(f"layer {name!r} {said}", f"A {kind} of that name")
        return dict(found["config"])

    def tensor(self, layer: str, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        """The float32 tensor of a layer, in Keras axis order; it must have exactly this shape."""
        found = self._dataset(f"model_weights/{layer}", name)
        if found is None:
            raise self.refusal(
                f"tensor {name!r} of layer {layer!r} is missing", f"A float32 tensor of shape {shape}"
            )
        if found.shape != shape or found.dtype != np.float32:
            said = f"tensor {name!r} of layer {layer!r} is {found.dtype} of shape {found.shape}"
            raise self.refusal(said, f"float32 of shape {shape}")
        try:
            return torch.from_numpy(found[()])
        except OSError as error:
            raise self.refusal(
                f"tensor {name!r} of layer {layer!r} cannot be read", "A whole file"
            ) from error

    def _layers(self) -> dict[str, dict[str, Any]]:
        text = self._file.attrs.get("model_config")
        if not isinstance(text, (str, bytes)) or len(text) > _LONGEST or "model_weights" not in self._file:
            raise self.refusal(
                "no Keras model was found in it", "The attribute model_config and model_weights"
            )
        try:
            return {layer["config"]["name"]: layer for layer in json.loads(text)["config"]["layers"]}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self.refusal("model_config cannot be read", "A Keras 2 functional model") from error

    def _dataset(self, folder: str, name: str) -> h5py.Dataset | None:
        # Keras nests each tensor in one more group, whose name carries a counter: look one level down.
        if not self._is_inside(folder):
            return None
        for inner in self._file[folder]:
            path = f"{folder}/{inner}/{name}:0"
            if self._is_inside(path):
                found = self._file[path]
                if isinstance(found, h5py.Dataset) and not found.is_virtual and not found.external:
                    return found
        return None

    def _is_inside(self, path: str) -> bool:
        """Whether every step of the path is an ordinary link: others may lead to other files."""
        steps = path.split("/")
        for end in range(1, len(steps) + 1):
            part = "/".join(steps[:end])
            if not isinstance(self._file.get(part, getlink=True), h5py.HardLink):
                return False
        return True
