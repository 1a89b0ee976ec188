"""What a cell says of the machine that made it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from threading import Barrier

import av
import cv2
import numpy as np
import torch
from threadpoolctl import ThreadpoolController

from bench.predict.device import describe_environment, one_thread


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


def test_one_thread_is_of_this_thread_alone_and_ends() -> None:
    openmp, meanwhile = ThreadpoolController().select(user_api="openmp"), Barrier(2, timeout=30)

    def elsewhere() -> int:
        with openmp.limit(limits=2):
            meanwhile.wait()
            found = torch.get_num_threads()
            meanwhile.wait()
            return found

    before = torch.get_num_threads()
    with ThreadPoolExecutor(1) as pool, openmp.limit(limits=2):
        other = pool.submit(elsewhere)
        with one_thread():
            meanwhile.wait()
            assert torch.get_num_threads() == 1
            meanwhile.wait()
        assert (torch.get_num_threads(), other.result()) == (2, 2)
    assert torch.get_num_threads() == before
