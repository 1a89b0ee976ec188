"""The operators of FSA-Net's files in the interpreter, each against onnxruntime on a graph of a few nodes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from bench.errors import UserError
from tests.zoo.test_onnx_graph import by_onnxruntime, graph_of, saved

__all__ = ["graph_of"]  # the fixture


def model_of(nodes, tensors=()):
    """A graph of opset 9, whose Slice, Squeeze and ReduceSum say in settings what later ones take as inputs."""
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4, "h", "w"])
    initializers = [numpy_helper.from_array(array, name) for name, array in dict(tensors).items()]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [value], [output], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4)


def node(kind, inputs, output, **settings):
    return helper.make_node(kind, inputs, [output], **settings)


def scalar(value, dtype=np.float32):
    return np.array(value, dtype)


GRAPHS = {
    "means of pixels": ([node("AveragePool", ["x"], "y", kernel_shape=[2, 2], strides=[2, 2])], {}),
    "sums, roots and shares": (
        [
            node("Mul", ["x", "x"], "a"),
            node("ReduceSum", ["a"], "b", axes=[-1], keepdims=1),
            node("Sqrt", ["b"], "c"),
            node("Div", ["x", "c"], "d"),
            node("Pow", ["d", "two"], "e"),
            node("Tanh", ["e"], "f"),
            node("Exp", ["f"], "y"),
        ],
        {"two": scalar(2)},
    ),
    "variance of channels": (
        [
            node("ReduceMean", ["x"], "a", axes=[1], keepdims=1),
            node("Sub", ["x", "a"], "b"),
            node("Mul", ["b", "b"], "c"),
            node("ReduceMean", ["c"], "d", axes=[1], keepdims=0),
            node("Unsqueeze", ["d"], "y", axes=[1, 4]),
        ],
        {},
    ),
    "a part of the channels, one column, without its axis": (
        [
            node("Slice", ["x"], "a", axes=[1], starts=[1], ends=[9223372036854775807]),
            node("Pad", ["a"], "b", mode="constant", pads=[0] * 8, value=0.0),
            node("Slice", ["b"], "c", axes=[3, 1], starts=[2, 0], ends=[3, 2]),
            node("Squeeze", ["c"], "y", axes=[3]),
        ],
        {},
    ),
    "weights of a layer and products of matrices": (
        [
            node("Gather", ["x", "second"], "a", axis=2),
            node("Gather", ["a", "first"], "b", axis=1),
            node("Gemm", ["b", "w", "v"], "c", alpha=1.0, beta=1.0, transB=1),
            node("MatMul", ["c", "m"], "y"),
        ],
        {
            "first": scalar(0, np.int64), "second": scalar(1, np.int64),
            "w": np.arange(15, dtype=np.float32).reshape(3, 5) / 7, "v": np.ones(3, np.float32),
            "m": np.arange(6, dtype=np.float32).reshape(3, 2) - 2,
        },
    ),
    "a tensor made from the input's shape": (
        [
            node("Shape", ["x"], "s"),
            node("Gather", ["s", "first"], "n", axis=0),
            node("Unsqueeze", ["n"], "n1", axes=[0]),
            node("Unsqueeze", ["four"], "f1", axes=[0]),
            node("Concat", ["n1", "f1", "ones"], "shape", axis=0),
            node("ConstantOfShape", ["shape"], "a", value=numpy_helper.from_array(np.full(1, 2.5, np.float32))),
            node("Cast", ["a"], "b", to=1),
            node("Add", ["x", "b"], "y"),
        ],
        {"first": scalar(0, np.int64), "four": scalar(4, np.int64), "ones": np.ones(2, np.int64)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_operators_are_what_onnxruntime_computes(graph_of, tmp_path, name):
    path = saved(tmp_path, model_of(*GRAPHS[name]))
    pixels = np.random.default_rng(2).normal(size=(3, 4, 6, 5)).astype(np.float32)
    found, expected = graph_of(path)(torch.from_numpy(pixels))["y"], by_onnxruntime(path, pixels)["y"]
    assert expected.std() > 0
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5, rtol=1e-5)


def test_what_is_made_of_a_shape_has_the_precision_of_the_pixels(graph_of, tmp_path):
    nodes, tensors = GRAPHS["a tensor made from the input's shape"]
    graph = graph_of(saved(tmp_path, model_of(nodes, tensors)))
    assert graph(torch.zeros(2, 4, 3, 3, dtype=torch.float16))["y"].dtype == torch.float16


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (node("Pad", ["x"], "y", mode="constant", pads=[0, 0, 1, 1, 0, 0, 0, 0]), "Pad of node '' has pads"),
        (node("Cast", ["x"], "y", to=7), "Cast of node '' has to = 7"),
        (node("Gemm", ["x", "x", "x"], "y", alpha=0.5), "Gemm of node '' has alpha = 0.5"),
    ],
)
def test_settings_it_does_not_honour_are_refused(graph_of, tmp_path, wrong, said):
    with pytest.raises(UserError, match=said):
        graph_of(saved(tmp_path, model_of([wrong])))


def test_a_shape_is_never_divided_as_if_it_were_a_weight(graph_of, tmp_path):
    nodes = [node("Shape", ["x"], "s"), node("Div", ["s", "s"], "t"), node("Reshape", ["x", "t"], "y")]
    with pytest.raises(TypeError):
        graph_of(saved(tmp_path, model_of(nodes)))(torch.zeros(2, 4, 3, 3))
