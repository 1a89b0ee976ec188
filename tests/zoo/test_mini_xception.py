"""The four emotion networks: published-scale accuracies, onnxruntime, the laws, and bad files."""

from __future__ import annotations

import csv
import shutil

import cv2
import h5py
import numpy as np
import onnxruntime
import pytest
import torch

from bench.errors import UserError
from bench.predict.clip import Clip

NAMES = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "surprise": "surprise",
    "neutral": "neutral",
}
# Checkpoint, input size, correct of the 3,573 images of FER2013's PrivateTest: .6552, .6572, .6692, .4713.
CHECKPOINTS = [
    ("fer2013_mini_XCEPTION.102-0.66", 64, 2341),
    ("fer2013_mini_XCEPTION.119-0.65", 48, 2348),
    ("fer2013_big_XCEPTION.54-0.66", 64, 2391),
    ("fer2013_mini_XCEPTION.00-0.47", 64, 1684),
]
DEFAULT = "mini_xception/fer2013_mini_XCEPTION.102-0.66.hdf5"


@pytest.fixture(scope="module")
def faces(shared):
    """FER2013's PrivateTest: uint8 RGB [3573, 3, 48, 48], and the original labels in the field's nouns."""
    folder = shared / "data/ferplus"
    with (folder / "fer2013_original_labels.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["folder"] == "FER2013Test"]
    images = [cv2.imread(str(folder / "data/FER2013Test" / row["image"])) for row in rows]
    pixels = np.stack([cv2.cvtColor(image, cv2.COLOR_BGR2RGB) for image in images])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2), [NAMES[row["fer2013_label"]] for row in rows]


def clip_of(frames, id_="c"):
    return Clip(id_, frames, np.arange(len(frames)), np.arange(len(frames)) / 5)


def random_frames(count, height, width, seed=0):
    draw = np.random.default_rng(seed)
    return torch.from_numpy(draw.integers(0, 256, (count, 3, height, width), dtype=np.uint8))


@pytest.mark.parametrize(("name", "size", "correct"), CHECKPOINTS)
def test_known_accuracy_and_onnxruntime(name, size, correct, faces, build_entry, weights):
    frames, labels = faces
    assert len(labels) == 3573
    pipeline = build_entry("mini-xception", f"mini_xception/{name}.hdf5")
    scores = pipeline.predict([clip_of(part) for part in frames.split(128)])
    found = torch.cat([score.outputs["labels"] for score in scores]).numpy()

    hits = sum(pipeline.labels[best] == label for best, label in zip(found.argmax(1), labels, strict=True))
    assert abs(hits - correct) <= 2
    assert pipeline.front.size == size

    # The same weights in another format, run by another library, behind OpenCV's own grey and resize.
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(weights / f"mini_xception/onnx/{name}.onnx"), options)
    every = frames[::8].permute(0, 2, 3, 1).numpy()
    grey = [cv2.resize(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), (size, size)) for face in every]
    inputs = (np.stack(grey)[:, None] / 255 * 2 - 1).astype(np.float32)
    expected = session.run(None, {session.get_inputs()[0].name: inputs})[0]
    np.testing.assert_allclose(found[::8], expected, atol=1e-4)


@pytest.mark.parametrize(("name", "size", "correct"), CHECKPOINTS)
def test_a_batch_is_its_clips_one_by_one(name, size, correct, build_entry):
    pipeline = build_entry("mini-xception", f"mini_xception/{name}.hdf5")
    shapes = [(3, 48, 48), (1, 64, 64), (5, 48, 48), (2, 90, 70), (0, 48, 48)]
    clips = [clip_of(random_frames(*shape, seed), f"c{seed}") for seed, shape in enumerate(shapes)]
    together = pipeline.predict(clips)
    for clip, score in zip(clips, together, strict=True):
        (alone,) = pipeline.predict([clip])
        assert set(score.outputs) == {"labels"}
        assert score.outputs["labels"].shape == (len(clip), 7)
        assert np.array_equal(score.times, clip.times)
        torch.testing.assert_close(score.outputs["labels"], alone.outputs["labels"], atol=1e-4, rtol=0)
    again = pipeline.predict(clips)
    assert all(
        torch.equal(a.outputs["labels"], b.outputs["labels"]) for a, b in zip(together, again, strict=True)
    )


