"""Which way up a frame is shown: the display matrix of videos, the EXIF orientation of images.

Eight orientations exist, the quarter turns and their mirror images. A matrix that turns by less than a
quarter is taken to its nearest quarter turn.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import cast

import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame

__all__ = ["Orientation"]

# A TIFF header behind the marker of JPEG and WebP ("Exif\0\0"), of PNG ("eXIf"), or at the start of a file.
_MARKERS, _TIFF = (b"Exif\0\0", b"eXIf"), (b"II*\0", b"MM\0*")
_EXIF = re.compile(rb"(?:Exif\0\0|eXIf|\A)(?=II\*\0|MM\0\*)")
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class Orientation:
    """How stored rows and columns become shown ones: first swapped, then each axis reversed or not."""

    swap: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """Read the orientation of a video's frame.

        Not for PNG frames, alone or in a video: PyAV 18 frees the name of their colour profile, which
        FFmpeg frees again, as soon as side data are listed.
        """
        try:
            side_data = cast("SideDataContainer", frame.side_data)  # PyAV's stub names another type
            matrix = np.frombuffer(memoryview(side_data["DISPLAYMATRIX"]), np.int32)
        except KeyError:
            return cls()
        except ValueError:
            return cls.of_quarters(round(frame.rotation / 90))
        return cls.of_matrix(matrix)

    @classmethod
    def of_image(cls, frame: VideoFrame, data: bytes = b"") -> Orientation:
        """Read the orientation of a still image, whose file is ``data``, without its side data.

        EXIF is read from the file: PyAV's ``rotation`` does not tell a mirrored image from a turned one.
        """
        marked = data.startswith(_TIFF) or any(marker in data for marker in _MARKERS)
        exif = _EXIF.search(data) if marked else None  # a search alone takes a quarter of a small still
        if exif is None:
            return cls.of_quarters(round(frame.rotation / 90))
        return cls.of_exif(_exif_orientation(data[exif.end() :]))

    @classmethod
    def of_exif(cls, value: int) -> Orientation:
        """The orientation of an EXIF value 1 to 8 (CIPA DC-008, tag 0x0112); others are upright."""
        mirror_x, mirror_y = value in (2, 3, 6, 7), value in (3, 4, 7, 8)
        return cls(5 <= value <= 8, mirror_x, mirror_y)

    @classmethod
    def of_matrix(cls, matrix: np.ndarray) -> Orientation:
        """The orientation of a display matrix, nine fixed-point numbers a b u c d v x y w (ISO 14496-12)."""
        a, b, _, c, d = (int(value) for value in matrix[:5])
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(True, c < 0, b < 0)
        return cls(False, a < 0, d < 0)

    @classmethod
    def of_quarters(cls, turns: int) -> Orientation:
        """The orientation of a number of counterclockwise quarter turns."""
        return cls.of_exif((1, 8, 3, 6)[turns % 4])

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height as shown."""
        return (height, width) if self.swap else (width, height)

    def turn(self, plane: np.ndarray) -> np.ndarray:
        """A view of a plane [H, W] as shown."""
        shown = plane.T if self.swap else plane
        return shown[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]


def _exif_orientation(tiff: bytes) -> int:
    """Read the orientation tag of the first directory of a TIFF block; 1 where there is none."""
    order = "<" if tiff.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(count):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, start + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG:
                return int(value)
    except struct.error:  # a directory that ends early says nothing
        pass
    return 1
