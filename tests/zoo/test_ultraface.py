"""UltraFace against the whole of its ONNX files under onnxruntime, decoding and prior boxes included."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.predict.pipeline import Build

FILES = {"rfb": "ultraface/version-RFB-320.onnx", "slim": "ultraface/version-slim-320.onnx"}


@pytest.fixture(scope="module")
def build(load_entry, weights):
    def make(checkpoint):
        path = weights / FILES[checkpoint]
        request = Build(torch.device("cpu"), torch.float32, path, checkpoint)
        return load_entry("ultraface").build(request), path

    return make


@pytest.mark.parametrize("checkpoint", FILES)
def test_rows_are_what_onnxruntime_computes(checkpoint, build):
    onnxruntime = pytest.importorskip("onnxruntime")
    detector, path = build(checkpoint)
    frames = np.random.default_rng(0).integers(0, 256, (3, 3, 240, 320), dtype=np.uint8)
    rows, scale = detector.rows(torch.from_numpy(frames))
    assert scale.tolist() == [1, 1]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options)
    for frame, row in zip(frames, rows.double().numpy(), strict=True):
        scores, corners = session.run(None, {"input": ((frame[None] - 127.0) / 128).astype(np.float32)})
        corners = corners[0] * [320, 240, 320, 240]
        np.testing.assert_allclose(row[:, 0], scores[0, :, 1], atol=1e-4)
        np.testing.assert_allclose(row[:, 1:3], corners[:, :2], atol=0.01)
        np.testing.assert_allclose(row[:, 1:3] + row[:, 3:], corners[:, 2:], atol=0.01)


def test_frames_keep_their_shape_inside_the_size_of_training(load_entry):
    frames = torch.full((1, 3, 480, 100), 255, dtype=torch.uint8)
    pixels, scale = load_entry("ultraface").prepare(frames)
    assert pixels.shape == (1, 3, 240, 320)
    assert scale.tolist() == [2, 2]
    assert pixels[..., :50].min() == pytest.approx(1)
    assert (pixels[..., 50:] == 0).all()
