"""Packet loss: what a receiver shows of an H.264 stream of which some packets never arrive.

The stream is as for real-time use (RFC 6184, single NAL unit mode): no frame waits for a later one, each
packet is a slice of at most 1,200 bytes, a key frame comes every two seconds. Packets are lost in bursts, by
the model of Gilbert (1960). The decoder conceals what is missing of a frame, and what it makes of that stays
until the next key frame; a frame that is lost as a whole repeats the one before it. The first frame arrives
whole, and so do the parameter sets, as a receiver asks for them until it has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import av.error
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from bench.predict.film import Film
from bench.predict.perturb.codec import Codec, recode
from bench.predict.perturb.perturbation import Perturbation, percent
from bench.predict.perturb.stream import Stream

__all__ = ["PACKET_LOSS", "lost_packets"]

_BURST = 3.0
_SLICES = (1, 5)  # NAL unit types of a coded slice (ITU-T H.264, table 7-1)
_START = re.compile(rb"\x00{2,}\x01")
_CODEC = Codec(
    "libx264",
    "h264",
    {
        "preset": "veryfast",
        "tune": "zerolatency",
        "crf": "23",
        "g": "60",
        "a53cc": "0",
        "x264-params": "cpu-independent=1:sliced-threads=0:slice-max-size=1200",
    },
)


def lose_packets(film: Film, share: float, stream: Stream) -> Film:
    """Send a film by H.264 at a quality of CRF 23 and lose a ``share`` of its packets, in bursts of 3."""
    lost = lost_packets(stream, share)

    def receive(receiver: VideoCodecContext, packet: Packet[VideoStream]) -> list[VideoFrame]:
        units = _units(bytes(packet))
        if packet.pts:
            units = [unit for unit in units if unit[0] & 31 not in _SLICES or not next(lost)]
        if not any(unit[0] & 31 in _SLICES for unit in units):
            return []
        arrived = Packet(b"".join(b"\0\0\0\1" + unit for unit in units))
        arrived.pts, arrived.dts, arrived.time_base = packet.pts, packet.dts, packet.time_base
        try:
            return receiver.decode(arrived)
        except av.error.InvalidDataError:
            return []

    return replace(film, frames=recode(film.frames, _CODEC, receive=receive))


def lost_packets(stream: Stream, share: float, burst: float = _BURST) -> Iterator[bool]:
    """Whether each packet is lost: a Markov chain of two states, in the long run a ``share`` of them.

    ``burst``: the mean number of packets lost in a row. Where fewer are lost, it is some of the same ones.
    """
    stays = 1 - 1 / burst
    begins = (1 - stays) * share / (1 - share)
    lost, number = False, 0
    while True:
        lost = stream.uniform(f"packet {number}") < (stays if lost else begins)
        yield lost
        number += 1


def _units(data: bytes) -> list[bytes]:
    """The NAL units of a stretch of a byte stream (ITU-T H.264, annex B)."""
    return [unit for unit in _START.split(data) if unit]


PACKET_LOSS = Perturbation(
    name="packet_loss",
    version=1,
    levels=(0.01, 0.03, 0.05, 0.10, 0.20),
    unit="% of packets lost, in bursts of 3",
    shown=percent,
    source=(
        "the loss rates of the Internet error patterns by which H.264's error resilience was tested, 3, 5, "
        "10 and 20 % (Wenger 1999, ITU-T SG16 Q15-I-16r1), and 1 %; the length of bursts is chosen here"
    ),
    apply=lose_packets,
    destroys_label_from=5,
)
