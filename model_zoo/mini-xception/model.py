"""mini_XCEPTION and big_XCEPTION: the small FER2013 networks of Arriaga et al. (2017), from Keras HDF5.

Which of the two, the input size, the widths and the strides come from the file. A grey face that fills a
square goes in, seven probabilities come out, frame by frame. It refuses files of other architectures.
Source: Arriaga, Ploeger, Valdenegro, "Real-time convolutional neural networks for emotion and gender
classification", arXiv 1710.07557; code and weights: github.com/oarriaga/face_classification.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from _parts.hdf5 import KerasFile
from _parts.opencv_pixels import grey, resize
from torch import nn

from bench.predict.clip import Clip, Sampling, Scores
from bench.predict.front import Front
from bench.predict.pipeline import Build, Pipeline

# The order of the files' outputs: angry, disgust, fear, happy, sad, surprise, neutral.
LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
_LARGEST_INPUT, _WIDEST = 512, 2048


def build(request: Build) -> Pipeline:
    """The network of the checkpoint, ready on the device; it looks at five frames a second."""
    if request.weights is None:
        raise ValueError("mini-xception is built from a weight file")
    with KerasFile(request.weights) as file:
        try:
            network = Xception(file)
        except (KeyError, TypeError, ValueError) as error:
            found = f"layer settings cannot be read ({type(error).__name__}: {error})"
            raise file.refusal(found, _ARCHITECTURE) from error
    # Channels last: four times faster on a CPU, whose separable convolutions are slow otherwise.
    network.to(request.device, request.dtype, memory_format=torch.channels_last).eval()
    return Pipeline(
        predict=Classifier(network, request.dtype),
        labels=LABELS,
        sampling=Sampling(rate=5),
        # Without margin the points of a face lie where they lie in FER2013's images (bench/predict/align.py).
        front=Front(detector="yunet", size=network.size, margin=0.0),
    )


@dataclass(frozen=True)
class Classifier:
    """Clips of faces to probabilities: every frame on its own, all frames of one size in one pass."""

    network: Xception
    dtype: torch.dtype

    @torch.inference_mode()
    def __call__(self, clips: Sequence[Clip]) -> list[Scores]:
        """One Scores per clip, one row per frame."""
        places: dict[tuple[int, ...], list[int]] = {}
        for place, clip in enumerate(clips):
            places.setdefault(tuple(clip.frames.shape[1:]), []).append(place)
        scores: dict[int, Scores] = {}
        for group in places.values():
            labels = self._probabilities(torch.cat([clips[place].frames for place in group]))
            parts = labels.split([len(clips[place]) for place in group])
            for place, part in zip(group, parts, strict=True):
                scores[place] = Scores(clips[place].times, {"labels": part})
        return [scores[place] for place in range(len(clips))]

    def _probabilities(self, frames: torch.Tensor) -> torch.Tensor:
        """Float32 [T, 7] of uint8 [T, 3, H, W]."""
        size = self.network.size
        faces = resize(grey(frames), size, size)[:, None].float() / 255 * 2 - 1
        logits: torch.Tensor = self.network(faces.to(self.dtype))
        return logits.float().softmax(1)


class Xception(nn.Module):
    """Either network: two plain convolutions, residual blocks of separable ones, a mean over the plane."""

    def __init__(self, file: KerasFile) -> None:
        super().__init__()
        self.size = _input_size(file)
        big = "block1_conv1_bn" in file.layers
        stem, blocks = (_BIG_STEM, _BIG_BLOCKS) if big else (_MINI_STEM, _MINI_BLOCKS)
        channels, layers = 1, list[nn.Module]()
        for names in stem:
            convolution = _convolution(file, names[0], channels)
            channels = convolution.out_channels
            layers += [convolution, _normalisation(file, names[1], channels), nn.ReLU()]
        self.stem = nn.Sequential(*layers)
        self.blocks = nn.Sequential()
        for place, block in enumerate(blocks):
            # In big_XCEPTION a ReLU stands before each block but the first, which follows one anyway.
            self.blocks.append(Block(file, block, channels, relu_first=big and place > 0))
            channels = self.blocks[-1].channels
        self.head = _convolution(file, f"conv2d_{len(stem) + len(blocks) + 1}", channels, bias=True)
        if self.head.out_channels != len(LABELS):
            raise file.refusal(f"the network has {self.head.out_channels} outputs", f"{len(LABELS)} outputs")

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """Logits [T, 7] of faces [T, 1, size, size] in [-1, 1]."""
        logits: torch.Tensor = self.head(self.blocks(self.stem(faces))).mean((2, 3))
        return logits


@dataclass(frozen=True)
class BlockNames:
    """Which layers of the file make one block: two separable convolutions, the shortcut, their norms."""

    first: tuple[str, str]
    second: tuple[str, str]
    shortcut: tuple[str, str]


class Block(nn.Module):
    """Two separable convolutions and, where the block halves the plane, a maximum; plus a shortcut."""

    def __init__(self, file: KerasFile, names: BlockNames, channels: int, *, relu_first: bool) -> None:
        super().__init__()
        shortcut = _convolution(file, names.shortcut[0], channels)
        self.channels = shortcut.out_channels
        self.halves = shortcut.stride == (2, 2)
        self.shortcut = nn.Sequential(shortcut, _normalisation(file, names.shortcut[1], self.channels))
        self.path = nn.Sequential(
            nn.ReLU() if relu_first else nn.Identity(),
            *_separable(file, names.first[0], channels, self.channels),
            _normalisation(file, names.first[1], self.channels),
            nn.ReLU(),
            *_separable(file, names.second[0], self.channels, self.channels),
            _normalisation(file, names.second[1], self.channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[T, C, H, W] to [T, channels, ceil(H/2), ceil(W/2)], or to the same plane."""
        path: torch.Tensor = self.path(x)
        if self.halves:
            # "same" in TensorFlow pads an even plane at its far side only; ceil_mode reaches over that side.
            path = F.max_pool2d(path, 3, stride=2, padding=path.shape[-1] % 2, ceil_mode=True)
        shortcut: torch.Tensor = self.shortcut(x)
        return path + shortcut


