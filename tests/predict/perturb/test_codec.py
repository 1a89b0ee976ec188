"""Codecs: what a file that FFmpeg wrote with the same settings would show; sizes, rates, colours, losses."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from bench.errors import MachineError
from bench.predict.clip import Sampling
from bench.predict.decode import windows
from bench.predict.film import Film
from bench.predict.perturb import FILM_PERTURBATIONS
from bench.predict.perturb.codec import _LIBVPX, _X264, Codec, _received, recode
from bench.predict.perturb.loss import _units, lost_packets
from bench.predict.perturb.stream import Stream
from bench.synth.drawn import draw_face

CODECS = ("h264", "packet_loss", "vp9")
EVERY = Sampling()


def pixels_of(path: Path, name: str | None = None, severity: int = 1) -> torch.Tensor:
    alter = None if name is None else partial(FILM_PERTURBATIONS[name], severity=severity, seed=0)
    return torch.cat([pixels for pixels, _, _ in windows(path, "x", EVERY, 32, alter)])


def write(
    path: Path, frames: Sequence[np.ndarray], codec: str = "ffv1", pix_fmt: str = "bgr0", **what: object
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        for name, value in what.items():
            setattr(stream.codec_context, name, value)
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def faces(size: int = 256, count: int = 30) -> list[np.ndarray]:
    return [
        draw_face("surprise", "cool", "round", size=size, sway=0.1 * np.sin(number / 5))
        for number in range(count)
    ]


def in_yuv(frames: Sequence[np.ndarray]) -> list[tuple[int, av.VideoFrame]]:
    made = [av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p") for frame in frames]
    return list(enumerate(made))


def planes(frame: av.VideoFrame) -> list[bytes]:
    return [
        np.frombuffer(memoryview(p), np.uint8).reshape(p.height, p.line_size)[:, : p.width].tobytes()
        for p in frame.planes
    ]


@pytest.mark.parametrize(("codec", "name"), [(_X264, "a.ts"), (_LIBVPX, "a.webm")])
def test_it_is_what_a_file_of_the_same_settings_shows(tmp_path: Path, codec: Codec, name: str) -> None:
    frames = in_yuv(faces())
    found = [planes(frame) for _, frame in recode(iter(frames), codec, 0.02)]
    bits = round(0.02 * 256 * 256 * 30)
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec.encoder, rate=30)
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
        stream.thread_count = 1
        stream.options = codec.options | {
            "b": str(bits), "bt": str(bits), "maxrate": str(bits), "bufsize": str(2 * bits)
        }  # fmt: skip
        for number, frame in in_yuv(faces()):
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with av.open(str(tmp_path / name)) as container:
        container.streams.video[0].thread_count = 1
        assert [planes(frame) for frame in container.decode(video=0)] == found


@pytest.mark.parametrize(("codec", "kbits"), [(_X264, 400), (_LIBVPX, 270)])
def test_the_stream_has_the_bits_that_are_named(shared: Path, codec: Codec, kbits: int) -> None:
    """A real clip at the quoted rate, brought to 640 x 360; what a packet holds is counted on its way."""
    path = shared / "data" / "opendbm_av" / "subj02_timepoint01.mp4"
    with av.open(str(path)) as container:
        frames = [frame.reformat(640, 360) for frame in islice(container.decode(video=0), 90)]
    for factor in (1, 4):
        sizes: list[int] = []

        def count(receiver, packet, sizes=sizes):
            sizes.append(packet.size)
            return receiver.decode(packet)

        rate = 1000 * kbits / factor / (640 * 360 * 30)
        assert len(list(recode(iter(enumerate(frames)), codec, rate, count))) == 90
        spent = sum(sizes) * 8 / 3 / 1000
        assert 0.6 * kbits / factor < spent < 1.4 * kbits / factor


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (8, 8), (33, 47), (48, 31), (65, 64)])
def test_any_size_comes_back(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    grey = [np.full((*size, 3), 90, np.uint8)] * 3
    path = write(tmp_path / "a.mkv", grey)
    for severity in (1, 5):
        found = pixels_of(path, name, severity)
        assert found.shape == (3, 3, *size)
        assert (found.int() - 90).abs().max() < 16  # at 1 kbit/s, the least there is


@pytest.mark.parametrize("name", CODECS)
def test_odd_sizes_lose_no_edge(tmp_path: Path, name: str) -> None:
    """The last row and column are another colour than the rest, and stay so."""
    picture = np.full((97, 131, 3), 200, np.uint8)
    picture[-9:], picture[:, -9:] = 40, 40
    found = pixels_of(write(tmp_path / "a.mkv", [picture] * 10), name)[-1].permute(1, 2, 0).int()
    assert (found - torch.from_numpy(picture).int()).abs().float().mean() < 6
    assert (found[-1] - 40).abs().max() < 40
    assert (found[:, -1] - 40).abs().max() < 40


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("a.mkv", {}),
        ("a.mkv", {"codec": "ffv1", "pix_fmt": "yuv444p10le"}),
        ("a.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
        ("a.mp4", {"codec": "libx264", "pix_fmt": "yuv420p", "colorspace": 1}),
        ("a.mp4", {"codec": "libx264", "pix_fmt": "yuv420p", "color_range": 2}),
        ("a.apng", {"codec": "apng", "pix_fmt": "rgb24"}),
        ("a.gif", {"codec": "gif", "pix_fmt": "rgb8"}),
    ],
)
def test_colours_stay(tmp_path: Path, name: str, file: str, what: dict) -> None:
    """Four large fields of colour, whatever the source's range, matrix, depth and sampling."""
    picture = np.zeros((128, 128, 3), np.uint8)
    picture[:64, :64], picture[:64, 64:] = (224, 64, 32), (64, 192, 96)
    picture[64:, :64], picture[64:, 64:] = (32, 64, 224), (192, 192, 192)
    path = write(tmp_path / file, [picture] * 12, **what)
    before, found = pixels_of(path), pixels_of(path, name)
    for y in (0, 64):
        for x in (0, 64):
            field = (slice(None), slice(None), slice(y + 16, y + 48), slice(x + 16, x + 48))
            apart = (found[field].float().mean((0, 2, 3)) - before[field].float().mean((0, 2, 3))).abs()
            # A field that GIF dithers is noise to a codec.
            assert apart.max() < (12 if file == "a.gif" else 4), (y, x, apart)


