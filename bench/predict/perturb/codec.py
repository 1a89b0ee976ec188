"""Codecs: a whole video is encoded at its native rate and decoded again, before a model samples it.

What is encoded is 8-bit 4:2:0 in BT.601 and limited range; odd sizes are filled up by their last row and
column, which are cut off again. Number, times, size and orientation of the frames stay, and the sound is the
original's. A frame is decoded as soon as its packet is there, so that only the encoder's look-ahead is held.
One thread and settings that go by no processor: one build of FFmpeg always gives the same bytes; another
(PyAV's version is in ``cell.json``) may give others. A still image has no stream, and is refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from typing import cast

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream

from bench.errors import MachineError
from bench.predict.film import Film, Pictures
from bench.predict.perturb.perturbation import Perturbation, fraction_of
from bench.predict.perturb.stream import Stream

__all__ = ["H264", "VP9", "Codec", "recode"]

_RATE = 30  # frames a second, as bit rates are quoted; a frame has the same share of bits at any rate
_QUOTED_PIXELS = 640 * 360
_LEAST_RATE = 1000  # bits a second, the unit that encoders count in
_CONVERSION = (
    Interpolation.BILINEAR
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.BITEXACT
)

Receive = Callable[[VideoCodecContext, "Packet[VideoStream]"], list[VideoFrame]]


@dataclass(frozen=True)
class Codec:
    """An encoder of FFmpeg, its settings, and its decoder."""

    encoder: str
    decoder: str
    options: dict[str, str]

    def open(self, width: int, height: int, rate: int | None) -> tuple[VideoCodecContext, VideoCodecContext]:
        """An encoder and a decoder of one thread each; ``rate``: bits a second at 30 frames a second.

        Raises MachineError where FFmpeg was built without them.
        """
        try:
            sender = cast("VideoCodecContext", av.CodecContext.create(self.encoder, "w"))
            receiver = cast("VideoCodecContext", av.CodecContext.create(self.decoder, "r"))
        except ValueError as error:  # PyAV's UnknownCodecError is one
            raise MachineError(
                self.encoder, "this build of FFmpeg does not have it", "PyAV's own wheels have it",
                "Install av from a wheel",
            ) from error  # fmt: skip
        sender.width, sender.height, sender.pix_fmt = width, height, "yuv420p"
        sender.time_base, sender.framerate = Fraction(1, _RATE), Fraction(_RATE)
        sender.thread_count = receiver.thread_count = 1
        options = dict(self.options)
        if rate is not None:
            # No second takes more than its bits, so that a short clip keeps to its rate too.
            bits = max(rate, _LEAST_RATE)
            options |= {"b": str(bits), "bt": str(bits), "maxrate": str(bits), "bufsize": str(2 * bits)}
        sender.options = options
        return sender, receiver


def recode(
    frames: Pictures, codec: Codec, rate: float | None = None, receive: Receive | None = None
) -> Pictures:
    """Encode frames and decode them again, each with its number.

    ``rate``: bits a pixel, None where the options say the quality. ``receive``: what becomes of a packet on
    its way to the decoder; what it loses repeats the frame before it. Raises MachineError for a frame that is
    lost without it.
    """
    start, first = next(frames)
    width, height = first.width, first.height
    bits = None if rate is None else round(rate * width * height * _RATE)
    sender, receiver = codec.open(width + width % 2, height + height % 2, bits)
    waiting: deque[int] = deque()
    held: VideoFrame | None = None
    for frame in _received(_encoded(chain([(start, first)], frames), sender, waiting), receiver, receive):
        assert frame.pts is not None  # the encoder was given one
        while held is not None and receive is not None and waiting and waiting[0] < frame.pts:
            yield waiting.popleft(), held
        if waiting and waiting[0] == frame.pts:
            held = frame if (frame.width, frame.height) == (width, height) else _fitted(frame, width, height)
            yield waiting.popleft(), held
    if waiting and (held is None or receive is None):
        raise MachineError(
            codec.encoder, f"frame {waiting[0]} of what it encoded does not decode", "All frames decode",
            "Report this medium",
        )  # fmt: skip
    for number in waiting:
        assert held is not None
        yield number, held


def _received(
    packets: Iterator[Packet[VideoStream]], receiver: VideoCodecContext, receive: Receive | None
) -> Iterator[VideoFrame]:
    for packet in packets:
        yield from receiver.decode(packet) if receive is None else receive(receiver, packet)
    yield from receiver.decode(None)


def _encoded(
    frames: Pictures, sender: VideoCodecContext, waiting: deque[int]
) -> Iterator[Packet[VideoStream]]:
    """The packets of frames, whose numbers begin to wait for their pictures."""
    converter = VideoReformatter()
    for number, frame in frames:
        plain = _fitted(_plain(frame, converter), sender.width, sender.height)
        plain.pts, plain.time_base = number, sender.time_base
        waiting.append(number)
        yield from _encode(sender, plain)
    yield from _encode(sender, None)


def _encode(sender: VideoCodecContext, frame: VideoFrame | None) -> list[Packet[VideoStream]]:
    try:
        return sender.encode(frame)
    except MemoryError:
        raise
    except av.FFmpegError as error:  # else it would count as a fault of the medium
        size = f"{sender.width} x {sender.height}"
        raise MachineError(
            sender.name, f"it cannot encode frames of {size} ({error.strerror})", "Frames of any size",
            "Leave the condition out, or scale the medium down",
        ) from error  # fmt: skip


def _plain(frame: VideoFrame, converter: VideoReformatter) -> VideoFrame:
    return converter.reformat(
        frame, format="yuv420p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.MPEG,
        interpolation=_CONVERSION, threads=1,
    )  # fmt: skip


def _fitted(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    """A new 4:2:0 frame without side data or type: cut, or filled up by repeating the last row and column."""
    fitted = VideoFrame(width, height, "yuv420p")
    for plane, room in zip(frame.planes, fitted.planes, strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        space = np.frombuffer(memoryview(room), np.uint8).reshape(room.height, room.line_size)
        high, wide = min(plane.height, room.height), min(plane.width, room.width)
        space[:high, :wide] = rows[:high, :wide]
        space[:high, wide : room.width] = rows[:high, wide - 1 : wide]
        space[high:] = space[high - 1]
    return fitted


def _compressed(film: Film, codec: Codec, kbits: float, factor: float) -> Film:
    """The film at ``kbits`` a second over ``factor``, as quoted for 640 x 360 pixels, scaled to its size."""
    rate = 1000 * kbits / factor / (_QUOTED_PIXELS * _RATE)
    return replace(film, frames=recode(film.frames, codec, rate))


def compress_h264(film: Film, factor: float, _stream: Stream) -> Film:
    """Encode by x264 at 400 kbit/s over ``factor`` for each 640 x 360 pixels and 30 frames, and decode.

    0.058 bits a pixel. A coarsest quantiser exists: still pictures of few pixels take more.
    """
    return _compressed(film, _X264, _H264_KBITS, factor)


def compress_vp9(film: Film, factor: float, _stream: Stream) -> Film:
    """Encode by libvpx at 270 kbit/s over ``factor`` for each 640 x 360 pixels and 30 frames, and decode.

    0.039 bits a pixel. Its coarsest quantiser is finer than H.264's: the last severities take more.
    """
    return _compressed(film, _LIBVPX, _VP9_KBITS, factor)


_H264_KBITS, _VP9_KBITS = 400, 270
_KEY_FRAMES = str(2 * _RATE)  # one in two seconds, as for streaming
_PARAMETERS = "cpu-independent=1:sliced-threads=0"
_X264 = Codec(
    "libx264", "h264",
    # Without its highest quantiser given, x264 paints grey what does not fit.
    {"preset": "veryfast", "g": _KEY_FRAMES, "qmax": "51", "a53cc": "0", "x264-params": _PARAMETERS},
)  # fmt: skip
_LIBVPX = Codec(
    "libvpx-vp9", "vp9",
    {"deadline": "realtime", "cpu-used": "6", "lag-in-frames": "0", "auto-alt-ref": "0", "g": _KEY_FRAMES},
)  # fmt: skip
_SOURCE = (
    "halvings, as H.264 ABR of Mini Kinetics-C (Yi et al. 2021, arXiv:2110.06513), of the webcam rate for a "
    "VMAF of 90 in LiveKit's Bitrate Guide for WebRTC Video: "
)

H264 = Perturbation(
    name="h264",
    version=1,
    levels=(1.0, 2.0, 4.0, 8.0, 16.0),
    unit="kbit/s at 640 x 360 and 30 frames/s, scaled by pixels",
    shown=fraction_of(400),
    source=f"{_SOURCE}{_H264_KBITS} kbit/s",
    apply=compress_h264,
    random=False,
)

VP9 = Perturbation(
    name="vp9",
    version=1,
    levels=(1.0, 2.0, 4.0, 8.0, 16.0),
    unit="kbit/s at 640 x 360 and 30 frames/s, scaled by pixels",
    shown=fraction_of(270),
    source=f"{_SOURCE}{_VP9_KBITS} kbit/s",
    apply=compress_vp9,
    random=False,
)
