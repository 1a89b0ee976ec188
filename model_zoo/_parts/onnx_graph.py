"""An ONNX file as an ordinary torch module: one file runs on every device and dtype torch has.

The graph is read with ``onnx`` and each node calls one torch function. What only steers shapes stays numpy
on the host, so that the chosen device sees the pixels' path and nothing else. It refuses operators it does
not know, settings of known operators that it does not honour, weights outside the file, and big files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import nn

from bench.errors import UserError, listed

__all__ = ["OnnxGraph"]

_LARGEST = 256 << 20
Settings = dict[str, Any]


class OnnxGraph(nn.Module):
    """The graph of an ONNX file; ``forward`` takes its one input and returns every output by name.

    ``outputs``: the names of other values to return instead; what only others need is left out.
    ``batch``: the batch size the file is fixed to, None where it takes any.
    Raises UserError for a file that is not a self-contained ONNX graph of the known operators.
    """

    def __init__(self, path: Path, outputs: Sequence[str] = ()) -> None:
        super().__init__()
        self._path = path
        graph = _read(path).graph
        self._outputs = list(outputs or (value.name for value in graph.output))
        nodes = self._needed(graph)
        # Second and later inputs of these operators are shapes and factors, not weights.
        steering = {name for node in nodes if node.op_type in _SHAPED for name in node.input[1:]}
        self._constants: dict[str, np.ndarray] = {}
        self._buffer_of: dict[str, str] = {}
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        tensors |= {node.output[0]: self._constant(node) for node in nodes if node.op_type == "Constant"}
        for name, tensor in tensors.items():
            self._keep(name, tensor, on_host=name in steering)
        inputs = [value for value in graph.input if value.name not in self._constants | self._buffer_of]
        if len(inputs) != 1:
            raise _refusal(path, f"the graph has {len(inputs)} inputs", "One input")
        self._input = inputs[0].name
        first = inputs[0].type.tensor_type.shape.dim[0]
        self.batch: int | None = first.dim_value if first.HasField("dim_value") else None
        self._steps = [self._step(node) for node in nodes if node.op_type != "Constant"]
        last = {name: place for place, step in enumerate(self._steps) for name in step.sources}
        made = {step.target for step in self._steps} - set(self._outputs)
        self._done = [[name for name in made if last.get(name) == place] for place in range(len(self._steps))]

    def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run the graph."""
        known: dict[str, Any] = {"": None, **self._constants, self._input: pixels}
        known.update((name, self.get_buffer(buffer)) for name, buffer in self._buffer_of.items())
        for step, done in zip(self._steps, self._done, strict=True):
            made = step.function(step.settings, *(known[name] for name in step.sources))
            known[step.target] = _beside(pixels, made)
            for name in done:  # memory that the next step may take
                del known[name]
        return {name: known[name] for name in self._outputs}

    def _needed(self, graph: onnx.GraphProto) -> list[onnx.NodeProto]:
        """The nodes that the outputs need, in the order of the file."""
        wanted, nodes = set(self._outputs), list[onnx.NodeProto]()
        for node in reversed(graph.node):
            if wanted & set(node.output):
                wanted |= set(node.input) - {""}
                nodes.append(node)
        if missing := set(self._outputs) - {name for node in nodes for name in node.output}:
            raise _refusal(self._path, f"there is no value {listed(sorted(missing))}", "Values of the graph")
        return nodes[::-1]

    def _constant(self, node: onnx.NodeProto) -> onnx.TensorProto:
        if [item.name for item in node.attribute] != ["value"]:
            found = f"Constant of node {node.name!r} has {listed(item.name for item in node.attribute)}"
            raise _refusal(self._path, found, "A tensor as its value")
        return node.attribute[0].t

    def _keep(self, name: str, tensor: onnx.TensorProto, *, on_host: bool) -> None:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise _refusal(self._path, f"tensor {name!r} lies outside the file", "One file with all weights")
        array = numpy_helper.to_array(tensor)
        if on_host or array.dtype != np.float32:
            self._constants[name] = array
        else:
            self._buffer_of[name] = f"constant_{len(self._buffer_of)}"
            self.register_buffer(self._buffer_of[name], torch.from_numpy(array.copy()))

    def _step(self, node: onnx.NodeProto) -> _Step:
        if node.op_type not in _OPERATORS or node.domain not in ("", "ai.onnx") or len(node.output) != 1:
            found = f"operator {node.op_type!r} of node {node.name!r} is not known"
            raise _refusal(self._path, found, f"Known operators: {listed(_OPERATORS)}")
        function, honoured = _OPERATORS[node.op_type]
        settings = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        for name, value in settings.items():
            allowed = honoured.get(name, ())
            if allowed is not _ANY and value not in allowed:
                found = f"{node.op_type} of node {node.name!r} has {name} = {value!r}"
                raise _refusal(
                    self._path, found, f"Allowed: {listed(map(repr, allowed)) or 'no such setting'}"
                )
        return _Step(function, settings, tuple(node.input), node.output[0])


