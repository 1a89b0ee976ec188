"""The interpreter against onnxruntime, and what it refuses."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from bench.errors import UserError


@pytest.fixture
def graph_of(load_entry):
    load_entry("yunet")
    from _parts.onnx_graph import OnnxGraph

    return OnnxGraph


def model_of(nodes, tensors=(), inputs=("x",)):
    def value(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2, "h", "w"])

    initializers = [numpy_helper.from_array(array, name) for name, array in dict(tensors).items()]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [value(name) for name in inputs], [output], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)


def saved(tmp_path, model):
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def by_onnxruntime(path, pixels):
    session = onnxruntime.InferenceSession(str(path))
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: pixels}), strict=True))


@pytest.mark.parametrize("shape", [(3, 3, 96, 160), (1, 3, 32, 32), (2, 3, 384, 640)])
def test_yunet_is_what_onnxruntime_computes(graph_of, weights, shape):
    path = weights / "yunet/yunet_n_dynamic.onnx"
    pixels = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    with torch.inference_mode():
        found = graph_of(path)(torch.from_numpy(pixels))
    expected = by_onnxruntime(path, pixels)
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].numpy(), values, atol=1e-4)


def test_uneven_padding_strides_groups_and_repeats(graph_of, tmp_path):
    draw = np.random.default_rng(3)
    tensors = {
        "w": draw.normal(size=(4, 1, 3, 3)).astype(np.float32),
        "f": np.array([1, 1, 2, 3], np.float32),
        "r": np.array([], np.float32),
        "s": np.array([0, -1], np.int64),
    }
    repeats = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[0, 1, 2, 0], strides=[2, 1], group=2),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Resize", ["b", "r", "f"], ["c"], **repeats),
        helper.make_node("Add", ["c", "c"], ["d"]),
        helper.make_node("Transpose", ["d"], ["e"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["e", "s"], ["y"]),
    ]
    path = saved(tmp_path, model_of(nodes, tensors))
    pixels = draw.normal(size=(2, 2, 9, 8)).astype(np.float32)
    found = graph_of(path)(torch.from_numpy(pixels))
    np.testing.assert_allclose(found["y"].numpy(), by_onnxruntime(path, pixels)["y"], atol=1e-5)


def test_normalisation_constants_and_channels_side_by_side(graph_of, tmp_path):
    draw = np.random.default_rng(4)
    tensors = {name: draw.normal(size=2).astype(np.float32) for name in ("scale", "shift", "mean")}
    tensors["variance"] = draw.uniform(0.1, 2, 2).astype(np.float32)
    factors = numpy_helper.from_array(draw.normal(size=(2, 1, 1)).astype(np.float32))
    shape = numpy_helper.from_array(np.array([0, -1, 5], np.int64))
    nodes = [
        helper.make_node("BatchNormalization", ["x", *tensors], ["a"], epsilon=0.01),
        helper.make_node("Constant", [], ["f"], value=factors),
        helper.make_node("Add", ["a", "f"], ["b"]),
        helper.make_node("Concat", ["b", "x"], ["c"], axis=1),
        helper.make_node("Constant", [], ["s"], value=shape),
        helper.make_node("Reshape", ["c", "s"], ["y"]),
    ]
    path = saved(tmp_path, model_of(nodes, tensors))
    pixels = draw.normal(size=(2, 2, 3, 5)).astype(np.float32)
    found, expected = graph_of(path)(torch.from_numpy(pixels))["y"], by_onnxruntime(path, pixels)["y"]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_another_value_may_be_asked_for_and_the_rest_is_left_out(graph_of, tmp_path):
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Selu", ["a"], ["y"])]
    path = saved(tmp_path, model_of(nodes))
    pixels = torch.randn(1, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    found = graph_of(path, ["a"])(pixels)
    assert list(found) == ["a"]
    assert torch.equal(found["a"], pixels.clamp(min=0))
    with pytest.raises(UserError, match="there is no value b, c"):
        graph_of(path, ["c", "a", "b"])


def test_refuses_a_constant_that_is_no_tensor(graph_of, tmp_path):
    nodes = [
        helper.make_node("Constant", [], ["c"], name="n3", value_float=2.0),
        helper.make_node("Add", ["x", "c"], ["y"]),
    ]
    with pytest.raises(UserError, match="Constant of node 'n3' has value_float"):
        graph_of(saved(tmp_path, model_of(nodes)))


def test_runs_without_a_device(graph_of, weights):
    graph = graph_of(weights / "yunet/yunet_n_dynamic.onnx").to("meta", torch.bfloat16)
    found = graph(torch.empty(2, 3, 64, 96, device="meta", dtype=torch.bfloat16))
    assert {value.device.type for value in found.values()} == {"meta"}
    assert found["bbox_8"].shape == (2, 8 * 12, 4)


def test_says_which_batch_a_file_is_fixed_to(graph_of, weights):
    assert graph_of(weights / "yunet/yunet_n_dynamic.onnx").batch is None
    assert graph_of(weights / "yunet/yunet_s_640_640.onnx").batch == 1


def test_refuses_an_operator_by_name(graph_of, tmp_path):
    path = saved(tmp_path, model_of([helper.make_node("Selu", ["x"], ["y"], name="n7")]))
    with pytest.raises(UserError, match="operator 'Selu' of node 'n7' is not known"):
        graph_of(path)


def test_refuses_a_setting_it_does_not_honour(graph_of, tmp_path):
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], ceil_mode=1)
    with pytest.raises(UserError, match="ceil_mode = 1"):
        graph_of(saved(tmp_path, model_of([node])))


def test_refuses_weights_outside_the_file(graph_of, tmp_path):
    model = model_of([helper.make_node("Add", ["x", "w"], ["y"])], {"w": np.ones((2, 1, 1), np.float32)})
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")
    with pytest.raises(UserError, match="lies outside the file"):
        graph_of(saved(tmp_path, model))


def test_refuses_what_is_no_graph_of_one_input(graph_of, tmp_path):
    two = model_of([helper.make_node("Add", ["x", "z"], ["y"])], inputs=("x", "z"))
    with pytest.raises(UserError, match="2 inputs"):
        graph_of(saved(tmp_path, two))
    (tmp_path / "text.onnx").write_text("no graph at all")
    with pytest.raises(UserError, match="not an ONNX file"):
        graph_of(tmp_path / "text.onnx")
    (tmp_path / "empty.onnx").write_bytes(onnx.ModelProto().SerializeToString())
    with pytest.raises(UserError, match="0 inputs"):
        graph_of(tmp_path / "empty.onnx")