@pytest.mark.parametrize("name", CODECS)
def test_a_turned_video_stays_turned(tmp_path: Path, name: str) -> None:
    pixels = np.zeros((48, 80, 3), np.uint8)
    pixels[:24, :40], pixels[:24, 40:] = 255, 128
    path = write(tmp_path / "a.mp4", [pixels] * 3, "libx264", "yuv420p")
    data = bytearray(path.read_bytes())
    place = data.find(b"tkhd") + 44
    data[place : place + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    before, found = pixels_of(path), pixels_of(path, name)
    assert before.shape == found.shape == (3, 3, 80, 48)
    assert (before.float() - found.float()).abs().mean() < 6


@pytest.mark.parametrize("name", CODECS)
def test_times_of_a_variable_frame_rate_stay(film: Callable[..., Path], name: str) -> None:
    stamps = [1000, 1020, 1100, 1101, 1400, 1900, 1950, 2600]
    path = film("a.mkv", frames=8, stamps=stamps)
    alter = partial(FILM_PERTURBATIONS[name], severity=1, seed=0)
    ((pixels, index, times),) = windows(path, "x", EVERY, 32, alter)
    assert index.tolist() == list(range(8))
    assert np.allclose(times, (np.array(stamps) - 1000) / 1000, atol=1e-9)
    assert np.abs(pixels.float().mean((1, 2, 3)).numpy() - (20 + 8 * np.arange(8))).max() < 8


def test_little_is_held_at_a_time() -> None:
    """Frames come out while others go in: as many are under way as the encoder looks ahead."""
    taken = 0

    def frames():
        nonlocal taken
        for number, frame in in_yuv(faces(64, 120)):
            taken += 1
            yield number, frame

    for codec, most in ((_X264, 24), (_LIBVPX, 1)):
        taken = 0
        assert max(taken - number for number, _ in recode(frames(), codec, 0.05)) <= most


def test_a_codec_that_is_not_there_is_the_machines_fault() -> None:
    with pytest.raises(MachineError, match="libnone: this build of FFmpeg does not have it"):
        next(recode(iter(in_yuv(faces(64, 1))), Codec("libnone", "h264", {})))


def test_a_frame_that_a_codec_loses_by_itself_is_no_silent_repetition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "bench.predict.perturb.codec._received", lambda *given: (f for f in _received(*given) if f.pts != 4)
    )
    with pytest.raises(MachineError, match="libvpx-vp9: frame 4 of what it encoded does not decode"):
        list(recode(iter(in_yuv(faces(64, 8))), _LIBVPX, 0.05))


