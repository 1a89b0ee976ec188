"""From a medium to clips: images and videos as windows of RGB frames with their true times.

A first pass over the packets, without decoding, learns when each frame is shown; a second decodes in
presentation order and converts the sampled frames alone. Memory is bounded by the window, never by the
length. Rotation and mirroring are applied; alpha is dropped, not composited; 16-bit samples keep their high
byte; untagged video is taken as BT.601, as FFmpeg does. Refused, each as a MediaFault: what does not
decode, ends before its own header says, changes size on the way, or has more than 64 megapixels a frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from bench.errors import UserError, counted
from bench.predict.clip import Clip, Sampling, Sound
from bench.predict.film import Alter, Film, Pictures, Window, in_order, sample, shown
from bench.predict.media import check_size, decode_plain_image, is_image, opened, read_plain_image, unusable
from bench.predict.orientation import Orientation
from bench.predict.rgb import at_once, to_rgb
from bench.predict.sound import load_sound

__all__ = ["decode", "windows"]

# How much earlier than its header says a medium may end, in seconds: muxers round, and sound may be longer.
_SLACK = 0.25


def decode(
    medium: Path | bytes,
    id: str,  # noqa: A002 - the field of Clip
    sampling: Sampling,
    device: torch.device,
    sound_rate: int | None = None,
    window: int = 32,
) -> Iterator[Clip]:
    """Yield a medium as clips of at most ``window`` consecutive sampled frames, uint8 [T, 3, H, W] RGB.

    Large frames come in smaller windows, of at most 64 MiB where that is more than one frame.

    ``index`` counts all frames in presentation order from 0 and ``times`` are seconds from the first frame,
    whatever the sampling. With ``sound_rate`` every clip carries the whole sound, mono at that rate. Raises
    MediaFault with status ``decode_error``, possibly after some windows: the medium is then unusable as a
    whole. OSError and MemoryError pass: they are the machine's.
    """
    if window < 1:
        raise ValueError(f"a window holds at least one frame, not {window}")
    sound = None
    if sound_rate is not None:
        sound = Sound(torch.from_numpy(load_sound(medium, sound_rate)).to(device), sound_rate)
    for pixels, index, times in windows(medium, id, sampling, window):
        yield Clip(id, pixels.to(device), index, times, sound=sound)


@dataclass(frozen=True)
class Timeline:
    """When each frame of a video is shown.

    ``times``: float64 [n] seconds, ascending. ``places``: the number of the frame with a time stamp; empty
    where the container's stamps cannot be trusted to name a frame, and frames are counted instead.
    """

    times: np.ndarray
    places: dict[int, int]


def windows(
    medium: Path | bytes,
    id: str,  # noqa: A002 - the field of Clip
    sampling: Sampling,
    window: int,
    alter: Alter | None = None,
) -> Iterator[Window]:
    """Yield what ``decode`` makes clips of, on the host: pixels, frame numbers and times.

    ``alter`` is done to a video before it is sampled: numbers and times are then those of the film as it is
    shown. Raises UserError for a still image that is to be altered.
    """
    if (still := _read_plain_image(medium)) is not None:
        yield _still(still, id, alter)
        return
    with opened(medium) as container:
        stream = _video_stream(container)
        if is_image(container):
            yield _still(_read_image(container, stream, medium), id, alter)
            return
        timeline = _read_timeline(container, stream)
    with opened(medium) as container:
        stream = _video_stream(container)
        frames = _decoded(container, stream, timeline)
        start, first = next(frames)
        times = timeline.times[start:] - timeline.times[start]
        stills = stream.codec.name in ("apng", "png")
        orientation = Orientation.of_image(first) if stills else Orientation.of(first)
        window = at_once(window, first)
        numbered = ((place - start, frame) for place, frame in chain([(start, first)], frames))
        if alter is None:
            yield from _packed(_sampled(numbered, sample(times, sampling)), times, orientation, window)
            return
        film = alter(Film(id, times, np.arange(len(times)), numbered))
        chosen = sample(film.times, sampling)
        packed = _packed(shown(film, chosen), film.times, orientation, window)
        yield from packed if (np.diff(film.source[chosen]) >= 0).all() else in_order(packed, window)


def _packed(pictures: Pictures, times: np.ndarray, orientation: Orientation, window: int) -> Iterator[Window]:
    """At most ``window`` pictures at once, upright and in RGB."""
    converter = VideoReformatter()
    while batch := list(islice(pictures, window)):
        index = np.array([number for number, _ in batch], np.int64)
        yield to_rgb([frame for _, frame in batch], orientation, converter), index, times[index]


def _still(pixels: torch.Tensor, target: str, alter: Alter | None) -> Window:
    if alter is not None:
        raise UserError(
            target, "this is a still image, and a condition acts on whole videos before they are sampled",
            "A still image has no stream and no time", "Leave the condition out, or the target",
        )  # fmt: skip
    return pixels, np.zeros(1, np.int64), np.zeros(1)


def _video_stream(container: InputContainer) -> VideoStream:
    """The first stream of moving or still pictures that is no cover of a sound file."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            # A truncated video is concealed differently by each number of frame threads; and clips are
            # decoded side by side, so that more threads within one would only wait for each other.
            stream.thread_type = "SLICE"
            stream.thread_count = 1
            check_size(stream.width, stream.height)
            return stream
    raise unusable(
        "it has no video", "Allowed: an image, or a video with pictures", "Correct the file's name"
    )


