from __future__ import annotations

import contextlib
import gc
import io
import re
import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

from bench.errors import MediaFault
from bench.predict.clip import Sampling
from bench.predict.decode import Timeline, _decoded, decode
from bench.predict.media import decode_plain_image, opened, read_plain_image

PIXELS = cv2.GaussianBlur(np.random.default_rng(5).integers(0, 256, (90, 80, 3), dtype=np.uint8), (9, 9), 3)


def count(medium: Path | bytes, sound_rate: int | None = None) -> int:
    return sum(len(clip) for clip in decode(medium, "x", Sampling(), torch.device("cpu"), sound_rate))


def fault(medium: Path | bytes, sound_rate: int | None = None) -> str:
    with pytest.raises(MediaFault) as caught:
        count(medium, sound_rate)
    assert caught.value.status == "decode_error"
    text = str(caught.value)
    assert re.fullmatch(r"[^.]+\. Allowed: .+\. [A-Z][^.]+\.", text), text
    assert "/" not in text  # no path of this machine
    return text


@pytest.fixture(autouse=True)
def _silent(capfd: pytest.CaptureFixture[str]) -> object:
    yield
    assert capfd.readouterr() == ("", "")


def png(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def image(extension: str) -> bytes:
    return cv2.imencode(extension, PIXELS)[1].tobytes()


def test_the_texts() -> None:
    assert fault(b"") == (
        "the file is empty (0 bytes). Allowed: a complete image, video or sound file. Copy the file again."
    )
    assert fault(b"no medium at all") == (
        "FFmpeg cannot decode it: Invalid data found when processing input. Allowed: complete files of aac, "
        "aiff, apng, asf, avi, bmp, flac, flv, gif, j2k, jpeg, matroska, mov, mp3, mpeg, mpegts, ogg, pam, "
        "pgm, png, ppm, tiff, wav, webm, webp, at most 64 megapixels a frame. Copy or encode the file again."
    )
    assert fault(png(8001, 8000)) == (
        "its frames are 8001 x 8000 pixels. Allowed: at most 64 megapixels a frame. Scale it down."
    )
    assert fault(image(".jpg")[:-2]) == (
        "the JPEG ends before its end marker. Allowed: a complete image. Copy the file again."
    )


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_a_truncated_image(extension: str, part: float) -> None:
    data = image(extension)
    assert count(data) == 1
    fault(data[: int(len(data) * part)])


def test_a_thumbnail_does_not_hide_a_truncated_image() -> None:
    data = image(".jpg")
    block = b"Exif\0\0" + image(".jpg")
    thumbed = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    assert count(thumbed) == 1
    fault(thumbed[:-40])


def test_a_damaged_png() -> None:
    data = bytearray(image(".png"))
    data[len(data) // 2] ^= 0xFF
    fault(bytes(data))


def test_a_png_with_a_named_colour_profile() -> None:
    # PyAV 18 frees the profile's name twice once side data are listed: the process dies.
    data = image(".png")
    body = b"iCCPsome name\0\0" + zlib.compress(bytes(200))
    profile = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    for _ in range(20):
        assert count(data[:33] + profile + data[33:]) == 1
        gc.collect()


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_a_plain_image_is_what_its_container_holds(extension: str) -> None:
    data = image(extension)
    plain = read_plain_image(data)
    assert plain is not None
    frame, found = decode_plain_image(*plain), plain[1]
    assert frame is not None
    with opened(data) as container:
        expected = next(container.decode(video=0))
    assert found == data
    assert frame.format.name == expected.format.name
    assert (frame.color_range, frame.colorspace) == (expected.color_range, expected.colorspace)
    assert (frame.to_ndarray() == expected.to_ndarray()).all()


def test_what_is_not_plain_is_left_to_the_container() -> None:
    jpeg, still = image(".jpg"), image(".png")
    block = b"Exif\0\0" + jpeg
    thumbed = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]
    animated = still[:33] + struct.pack(">I", 8) + b"acTL" + bytes(12) + still[33:]
    for data in (
        b"",
        b"RIFF",
        image(".bmp"),
        jpeg[:-1],
        jpeg + b"\0",
        jpeg + jpeg,
        thumbed,
        animated,
        still[:-40],
    ):
        plain = read_plain_image(data)
        assert plain is None or decode_plain_image(*plain) is None


@pytest.mark.parametrize("size", [(16000, 16000), (100_000, 100_000), (2**31 - 1, 2)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    assert "megapixels" in fault(png(*size))


def test_a_jpeg_bomb() -> None:
    data = bytearray(image(".jpg"))
    place = data.find(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", 12000, 12000)
    data[-2:-2] = bytes(12000 * 12000 // 300)  # enough of it that FFmpeg would believe the size
    assert "megapixels" in fault(bytes(data))


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a.mp4", {}),
        ("a.mp4", {"muxing": {"movflags": "faststart"}}),
        ("a.mp4", {"muxing": {"movflags": "frag_keyframe+empty_moov"}}),
        ("a.mkv", {"tone": 440.0}),
        ("a.avi", {}),
        ("a.avi", {"codec": "mjpeg", "options": {"strict": "unofficial"}}),
    ],
)
def test_a_truncated_video(film: Callable[..., Path], name: str, what: dict) -> None:
    data = film(name, frames=90, **what).read_bytes()
    assert count(data) == 90
    faults = 0
    for part in np.linspace(0.05, 0.995, 20):
        try:
            left = count(data[: int(len(data) * part)])
        except MediaFault:
            faults += 1
        else:  # only what a fragment or the slack of a quarter second hides
            assert left >= 90 - 8 or "frag" in str(what)
    assert faults >= (15 if "frag" not in str(what) else 4)


def test_a_video_cut_between_frames(film: Callable[..., Path]) -> None:
    data = film("a.mkv", frames=90).read_bytes()
    with av.open(io.BytesIO(data)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    assert fault(data[: places[40]]).startswith("the video is cut off after ")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.webm"])
def test_a_video_without_frames(film: Callable[..., Path], name: str) -> None:
    codec = {"codec": "libvpx", "options": {}} if name == "a.webm" else {}
    text = fault(film(name, frames=0, **codec))
    assert text.startswith(("the video has no frame", "it has no video", "it ends before its first frame")), (
        text
    )


def test_no_video(tmp_path: Path, film: Callable[..., Path]) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        piece = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        piece.rate = 8000
        container.mux(stream.encode(piece))
        container.mux(stream.encode())
    assert fault(path).startswith("it has no video")


def test_no_sound(film: Callable[..., Path]) -> None:
    path = film("a.mp4")
    assert count(path) == 30
    assert fault(path, 16000).startswith("no sound")
    assert fault(image(".png"), 16000).startswith("no sound")


def test_frames_of_changing_size(film: Callable[..., Path]) -> None:
    one = film("a.ts", codec="mpeg2video", options={})
    other = film("b.ts", codec="mpeg2video", options={}, size=(96, 48))
    assert fault(one.read_bytes() + other.read_bytes()).startswith("its frames change size")


def test_frames_that_the_index_promises_but_that_do_not_decode(film: Callable[..., Path]) -> None:
    def drain(promised: int) -> int:
        with opened(path) as container:
            timeline = Timeline(np.arange(promised) / 30, {})
            return sum(1 for _ in _decoded(container, container.streams.video[0], timeline))

    path = film("a.mp4", frames=30)
    assert drain(30) == drain(31) == 30
    with pytest.raises(MediaFault, match="30 of 40 frames decode"):
        drain(40)
    with pytest.raises(MediaFault, match="more than the 20 frames"):
        drain(20)


def test_a_video_of_one_frame_that_does_not_decode(film: Callable[..., Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.mkv"
    with av.open(str(film("a.mkv", frames=1))) as source, av.open(str(broken), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packet = av.Packet(b"\0\0\0\x02\x09\xf0")  # an access unit that holds no picture
        packet.pts = packet.dts = 0
        packet.time_base, packet.stream = Fraction(1, 1000), stream
        target.mux(packet)
    fault(broken)


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4", "list.ffconcat", "list.txt"])
@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{name}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\nfile:{path}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {name}\n",
        "ffconcat version 1.0\nfile '{path}'\n",
    ],
)
def test_a_playlist_is_not_followed(
    film: Callable[..., Path], tmp_path: Path, name: str, playlist: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = film("secret.ts")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.write_text(playlist.format(name=secret.name, path=secret))
    fault(path)


def test_the_playlists_are_ones_that_ffmpeg_would_follow(film: Callable[..., Path], tmp_path: Path) -> None:
    film("secret.ts")
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\nsecret.ts\n#EXT-X-ENDLIST\n")
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 30


def test_random_damage_never_escapes(film: Callable[..., Path]) -> None:
    rng = np.random.default_rng(11)
    for data in (film("a.mp4", tone=300.0).read_bytes(), film("a.mkv").read_bytes(), image(".jpg")):
        for _ in range(15):
            broken = bytearray(data)
            for place in rng.integers(0, len(data), 20):
                broken[place] = rng.integers(256)
            with contextlib.suppress(MediaFault):
                count(bytes(broken), 16000)


def test_a_missing_file_is_not_the_fault_of_the_medium(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        count(tmp_path / "none.mp4")
