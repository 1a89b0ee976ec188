"""Images decoded as OpenCV decodes them, with the orientation that their camera noted."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from bench.predict.clip import Sampling
from bench.predict.decode import decode

RNG = np.random.default_rng(7)
COLOUR = cv2.GaussianBlur(RNG.integers(0, 256, (61, 70, 3), dtype=np.uint8), (9, 9), 3)
GREY = RNG.integers(0, 256, (48, 49), dtype=np.uint8)


def encoded(extension: str, pixels: np.ndarray, *options: int) -> bytes:
    return cv2.imencode(extension, pixels, list(options))[1].tobytes()


def picture(medium: Path | bytes) -> np.ndarray:
    (clip,) = decode(medium, "x", Sampling(), torch.device("cpu"))
    assert clip.index.tolist() == [0]
    assert clip.times.tolist() == [0.0]
    return clip.frames[0].permute(1, 2, 0).numpy()


def test_a_grey_png_is_exact_in_all_three_channels() -> None:
    data = encoded(".png", GREY)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert (picture(data) == expected[..., None]).all()
    assert (expected == GREY).all()


@pytest.mark.parametrize("extension", [".png", ".bmp", ".webp", ".ppm", ".jp2"])
def test_lossless_colour_is_exact(extension: str) -> None:
    lossless = {
        ".webp": (cv2.IMWRITE_WEBP_QUALITY, 101),
        ".jp2": (cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000),
    }
    assert (picture(encoded(extension, COLOUR, *lossless.get(extension, ()))) == COLOUR[..., ::-1]).all()


@pytest.mark.parametrize("pixels", [COLOUR, GREY, COLOUR[:1, :1], COLOUR[:3, :5]])
@pytest.mark.parametrize(
    "factor", [cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
)
def test_a_jpeg_is_what_libjpeg_makes_of_it(pixels: np.ndarray, factor: int) -> None:
    data = encoded(".jpg", pixels, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    assert np.abs(picture(data) - expected).mean() < 2


def test_alpha_is_dropped_not_composited() -> None:
    data = encoded(".png", np.dstack([COLOUR, np.full(COLOUR.shape[:2], 3, np.uint8)]))
    assert (picture(data) == COLOUR[..., ::-1]).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_keep_their_high_byte(channels: int) -> None:
    deep = RNG.integers(0, 1 << 16, (40, 41, channels), dtype=np.uint16)
    assert np.abs(picture(encoded(".png", deep)).astype(int) - (deep >> 8)[..., ::-1]).max() <= 1


def test_cmyk_jpeg(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    image.fromarray(COLOUR).convert("CMYK").save(tmp_path / "a.jpg", quality=98)
    expected = np.asarray(image.open(tmp_path / "a.jpg").convert("RGB")).astype(int)
    assert np.abs(picture(tmp_path / "a.jpg") - expected).mean() < 3


def with_exif(jpeg: bytes, orientation: int, order: str) -> bytes:
    tiff = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(
        f"{order}IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0
    )
    block = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(10))
def test_exif_orientation_as_opencv_applies_it(orientation: int, order: str) -> None:
    pixels = np.zeros((40, 64, 3), np.uint8)
    pixels[:20, :32], pixels[:20, 32:], pixels[20:, :32] = 255, (255, 0, 0), (0, 255, 0)
    data = with_exif(encoded(".jpg", pixels), orientation, order)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    found = picture(data)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 3


def test_real_images_against_opencv(shared: Path) -> None:
    paths = sorted((shared / "data" / "ferplus").rglob("*.png"))[::100]
    assert len(paths) > 30
    for path in paths:
        assert (picture(path) == cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[..., None]).all()
    for path in sorted((shared / "data" / "pyfeat" / "tests_data").glob("*.jpg")):
        expected = cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
        assert np.abs(picture(path) - expected).mean() < 2