def _read_timeline(container: InputContainer, stream: VideoStream) -> Timeline:
    """Learn from the packets when each frame is shown, and refuse a medium that ends early."""
    by_count = container.format.name == "avi"  # its stamps count packets in stored, not in shown order
    stamps: list[int | None] = []
    end, last = 0.0, None
    for packet in container.demux():
        if packet.size and packet.pts is not None and packet.time_base:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.stream_index == stream.index and _is_shown(packet, stream):
            stamps.append(packet.dts if by_count else packet.pts)
            last = packet
    if last is None:
        raise unusable(
            "the video has no frame", "Allowed: at least one frame", "Record or copy the file again"
        )
    if last.is_corrupt or _promised_end(container, stream) - end > _SLACK:
        raise unusable(
            f"the video is cut off after {counted(len(stamps), 'frame')}",
            "Allowed: a file that ends where its header says",
            "Copy the file again",
        )
    return _timeline(stamps, stream, by_count)


def _timeline(stamps: list[int | None], stream: VideoStream, by_count: bool) -> Timeline:  # noqa: FBT001
    known = [stamp for stamp in stamps if stamp is not None]
    if len(known) == len(stamps) and stream.time_base:
        shown = sorted(known)
        unit = stream.time_base
        times = np.array([(stamp - shown[0]) * unit.numerator for stamp in shown]) / unit.denominator
        unique = len(set(shown)) == len(shown)
        return Timeline(times, {} if by_count or not unique else {s: n for n, s in enumerate(shown)})
    if not stream.average_rate:
        raise unusable(
            "its frames have neither times nor a rate",
            "Allowed: a video with time stamps, or of a constant known rate",
            "Encode it again",
        )
    return Timeline(np.arange(len(stamps)) / float(stream.average_rate), {})


def _is_shown(packet: Packet[Stream], stream: VideoStream) -> bool:
    """Whether a packet is a frame that is shown: not empty, not edited out, not VP8's hidden reference."""
    if not packet.size or packet.is_discard:
        return False
    return stream.codec.canonical_name != "vp8" or bool(bytes(packet)[0] & 0x10)  # RFC 6386, 9.1


def _promised_end(container: InputContainer, stream: VideoStream) -> float:
    """Where the header says that the medium ends, in seconds; 0 where the format does not promise it."""
    if container.format.name == "avi" and stream.time_base:
        return float(stream.frames * stream.time_base)
    if container.format.name.startswith(("mov", "matroska")) and container.duration:
        return container.duration / 1e6
    return 0.0


def _decoded(container: InputContainer, stream: VideoStream, timeline: Timeline) -> Pictures:
    """Yield all frames in presentation order with their place in the timeline."""
    start, place, count, shape = 0, -1, 0, None
    for frame in container.decode(stream):
        place = max(place + 1, timeline.places.get(frame.pts, 0) if frame.pts is not None else 0)
        if shape is None:  # frames before the first decodable one are no part of the video
            start, shape = place, (frame.width, frame.height, frame.rotation)
        if (frame.width, frame.height, frame.rotation) != shape:
            raise unusable(
                f"its frames change size or rotation after {count}",
                "Allowed: one size and rotation throughout",
                "Cut the video where it changes",
            )
        if place >= len(timeline.times):
            raise unusable(
                f"it holds more than the {counted(len(timeline.times), 'frame')} of its index",
                "Allowed: one time for each frame",
                "Encode it again",
            )
        count += 1
        yield place, frame
    promised = len(timeline.times) - start
    # Some encoders store packets that only say "the last frame again": one and a fiftieth may show nothing.
    if not count or promised - count > promised // 50 + 1:
        raise unusable(
            f"{count} of {counted(promised, 'frame')} {'decodes' if count == 1 else 'decode'}",
            "Allowed: a video whose frames all decode",
            "Copy or encode the file again",
        )


def _sampled(frames: Pictures, wanted: np.ndarray) -> Pictures:
    """Keep the wanted frames, and for one that does not decode the next that does, each once."""
    reached = 0
    for number, frame in frames:
        if reached < len(wanted) and wanted[reached] <= number:
            reached = int(np.searchsorted(wanted, number, side="right"))
            yield number, frame


def _read_plain_image(medium: Path | bytes) -> torch.Tensor | None:
    plain = read_plain_image(medium)
    if plain is None:
        return None
    frame = decode_plain_image(*plain)
    if frame is None:
        return None
    return to_rgb([frame], Orientation.of_image(frame, plain[1]), VideoReformatter())


def _read_image(container: InputContainer, stream: VideoStream, medium: Path | bytes) -> torch.Tensor:
    data = medium if isinstance(medium, bytes) else medium.read_bytes()
    # FFmpeg paints what is missing of a JPEG grey. Neither marker can stand within the coded pixels.
    if stream.codec.name == "mjpeg" and b"\xff\xd9" not in data[data.rfind(b"\xff\xda") :]:
        raise unusable(
            "the JPEG ends before its end marker", "Allowed: a complete image", "Copy the file again"
        )
    frame = next(container.decode(stream), None)
    if frame is None:
        raise unusable("the image has no pixels", "Allowed: a complete image", "Copy the file again")
    return to_rgb([frame], Orientation.of_image(frame, data), VideoReformatter())