@pytest.mark.parametrize(("dtype", "most"), [(torch.bfloat16, 0.1), (torch.float16, 0.02)])
def test_lower_precision_moves_probabilities_a_little(dtype, most, build_entry):
    clip = clip_of(random_frames(4, 48, 48))
    full = build_entry("mini-xception", DEFAULT).predict([clip])[0].outputs["labels"]
    lower = build_entry("mini-xception", DEFAULT, dtype).predict([clip])[0].outputs["labels"]
    assert lower.dtype == torch.float32
    assert 0 < (full - lower).abs().max() < most
    torch.testing.assert_close(lower.sum(1), torch.ones(4))


def test_no_pixel_leaves_the_device(build_entry):
    pipeline = build_entry("mini-xception", DEFAULT, device="meta")
    # Mixing devices raises: an answer on meta means that every step ran there.
    (score,) = pipeline.predict([clip_of(random_frames(3, 48, 48).to("meta"))])
    assert score.outputs["labels"].device.type == "meta"


@pytest.fixture
def broken(weights, tmp_path):
    """A writable copy of the default checkpoint."""
    path = tmp_path / "copy.hdf5"
    shutil.copyfile(weights / DEFAULT, path)
    path.chmod(0o600)
    return path


BIAS = "model_weights/conv2d_7/conv2d_7_1/bias:0"


def remove(file):
    del file[BIAS]


def reshape(file):
    remove(file)
    file[BIAS] = np.zeros(8, np.float32)


def retype(file):
    remove(file)
    file[BIAS] = np.zeros(7, np.float64)


def link_outside(file):
    remove(file)
    file[BIAS] = h5py.ExternalLink("other.hdf5", "bias")


def change_padding(file):
    file.attrs["model_config"] = file.attrs["model_config"].replace('"valid"', '"causal"')


def drop_strides(file):
    file.attrs["model_config"] = file.attrs["model_config"].replace('"strides"', '"stride"')


def drop_config(file):
    del file.attrs["model_config"]


def break_config(file):
    file.attrs["model_config"] = b"{"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (remove, r"tensor 'bias' of layer 'conv2d_7' is missing"),
        (reshape, r"tensor 'bias' of layer 'conv2d_7' is float32 of shape \(8,\).*shape \(7,\)"),
        (retype, r"tensor 'bias' of layer 'conv2d_7' is float64"),
        (link_outside, r"tensor 'bias' of layer 'conv2d_7' is missing"),
        (change_padding, r"Conv2D 'conv2d_1' has .*causal"),
        (drop_strides, r"layer settings cannot be read \(KeyError: 'strides'\)"),
        (drop_config, r"no Keras model was found"),
        (break_config, r"model_config cannot be read"),
    ],
)
def test_a_file_that_is_not_the_network_is_refused(change, found, broken, build_entry):
    with h5py.File(broken, "r+") as file:
        change(file)
    with pytest.raises(UserError, match=found):
        build_entry("mini-xception", broken)


def test_other_files_are_refused(build_entry, weights, tmp_path):
    whole = (weights / DEFAULT).read_bytes()
    (tmp_path / "half.hdf5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="not an HDF5 file"):
        build_entry("mini-xception", tmp_path / "half.hdf5")
    (tmp_path / "text.hdf5").write_text("no tensors")
    with pytest.raises(UserError, match="not an HDF5 file"):
        build_entry("mini-xception", tmp_path / "text.hdf5")
    with pytest.raises(UserError, match="2 outputs"):
        build_entry("mini-xception", "mini_xception/gender_mini_XCEPTION.21-0.95.hdf5")