def _convolution(file: KerasFile, name: str, channels: int, *, bias: bool = False) -> nn.Conv2d:
    """A Conv2D of the file, whose padding is none ("valid") or half the kernel ("same")."""
    config = file.layer(name, "Conv2D")
    kernel, stride, width = tuple(config["kernel_size"]), tuple(config["strides"]), int(config["filters"])
    padding = {"valid": 0, "same": kernel[0] // 2}.get(config["padding"])
    # Only a 1x1 kernel may step by two under "same": any other would be padded at one side.
    steps = stride == (1, 1) or (stride == (2, 2) and padding == 0)
    if kernel not in ((1, 1), (3, 3)) or not steps or padding is None or not 0 < width <= _WIDEST:
        raise file.refusal(f"Conv2D {name!r} has {kernel}, {stride}, {config['padding']}", _ARCHITECTURE)
    layer = nn.Conv2d(channels, width, kernel, stride, padding, bias=bias)
    _fill(layer.weight, file.tensor(name, "kernel", (*kernel, channels, width)).permute(3, 2, 0, 1))
    if layer.bias is not None:
        _fill(layer.bias, file.tensor(name, "bias", (width,)))
    return layer


def _separable(file: KerasFile, name: str, channels: int, width: int) -> tuple[nn.Conv2d, nn.Conv2d]:
    """A SeparableConv2D of the file: 3x3 over each channel, then 1x1 across channels."""
    config = file.layer(name, "SeparableConv2D")
    if (config["padding"], tuple(config["strides"])) != ("same", (1, 1)):
        raise file.refusal(
            f"SeparableConv2D {name!r} is {config['padding']}, {config['strides']}", _ARCHITECTURE
        )
    depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
    pointwise = nn.Conv2d(channels, width, 1, bias=False)
    _fill(depthwise.weight, file.tensor(name, "depthwise_kernel", (3, 3, channels, 1)).permute(2, 3, 0, 1))
    _fill(
        pointwise.weight, file.tensor(name, "pointwise_kernel", (1, 1, channels, width)).permute(3, 2, 0, 1)
    )
    return depthwise, pointwise


def _normalisation(file: KerasFile, name: str, channels: int) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(channels, eps=float(file.layer(name, "BatchNormalization")["epsilon"]))
    _fill(layer.weight, file.tensor(name, "gamma", (channels,)))
    _fill(layer.bias, file.tensor(name, "beta", (channels,)))
    _fill(layer.running_mean, file.tensor(name, "moving_mean", (channels,)))
    _fill(layer.running_var, file.tensor(name, "moving_variance", (channels,)))
    return layer


def _fill(target: torch.Tensor | None, values: torch.Tensor) -> None:
    if target is None:
        raise TypeError("the layer has no such tensor")
    with torch.no_grad():
        target.copy_(values)


def _input_size(file: KerasFile) -> int:
    shape = file.layer("input_1", "InputLayer")["batch_input_shape"]
    if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 1 or not 16 <= shape[1] <= _LARGEST_INPUT:
        raise file.refusal(f"the input is {shape}", "A square grey image of 16 to 512 pixels")
    return int(shape[1])


_ARCHITECTURE = "mini_XCEPTION or big_XCEPTION of github.com/oarriaga/face_classification"
_MINI_STEM = (("conv2d_1", "batch_normalization_1"), ("conv2d_2", "batch_normalization_2"))
# Keras counted the layers as they were made: in each block the shortcut's norm came before the path's.
_MINI_BLOCKS = tuple(
    BlockNames(
        first=(f"separable_conv2d_{2 * block - 1}", f"batch_normalization_{3 * block + 1}"),
        second=(f"separable_conv2d_{2 * block}", f"batch_normalization_{3 * block + 2}"),
        shortcut=(f"conv2d_{block + 2}", f"batch_normalization_{3 * block}"),
    )
    for block in (1, 2, 3, 4)
)
_BIG_STEM = (("conv2d_1", "block1_conv1_bn"), ("conv2d_2", "block1_conv2_bn"))
_BIG_BLOCKS = tuple(
    BlockNames(
        first=(f"separable_conv2d_{2 * block - 1}", f"block{block + 1}_sepconv1_bn"),
        second=(f"separable_conv2d_{2 * block}", f"block{block + 1}_sepconv2_bn"),
        shortcut=(f"conv2d_{block + 2}", f"batch_normalization_{block}"),
    )
    for block in (1, 2)
)
