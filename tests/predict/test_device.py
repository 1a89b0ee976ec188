"""What a cell says of the machine that made it."""

from __future__ import annotations

import json
from fractions import Fraction

import av
import cv2
import numpy as np
import torch

from bench.predict.device import describe_environment


def jpeg() -> bytes:
    """A picture in which libavcodec has signed itself, in the comment that JPEG allows."""
    encoder = av.VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 16, 16, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    return bytes(encoder.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8)))[0])


def test_what_decodes_and_what_resizes_are_named_by_their_own_versions() -> None:
    said = describe_environment(torch.device("cpu"))
    assert json.loads(json.dumps(said)) == said
    assert f"Lavc{said['libavcodec']}\0".encode() in jpeg()
    # The wheel counts its builds in a fourth number, which OpenCV itself does not know.
    assert said["opencv-python-headless"].rpartition(".")[0] == cv2.__version__
