"""Videos decoded to every frame in the order it is shown, at its time and turned as it is shown."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest
import torch

from bench.errors import MediaFault
from bench.predict.clip import Clip, Sampling
from bench.predict.decode import _timeline, decode

CPU = torch.device("cpu")
EVERY = Sampling()


def whole(medium: Path | bytes, sampling: Sampling = EVERY, window: int = 32) -> tuple[np.ndarray, ...]:
    """All frames as mean levels [T], with index and times."""
    clips = list(decode(medium, "x", sampling, CPU, window=window))
    levels = [clip.frames.float().mean((1, 2, 3)).numpy() for clip in clips]
    return np.concatenate(levels), *(
        np.concatenate([getattr(c, f) for c in clips]) for f in ("index", "times")
    )


def grey_levels(index: np.ndarray) -> np.ndarray:
    return 20 + index * 8 % 216


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a.mp4", {}),
        ("a.mov", {"tone": 440.0}),
        ("a.mkv", {}),
        ("a.avi", {}),
        ("packed.avi", {"codec": "mpeg4", "options": {"bf": "2", "qmin": "1", "qmax": "2"}}),
        ("a.ts", {}),
        ("a.webm", {"codec": "libvpx-vp9", "options": {"lag-in-frames": "16"}}),
        ("a.flv", {"codec": "flv", "options": {}}),
        ("fragments.mp4", {"muxing": {"movflags": "frag_keyframe+empty_moov"}}),
    ],
)
def test_every_frame_in_presentation_order(film: Callable[..., Path], name: str, what: dict) -> None:
    levels, index, times = whole(film(name, frames=50, **what), window=7)
    assert index.tolist() == list(range(50))
    assert np.abs(times - np.arange(50) / 30).max() < 1.1e-3  # Matroska and FLV count milliseconds
    assert np.abs(levels - grey_levels(index)).max() < 4


def test_times_of_a_variable_frame_rate(film: Callable[..., Path]) -> None:
    stamps = [1000, 1020, 1100, 1101, 1400, 1900, 1950, 2600]
    path = film("a.mkv", frames=8, stamps=stamps)
    levels, index, times = whole(path)
    assert np.allclose(times, (np.array(stamps) - 1000) / 1000, atol=1e-9)
    assert np.abs(levels - grey_levels(index)).max() < 4
    levels, index, times = whole(path, Sampling(rate=5))  # at 0, .2, .4, .6, .8, 1, 1.2, 1.4, 1.6
    assert index.tolist() == [0, 3, 4, 5, 6, 7]
    assert times.tolist() == [0.0, 0.101, 0.4, 0.9, 0.95, 1.6]
    assert np.abs(levels - grey_levels(index)).max() < 4


def test_a_count_spreads_over_the_whole_medium(film: Callable[..., Path]) -> None:
    path = film("a.mp4", frames=31)
    for count, expected in [(4, [0, 10, 20, 30]), (1, [0]), (2, [0, 30]), (99, list(range(31)))]:
        levels, index, _ = whole(path, Sampling(count=count), window=3)
        assert index.tolist() == expected
        assert np.abs(levels - grey_levels(index)).max() < 4


def test_windows_do_not_matter(film: Callable[..., Path]) -> None:
    path = film("a.mp4", frames=40)
    (one,) = decode(path, "x", EVERY, CPU, window=40)
    parts = list(decode(path, "x", EVERY, CPU, window=9))
    assert [len(clip) for clip in parts] == [9, 9, 9, 9, 4]
    assert torch.equal(torch.cat([clip.frames for clip in parts]), one.frames)
    assert all(clip.frames.is_contiguous() and clip.frames.dtype == torch.uint8 for clip in parts)
    assert one.frames.shape == (40, 3, 48, 64)
    assert one.times.dtype == np.float64
    assert one.index.dtype == np.int64
    assert {clip.id for clip in parts} == {"x"}
    with pytest.raises(ValueError, match="at least one frame"):
        next(decode(path, "x", EVERY, CPU, window=0))


def test_bytes_and_files_are_the_same_medium(film: Callable[..., Path]) -> None:
    path = film("a.mkv")
    for one, other in zip(
        decode(path, "x", EVERY, CPU), decode(path.read_bytes(), "x", EVERY, CPU), strict=True
    ):
        assert torch.equal(one.frames, other.frames)


# a b c d of the matrix in the track header (ISO 14496-12: a b u c d v x y w), and what numpy makes of it.
TURNS = {
    "none": ((1, 0, 0, 1), lambda p: p),
    "clockwise": ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    "half": ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
    "counterclockwise": ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
    "mirrored": ((-1, 0, 0, 1), np.fliplr),
    "upside down": ((1, 0, 0, -1), np.flipud),
    "transposed": ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
    "transversed": ((0, -1, -1, 0), lambda p: np.rot90(p, 2).transpose(1, 0, 2)),
}


@pytest.mark.parametrize("turn", TURNS)
def test_the_display_matrix_is_applied(tmp_path: Path, turn: str) -> None:
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :32], pixels[:24, 32:], pixels[24:, :32] = 255, (255, 0, 0), (0, 255, 0)
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    (a, b, c, d), turned = TURNS[turn]
    data = bytearray(path.read_bytes())
    place = data.find(b"tkhd") + 44
    data[place : place + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    (clip,) = decode(path, "x", EVERY, CPU)
    found = clip.frames[1].permute(1, 2, 0).numpy().astype(int)
    expected = turned(pixels)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 8
    if turn in ("none", "clockwise", "half", "counterclockwise"):  # OpenCV turns, but does not mirror
        other = cv2.VideoCapture(str(path)).read()[1][..., ::-1].astype(int)
        assert np.abs(found - other).mean() < 4


def test_hidden_frames_of_vp8_are_not_counted(film: Callable[..., Path], tmp_path: Path) -> None:
    path = film("a.webm", codec="libvpx", frames=12, options={"auto-alt-ref": "0", "lag-in-frames": "0"})
    hidden = tmp_path / "hidden.webm"
    with av.open(str(path)) as source, av.open(str(hidden), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(p for p in source.demux(video=0) if p.size):
            data = bytearray(bytes(packet))
            if number == 5:
                data[0] &= ~0x10  # the bit "show frame"
            copy = av.Packet(bytes(data))
            copy.pts, copy.dts, copy.time_base, copy.stream = packet.pts, packet.dts, packet.time_base, stream
            copy.is_keyframe = packet.is_keyframe
            target.mux(copy)
    levels, index, times = whole(hidden)
    assert index.tolist() == list(range(11))
    shown = np.delete(np.arange(12), 5)
    assert np.abs(times - shown / 30).max() < 1.1e-3
    assert np.abs(levels - grey_levels(shown)).max() < 4


def test_frames_before_the_first_decodable_one_are_no_part(film: Callable[..., Path], tmp_path: Path) -> None:
    path = film("a.ts", frames=40, options={"bf": "0", "g": "10", "sc_threshold": "0", "qp": "4"})
    late = tmp_path / "late.ts"
    with av.open(str(path)) as source, av.open(str(late), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(p for p in source.demux(video=0) if p.size):
            if number >= 4:  # the first key frame is gone; the next is frame 10
                packet.stream = stream
                target.mux(packet)
    levels, index, times = whole(late)
    assert index.tolist() == list(range(30))
    assert np.allclose(times, np.arange(30) / 30, atol=1e-4)
    assert np.abs(levels - grey_levels(index + 10)).max() < 4


def test_memory_is_bounded_by_the_window(film: Callable[..., Path]) -> None:
    width, height, frames = 160, 120, 3000
    path = film("long.mp4", codec="mpeg4", frames=frames, size=(width, height), options={})
    statm = Path("/proc/self/statm")
    resident = [int(statm.read_text().split()[1]) * 4096 if statm.exists() else 0]
    seen = 0
    for clip in decode(path, "x", EVERY, CPU):
        seen += len(clip)
        assert clip.frames.untyped_storage().nbytes() <= 32 * 3 * width * height
        resident.append(int(statm.read_text().split()[1]) * 4096 if statm.exists() else 0)
    assert seen == frames
    assert max(resident) - resident[0] < frames * 3 * width * height / 4


def test_sampled_frames_carry_the_sound(film: Callable[..., Path]) -> None:
    clips = list(decode(film("a.mp4", tone=440.0), "x", EVERY, CPU, sound_rate=8000, window=10))
    assert len(clips) == 3
    for clip in clips:
        assert clip.sound is not None
        assert clip.sound.rate == 8000
        assert clip.sound.samples.dtype == torch.float32
        assert clip.sound.samples.shape == clips[0].sound.samples.shape
        assert abs(len(clip.sound.samples) - 8000) < 600  # AAC fills its last frame


CLIPS = {
    "opendbm_av/subj01_timepoint01.mp4": 158,
    "opendbm_av/subj02_timepoint01.mp4": 148,
    "pyfeat/tests_data/no_face.mp4": 95,
    "pyfeat/tests_data/face_noface.mov": 169,
    "pyfeat/tests_data/noface_face.mov": 169,
    "pyfeat/tests_data/single_face.mp4": 72,
    "pyfeat/tests_data/WolfgangLanger_Pexels.mp4": 472,
}


@pytest.mark.parametrize("name", CLIPS)
def test_real_clips_against_opencv(shared: Path, name: str) -> None:
    path = shared / "data" / name
    capture = cv2.VideoCapture(str(path))
    clips: list[Clip] = list(decode(path, "x", Sampling(rate=2), CPU))
    index = np.concatenate([clip.index for clip in clips])
    times = np.concatenate([clip.times for clip in clips])
    frames = torch.cat([clip.frames for clip in clips])
    count, found = 0, []
    while capture.grab():
        if count in index:
            found.append((capture.retrieve()[1][..., ::-1], capture.get(cv2.CAP_PROP_POS_MSEC) / 1000))
        count += 1
    assert count == CLIPS[name]
    assert np.abs(times - np.array([moment for _, moment in found]) + found[0][1]).max() < 2e-3
    for frame, (expected, _) in zip(frames, found, strict=True):
        assert np.abs(frame.permute(1, 2, 0).numpy().astype(int) - expected).mean() < 3


def test_real_clips_are_whole(shared: Path) -> None:
    paths = sorted((shared / "data" / "intel_samples").glob("*.mkv"))
    assert paths
    for path in paths:
        _, index, times = whole(path, Sampling(count=3))
        assert len(index) == 3
        assert 1.4 < times[-1] < 4


def test_frames_without_stamps_are_counted_at_the_rate() -> None:
    stream = SimpleNamespace(time_base=Fraction(1, 90000), average_rate=Fraction(25))
    assert _timeline([0, None, 3600], stream, by_count=False).times.tolist() == [0.0, 0.04, 0.08]
    stream.average_rate = None
    with pytest.raises(MediaFault, match="neither times nor a rate"):
        _timeline([None], stream, by_count=False)
    twice = _timeline([0, 3600, 3600], stream, by_count=False)
    assert (twice.times.tolist(), twice.places) == ([0.0, 0.04, 0.04], {})


def test_a_fault_is_raised_at_the_first_window() -> None:
    with pytest.raises(MediaFault):
        next(decode(b"no medium", "x", EVERY, CPU))


def test_large_frames_come_in_small_windows(tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 3840, 2160, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((2160, 3840, 3), np.uint8), format="rgb24")
        for _ in range(5):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    sizes = [len(clip) for clip in decode(path, "c", Sampling(), torch.device("cpu"))]
    assert sizes == [2, 2, 1]  # 24.9 MB a frame, two of them within 64 MiB
