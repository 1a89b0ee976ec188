"""Opening media that nobody vouches for.

A medium is a file or bytes, opened through a Python file object: FFmpeg reads those bytes and nothing else.
Playlists, scripts and stream descriptions that point elsewhere (m3u8, concat, dash, sdp) are no format here,
and no protocol is allowed that could fetch what they name. A plain PNG or JPEG goes to its decoder as it is,
for a quarter of the work; whatever that decoder refuses is opened as all else is. FFmpeg says nothing on
stderr; what it raises becomes a MediaFault without a path. A medium that cannot be opened as a file (it is
gone, the disk fails) is no MediaFault: OSError and MemoryError pass through.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import av
import av.error
import av.logging
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from bench.errors import MediaFault

__all__ = [
    "MAX_PIXELS", "check_size", "decode_plain_image", "is_image", "is_still", "opened", "read_plain_image",
    "unusable",
]  # fmt: skip

MAX_PIXELS = 64_000_000

IMAGES = ("bmp", "j2k", "jpeg", "pam", "pgm", "png", "ppm", "tiff", "webp")
VIDEOS = ("apng", "asf", "avi", "flv", "gif", "matroska", "mov", "mpeg", "mpegts", "ogg", "webm")
SOUNDS = ("aac", "aiff", "flac", "mp3", "wav")
_DEMUXERS = ",".join((*(f"{name}_pipe" for name in IMAGES), *VIDEOS, *SOUNDS))
_OPTIONS = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "none", "max_pixels": str(MAX_PIXELS)}
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff\xdb": "mjpeg",
    b"\xff\xd8\xff\xe0": "mjpeg",  # JFIF
    b"\xff\xd8\xff\xe1": "mjpeg",  # EXIF
}

av.logging.set_level(None)


def unusable(found: str, allowed: str, remedy: str) -> MediaFault:
    """The fault of a medium that cannot be decoded, ready to raise."""
    return MediaFault(f"{found}. {allowed}. {remedy}.", "decode_error")


@contextmanager
def opened(medium: Path | bytes) -> Iterator[InputContainer]:
    """Open a medium, and turn whatever FFmpeg raises inside the block into a MediaFault.

    Raises MediaFault for empty, unknown or damaged media, and OSError where the file itself cannot be read.
    """
    with _file(medium) as file, _faults():
        if not file.read(1):
            raise unusable(
                "the file is empty (0 bytes)",
                "Allowed: a complete image, video or sound file",
                "Copy the file again",
            )
        file.seek(0)
        _check_png_size(file)
        with av.open(_Nameless(file), "r", options=_OPTIONS, metadata_errors="ignore") as container:
            yield container


def read_plain_image(medium: Path | bytes) -> tuple[str, bytes] | None:
    """The codec and the bytes of a medium that is one whole PNG or JPEG and nothing unusual, else None.

    Raises MediaFault for frames that are too large, and OSError where the file itself cannot be read.
    """
    with _file(medium) as file:
        head = file.read(8)
        codec = _SIGNATURES.get(head) or _SIGNATURES.get(head[:4])
        if codec is None:
            return None
        file.seek(0)
        _check_png_size(file)
        data = file.read()
    animated = codec == "png" and b"acTL" in data
    # FFmpeg takes a second start marker, of a thumbnail say, for a second picture.
    whole = codec == "png" or (data.endswith(b"\xff\xd9") and data.find(b"\xff\xd8\xff", 2) < 0)
    return None if animated or not whole else (codec, data)


def decode_plain_image(codec: str, data: bytes) -> VideoFrame | None:
    """The picture of what ``read_plain_image`` gave; None where the codec refuses it."""
    decoder = cast("VideoCodecContext", av.CodecContext.create(codec, "r"))
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(MAX_PIXELS), "err_detect": "explode"}
    try:
        frames = decoder.decode(av.Packet(data))
    except MemoryError:
        raise
    except av.FFmpegError:
        return None
    return frames[0] if frames else None


def is_image(container: InputContainer) -> bool:
    """Whether the medium is one still image."""
    return container.format.name.endswith("_pipe")


def is_still(medium: Path | bytes) -> bool:
    """Whether a medium opens as one still image; one that does not open is none."""
    try:
        with opened(medium) as container:
            return is_image(container)
    except (MediaFault, OSError):
        return False


class _Nameless:
    """A file without its name, so that its content alone says what it is."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def _file(medium: Path | bytes) -> BinaryIO:
    return io.BytesIO(medium) if isinstance(medium, bytes) else medium.open("rb")


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except av.FFmpegError as error:
        empty = isinstance(error, av.error.EOFError)
        raise unusable(
            "it ends before its first frame" if empty else f"FFmpeg cannot decode it: {error.strerror}",
            f"Allowed: complete files of {', '.join(sorted((*IMAGES, *VIDEOS, *SOUNDS)))}, "
            f"at most {MAX_PIXELS // 1_000_000} megapixels a frame",
            "Copy or encode the file again",
        ) from error


def _check_png_size(file: BinaryIO) -> None:
    """Refuse a large PNG by its header: FFmpeg refuses it too, but cannot say why."""
    head = file.read(24)
    file.seek(0)
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) == 24:
        check_size(int.from_bytes(head[16:20]), int.from_bytes(head[20:24]))


def check_size(width: int, height: int) -> None:
    """Refuse frames of more than MAX_PIXELS pixels."""
    if width * height > MAX_PIXELS:
        raise unusable(
            f"its frames are {width} x {height} pixels",
            f"Allowed: at most {MAX_PIXELS // 1_000_000} megapixels a frame",
            "Scale it down",
        )