def packets(share: float, count: int = 40_000) -> np.ndarray:
    return np.array(list(islice(lost_packets(Stream.of(0, "x", "packet_loss", 1), share), count)))


@pytest.mark.parametrize("share", FILM_PERTURBATIONS["packet_loss"].levels)
def test_packets_are_lost_as_planted(share: float) -> None:
    lost = packets(share)
    assert abs(lost.mean() / share - 1) < 0.2
    ends = np.flatnonzero(np.diff(np.r_[0, lost.astype(int), 0]))
    bursts = ends[1::2] - ends[::2]
    assert abs(bursts.mean() / 3 - 1) < 0.15
    assert abs((bursts == 1).mean() - 1 / 3) < 0.1  # a geometric law


def test_what_little_loses_much_loses_too() -> None:
    for less, more in pairwise(FILM_PERTURBATIONS["packet_loss"].levels):
        assert not (packets(less, 5000) & ~packets(more, 5000)).any()


def test_a_lost_frame_repeats_the_one_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of one grey level each fit into a packet: which packet is lost says which frame is."""
    lost = {3, 4, 9}
    monkeypatch.setattr(
        "bench.predict.perturb.loss.lost_packets",
        lambda stream, share: iter([n + 1 in lost for n in range(12)]),
    )
    frames = in_yuv([np.full((64, 64, 3), 20 + 8 * number, np.uint8) for number in range(12)])
    film = Film("x", np.arange(12) / 30, np.arange(12), iter(frames))
    out = list(FILM_PERTURBATIONS["packet_loss"](film, 3, 0).frames)
    assert [number for number, _ in out] == list(range(12))
    shown = [frame for _, frame in out]
    assert [n for n in range(1, 12) if planes(shown[n]) == planes(shown[n - 1])] == sorted(lost)


def test_a_slice_that_is_lost_is_concealed_and_forgotten_at_the_next_key_frame(monkeypatch) -> None:
    """One of several packets of frame 20 is lost: frames are right before, wrong after, right from 60 on."""
    rng = np.random.default_rng(1)
    ground = np.kron(rng.integers(0, 256, (16, 16, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    frames = in_yuv([np.roll(ground, 3 * number, axis=1) for number in range(66)])
    perturbation, several, left = FILM_PERTURBATIONS["packet_loss"], [], [0]

    def run(chosen: int) -> list[list[bytes]]:
        film = Film(
            "x",
            np.arange(66) / 30,
            np.arange(66),
            iter(in_yuv([np.roll(ground, 3 * n, 1) for n in range(66)])),
        )
        monkeypatch.setattr(
            "bench.predict.perturb.loss.lost_packets",
            lambda stream, share: (n == chosen for n in range(10**6)),
        )
        return [planes(frame) for _, frame in perturbation(film, 1, 0).frames]

    def spy(data: bytes) -> list[bytes]:
        units = _units(data)
        several.append(sum(unit[0] & 31 in (1, 5) for unit in units))
        return units

    monkeypatch.setattr("bench.predict.perturb.loss._units", spy)
    whole = run(-1)
    assert len(several) == len(frames) == 66
    assert several[20] > 1
    assert left == [0]
    found = run(sum(several[1:20]))
    assert [n for n in range(66) if whole[n] != found[n]] == list(range(20, 60))


def test_units_of_a_byte_stream() -> None:
    assert _units(b"\0\0\0\1\x67ab\0\0\1\x68\0\0c\0\0\0\0\1\x65d") == [b"\x67ab", b"\x68\0\0c", b"\x65d"]
