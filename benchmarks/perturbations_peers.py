"""What imagecorruptions, kornia and albumentations are asked for beside our perturbations.

One call for each kind that a library has, over the same 32 pictures, with amounts that do about our harm at a
severity. A library that is not installed raises ImportError.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import cv2
import numpy as np
import torch

from bench.predict.perturb import PERTURBATIONS
from bench.predict.perturb.optics import disk

__all__ = ["COUNT", "KINDS", "PEERS", "SIZE", "Call", "Calls", "Pictures"]

Call = Callable[[], Any]
Calls = dict[str, Call]  # by kind; each returns the whole batch

COUNT, SIZE = 32, 224
KINDS = (
    "sensor_noise", "shot_noise", "impulse_noise", "defocus", "motion_blur", "zoom_blur", "vignetting",
    "exposure", "contrast", "gamma", "colour_temperature", "white_balance", "bit_depth", "low_resolution",
    "roll", "camera_tilt", "distance", "off_centre",
)  # fmt: skip
BRIGHTNESS = (0.1, 0.2, 0.3, 0.4, 0.5)  # of imagecorruptions, for the peers to agree on
PIXELATE = (1 / 0.6, 1 / 0.5, 1 / 0.4, 1 / 0.3, 1 / 0.25)  # its factors
TILT = (0.05, 0.1, 0.15, 0.2, 0.25)  # share of the half side by which kornia may move a corner


@dataclass(frozen=True)
class Pictures:
    """The same pictures for everyone: bytes [32, 3, H, W], bytes [H, W, 3] each, floats [32, 3, H, W]."""

    planes: torch.Tensor
    images: list[np.ndarray]
    floats: torch.Tensor


def levels(severity: int) -> dict[str, float]:
    """Our amount of each kind."""
    return {kind: PERTURBATIONS[kind].levels[severity - 1] for kind in KINDS}


def imagecorruptions_calls(pictures: Pictures, severity: int) -> Calls:
    """The kinds that both have, at its own levels, which most of ours are; pixelate at the nearest factor."""
    corrupt = import_module("imagecorruptions").corrupt
    wanted = levels(severity)["low_resolution"]
    pixelate = 1 + min(range(5), key=lambda i: abs(PIXELATE[i] - wanted))
    names = {
        "sensor_noise": "gaussian_noise", "shot_noise": "shot_noise", "impulse_noise": "impulse_noise",
        "defocus": "defocus_blur", "motion_blur": "motion_blur", "zoom_blur": "zoom_blur",
        "contrast": "contrast", "exposure": "brightness", "low_resolution": "pixelate",
    }  # fmt: skip

    def call(name: str, amount: int) -> Call:
        return lambda: [corrupt(image, amount, name) for image in pictures.images]

    return {k: call(name, pixelate if name == "pixelate" else severity) for k, name in names.items()}


def kornia_calls(pictures: Pictures, severity: int) -> Calls:
    """Its augmentations, of the batch at once, and where it has none its functions."""
    kornia, augment = import_module("kornia"), import_module("kornia.augmentation")
    at = levels(severity)
    bright, keep, bits = 1 + BRIGHTNESS[severity - 1], 1 - at["contrast"], 8.0 - at["bit_depth"]
    length, small = odd(at["motion_blur"] * SIZE), round(SIZE / at["low_resolution"])
    kernel = disk(at["defocus"] * math.hypot(SIZE, SIZE) / 2)
    # A kernel for each picture: with one for all of them it takes eight times as long.
    spread = torch.from_numpy(kernel / kernel.sum()).to(torch.float32).expand(COUNT, *kernel.shape)
    warm, cast = round(kelvin(severity) / 500) - 6, channel_cast(severity)  # from 3,000 K in steps of 500

    def scale(x: torch.Tensor) -> torch.Tensor:
        down = kornia.geometry.resize(x, (small, small), interpolation="area")
        grown: torch.Tensor = kornia.geometry.resize(down, (SIZE, SIZE), align_corners=False)
        return grown

    def affine(degrees: float, shift: float, zoom: float) -> Any:
        return augment.RandomAffine(
            pair(degrees), pair(shift), pair(zoom), padding_mode="border", p=1.0
        )  # fmt: skip

    made: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "sensor_noise": augment.RandomGaussianNoise(std=at["sensor_noise"], p=1.0),
        "impulse_noise": augment.RandomSaltAndPepperNoise(pair(at["impulse_noise"]), 0.5, p=1.0),
        "defocus": lambda x: kornia.filters.filter2d(x, spread),
        "motion_blur": augment.RandomMotionBlur(length, (-180.0, 180.0), 0.0, "reflect", "bilinear", p=1.0),
        "contrast": lambda x: kornia.enhance.adjust_contrast_with_mean_subtraction(x, keep),
        "exposure": augment.RandomBrightness(pair(bright), p=1.0),
        "gamma": augment.RandomGamma(pair(at["gamma"]), p=1.0),
        "low_resolution": scale,
        "bit_depth": augment.RandomPosterize(pair(bits), p=1.0),
        "roll": affine(at["roll"], 0, 1),
        "camera_tilt": augment.RandomPerspective(TILT[severity - 1], p=1.0),
        "distance": affine(0, 0, 1 / at["distance"]),
        "off_centre": affine(0, at["off_centre"], 1),
        "vignetting": augment.RandomGaussianIllumination(
            pair(0.4), pair(0.5), pair(0.3), pair(1.0), p=1.0
        ),
        "colour_temperature": augment.RandomPlanckianJitter(select_from=[warm], p=1.0),
        "white_balance": augment.RandomRGBShift(cast, cast, cast, p=1.0),
    }  # fmt: skip
    return {kind: partial(function, pictures.floats) for kind, function in made.items()}


def albumentations_calls(pictures: Pictures, severity: int) -> Calls:
    """Its transforms, one picture a call."""
    peer = import_module("albumentations")
    pixel = import_module("albumentations.augmentations.pixel.functional")
    at, edge = levels(severity), cv2.BORDER_REPLICATE
    keep, bright, cast = 1 - at["contrast"], BRIGHTNESS[severity - 1], channel_cast(severity)
    length, radius = odd(at["motion_blur"] * SIZE), round(at["defocus"] * math.hypot(SIZE, SIZE) / 2)
    shift, tilt = at["off_centre"] / math.sqrt(2), TILT[severity - 1] / 4
    ways = {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR}
    made = {
        "sensor_noise": peer.GaussNoise(pair(at["sensor_noise"]), p=1),
        "shot_noise": peer.ShotNoise(pair(at["shot_noise"] ** 2), p=1),
        "impulse_noise": peer.SaltAndPepper(pair(at["impulse_noise"]), pair(0.5), p=1),
        "defocus": peer.Defocus((radius, radius), pair(0.5), p=1),
        "motion_blur": peer.MotionBlur((length, length), False, direction_range=pair(0), p=1),
        "zoom_blur": peer.ZoomBlur(pair(1 + at["zoom_blur"]), pair(0.02), p=1),
        # Towards mid grey, as ours: 0.461 is the encoded value of a grey card.
        "contrast": peer.RandomBrightnessContrast(pair(0.461 * (1 - keep)), pair(keep - 1), p=1),
        "exposure": peer.RandomBrightnessContrast(pair(bright), pair(0), p=1),
        "gamma": peer.RandomGamma(pair(100 * at["gamma"]), p=1),
        "low_resolution": peer.Downscale(pair(1 / at["low_resolution"]), ways, p=1),
        "bit_depth": peer.Posterize(8 - int(at["bit_depth"]), p=1),
        "roll": peer.Rotate(pair(at["roll"]), border_mode=edge, p=1),
        "camera_tilt": peer.Perspective(pair(tilt), border_mode=edge, p=1),
        "distance": peer.Affine(pair(1 / at["distance"]), border_mode=edge, p=1),
        "off_centre": peer.Affine(translate_percent=pair(shift), border_mode=edge, p=1),
        "vignetting": peer.Illumination(
            "gaussian", pair(0.2), "brighten", center_range=pair(0.5), sigma_range=pair(0.3), p=1
        ),
        "white_balance": peer.MultiplicativeNoise((1 - 2 * cast, 1 + 2 * cast), per_channel=True, p=1),
    }  # fmt: skip

    def call(transform: Any) -> Call:
        return lambda: [transform(image=image)["image"] for image in pictures.images]

    calls = {kind: call(transform) for kind, transform in made.items()}
    warm = int(kelvin(severity))  # its transform draws the temperature, its function takes it
    calls["colour_temperature"] = lambda: [
        pixel.planckian_jitter(image, warm, "blackbody") for image in pictures.images
    ]
    return calls


def pair(value: float) -> tuple[float, float]:
    """A range of one value."""
    return value, value


def odd(length: float) -> int:
    """The nearest odd size of a kernel."""
    return 2 * round((length - 1) / 2) + 1


def kelvin(severity: int) -> float:
    """The peers' colour temperature: half our way, for they scale encoded values."""
    return 1e6 / (1e6 / 6000 + levels(severity)["colour_temperature"] / 2)


def channel_cast(severity: int) -> float:
    """About how far our white balance moves an encoded value, as a share of full scale."""
    return 0.4 * math.tan(math.radians(levels(severity)["white_balance"]))


PEERS = {
    "imagecorruptions": imagecorruptions_calls,
    "kornia": kornia_calls,
    "albumentations": albumentations_calls,
}