class _Step(NamedTuple):
    function: Callable[..., Any]
    settings: Settings
    sources: tuple[str, ...]
    target: str


def _read(path: Path) -> onnx.ModelProto:
    size = path.stat().st_size
    if size > _LARGEST:
        raise _refusal(path, f"the file has {size} bytes", f"At most {_LARGEST} bytes")
    try:
        return onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's own error class moved between its versions
        raise _refusal(path, "this is not an ONNX file", "One ONNX model") from error


def _refusal(path: Path, found: str, allowed: str) -> UserError:
    return UserError(str(path), found, allowed, "Choose another weight file")


def _beside(pixels: torch.Tensor, made: Any) -> Any:
    """What a step made: numbers that are no shape stand where the pixels do, in their precision."""
    if isinstance(made, np.ndarray) and made.dtype.kind == "f":
        return torch.from_numpy(made).to(pixels.device, pixels.dtype)
    return made


def _convolve(
    settings: Settings, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    top, left, bottom, right = settings.get("pads", (0, 0, 0, 0))
    even = (top, left) == (bottom, right)
    return F.conv2d(
        x if even else F.pad(x, (left, right, top, bottom)),
        weight,
        bias,
        stride=settings.get("strides", 1),
        padding=(top, left) if even else 0,
        dilation=settings.get("dilations", 1),
        groups=settings.get("group", 1),
    )


def _normalise(settings: Settings, x: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
    scale, shift, mean, variance = weights
    return F.batch_norm(x, mean, variance, scale, shift, eps=settings.get("epsilon", 1e-5))


def _join(settings: Settings, *parts: Any) -> Any:
    join = torch.cat if isinstance(parts[0], torch.Tensor) else np.concatenate
    return join(parts, settings["axis"])


def _pool(settings: Settings, x: torch.Tensor) -> torch.Tensor:
    return F.max_pool2d(x, settings["kernel_shape"], settings.get("strides", 1))


def _pool_means(settings: Settings, x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(x, settings["kernel_shape"], settings.get("strides", 1))


def _fill(settings: Settings, shape: np.ndarray) -> np.ndarray:
    value = numpy_helper.to_array(settings["value"])
    return np.full(shape, value[0], value.dtype)


def _pick(settings: Settings, x: Any, places: np.ndarray) -> Any:
    return x[(slice(None),) * settings.get("axis", 0) + (places.tolist(),)]


def _cut(settings: Settings, x: Any) -> Any:
    cuts = {
        axis: slice(start, end)
        for axis, start, end in zip(settings["axes"], settings["starts"], settings["ends"], strict=True)
    }
    return x[tuple(cuts.get(axis, slice(None)) for axis in range(len(x.shape)))]


def _reduce(settings: Settings, x: torch.Tensor, how: Callable[..., torch.Tensor]) -> torch.Tensor:
    return how(x, settings["axes"], keepdim=bool(settings.get("keepdims", 1)))


def _widen(settings: Settings, x: Any) -> Any:
    for axis in sorted(settings["axes"]):
        x = x.unsqueeze(axis) if isinstance(x, torch.Tensor) else np.expand_dims(x, axis)
    return x


def _repeat_pixels(_: Settings, x: torch.Tensor, _region: object, factors: np.ndarray) -> torch.Tensor:
    # "nearest", "asymmetric" and "floor" together are what torch calls nearest.
    return F.interpolate(x, scale_factor=tuple(factors[2:].tolist()), mode="nearest")


def _reshape(_: Settings, x: torch.Tensor, shape: np.ndarray) -> torch.Tensor:
    return x.reshape([x.shape[place] if size == 0 else size for place, size in enumerate(shape.tolist())])


_ANY = object()
_SHAPED = ("Reshape", "Resize", "Unsqueeze")
_CONV = {"kernel_shape": _ANY, "strides": _ANY, "pads": _ANY, "dilations": _ANY, "group": _ANY}
_POOL = {"kernel_shape": _ANY, "strides": _ANY, "pads": ([0, 0, 0, 0],), "ceil_mode": (0,)}
_RESIZE = {
    "mode": (b"nearest",),
    "coordinate_transformation_mode": (b"asymmetric",),
    "nearest_mode": (b"floor",),
    "cubic_coeff_a": _ANY,  # means nothing under nearest
}
_REDUCE = {"axes": _ANY, "keepdims": (0, 1)}
_NO_PAD = {"mode": (b"constant",), "value": (0.0,), "pads": ([0] * 4, [0] * 6, [0] * 8)}
_GEMM = {"alpha": (1.0,), "beta": (1.0,), "transA": (0,), "transB": (1,)}
# Each operator's function, and the settings it honours. Shape and what is made of it alone are numpy; torch's
# own functions refuse that, so that no shape is divided as if it were a weight.
_OPERATORS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "Add": (lambda _, x, y: x + y, {}),
    "AveragePool": (_pool_means, {**_POOL, "auto_pad": (b"NOTSET",), "count_include_pad": _ANY}),
    "BatchNormalization": (_normalise, {"epsilon": _ANY, "momentum": _ANY, "training_mode": (0,)}),
    # Tensors have the precision of the whole graph, whatever float the file names.
    "Cast": (lambda _, x: x if isinstance(x, torch.Tensor) else x.astype(np.float32), {"to": (1,)}),
    "Concat": (_join, {"axis": _ANY}),
    "ConstantOfShape": (_fill, {"value": _ANY}),
    "Conv": (_convolve, {**_CONV, "auto_pad": (b"NOTSET",)}),
    "Div": (lambda _, x, y: torch.div(x, y), {}),
    "Exp": (lambda _, x: torch.exp(x), {}),
    "Gather": (_pick, {"axis": _ANY}),
    "Gemm": (lambda _, x, weight, bias: F.linear(x, weight, bias), _GEMM),
    "MatMul": (lambda _, x, y: torch.matmul(x, y), {}),
    "MaxPool": (_pool, {**_POOL, "auto_pad": (b"NOTSET",)}),
    "Mul": (lambda _, x, y: x * y, {}),
    "Pad": (lambda _, x: x, _NO_PAD),
    "Pow": (lambda _, x, y: torch.pow(x, y), {}),
    "ReduceMean": (lambda settings, x: _reduce(settings, x, torch.mean), _REDUCE),
    "ReduceSum": (lambda settings, x: _reduce(settings, x, torch.sum), _REDUCE),
    "Relu": (lambda _, x: F.relu(x), {}),
    "Reshape": (_reshape, {"allowzero": (0,)}),
    "Resize": (_repeat_pixels, _RESIZE),
    "Shape": (lambda _, x: np.array(x.shape), {}),
    "Sigmoid": (lambda _, x: torch.sigmoid(x), {}),
    "Slice": (_cut, {"axes": _ANY, "starts": _ANY, "ends": _ANY}),
    "Sqrt": (lambda _, x: torch.sqrt(x), {}),
    "Squeeze": (lambda settings, x: torch.squeeze(x, tuple(settings["axes"])), {"axes": _ANY}),
    "Sub": (lambda _, x, y: torch.sub(x, y), {}),
    "Tanh": (lambda _, x: torch.tanh(x), {}),
    "Transpose": (lambda settings, x: x.permute(settings["perm"]), {"perm": _ANY}),
    "Unsqueeze": (_widen, {"axes": _ANY}),
}
