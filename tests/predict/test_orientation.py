from __future__ import annotations

import struct
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from bench.predict.clip import Sampling
from bench.predict.decode import decode
from bench.predict.orientation import Orientation

PLANE = np.arange(6).reshape(2, 3)


@pytest.mark.parametrize("turns", range(-4, 5))
def test_quarter_turns(turns: int) -> None:
    found = Orientation.of_quarters(turns)
    assert (found.turn(PLANE) == np.rot90(PLANE, turns)).all()
    assert found.size(3, 2) == found.turn(PLANE).shape[::-1]


def test_the_eight_orientations_are_all_different() -> None:
    turned = {Orientation.of_exif(value).turn(PLANE).tobytes() for value in range(1, 9)}
    assert len(turned) == 8
    assert Orientation.of_exif(0) == Orientation.of_exif(9) == Orientation()


def test_a_matrix_that_scales_or_leans_is_taken_to_its_quarter_turn() -> None:
    assert Orientation.of_matrix(np.array([2 << 16, 9, 0, -9, 3 << 16])) == Orientation()
    assert Orientation.of_matrix(np.array([-9, 1 << 16, 0, -(1 << 16), 9])) == Orientation.of_quarters(-1)


def test_side_data_that_pyav_cannot_list_leaves_the_rotation() -> None:
    class Frame:
        rotation = 90

        @property
        def side_data(self) -> object:
            raise ValueError("99 is not a valid Type")

    assert Orientation.of(Frame()) == Orientation.of_quarters(1)
    assert Orientation.of(SimpleNamespace(rotation=90, side_data={})) == Orientation()


@pytest.mark.parametrize("orientation", [1, 5, 6, 8])
def test_the_orientation_of_a_png(orientation: int) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    data = cv2.imencode(".png", pixels)[1].tobytes()
    body = b"eXIfMM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    data = (
        data[:33] + struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + data[33:]
    )
    (clip,) = decode(data, "x", Sampling(), torch.device("cpu"))
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert expected.shape[:2] == ((6, 9) if orientation == 1 else (9, 6))
    assert (clip.frames[0].permute(1, 2, 0).numpy() == expected).all()


@pytest.mark.parametrize("tiff", [b"II*\0", b"II*\0\x08\0\0\0\x05\0", b"MM\0*\xff\xff\xff\xff"])
def test_exif_that_ends_early_is_upright(tiff: bytes) -> None:
    assert Orientation.of_image(SimpleNamespace(rotation=0), b"Exif\0\0" + tiff) == Orientation()
