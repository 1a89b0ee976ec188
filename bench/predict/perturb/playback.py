"""Time: which frame of a video is shown when, before a model samples it.

No pixel changes, and no frame is added or taken away: at every moment that a frame was shown, one is still
shown, perhaps another; or the moments move. The sound is the original's, so that pictures which are moved no
longer go with it. The label is the clip's and stays. A still image has no time, and is refused.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from bench.predict.film import Film
from bench.predict.perturb.perturbation import Perturbation, fraction_of, percent
from bench.predict.perturb.stream import Stream

__all__ = ["DROPPED_FRAMES", "FRAME_RATE", "FROZEN", "JITTER", "REVERSED", "SHUFFLED", "SPEED"]

_HOST = torch.device("cpu")
_FREEZE_EVERY = 4.0  # seconds
_NEAR = 1e-6  # seconds by which a time may miss the moment that is meant


def _show(film: Film, places: np.ndarray) -> Film:
    """The film with what was at ``places`` [m] shown in their stead."""
    return replace(film, source=film.source[places])


def lower_frame_rate(film: Film, held: float, _stream: Stream) -> Film:
    """Keep the first frame of every ``held`` milliseconds, and show it until the next is kept."""
    spans = np.floor((film.times + _NEAR) / (held / 1000))
    return _show(film, np.searchsorted(spans, spans))


def drop_frames(film: Film, share: float, stream: Stream) -> Film:
    """Lose a ``share`` of the frames, each by chance; the one before stays in sight. The first is never lost.

    Where fewer are lost, it is some of the same ones.
    """
    kept = _uniform(len(film.times), stream) >= share
    kept[:1] = True
    return _show(film, np.maximum.accumulate(np.where(kept, np.arange(len(kept)), 0)))


def freeze(film: Film, share: float, stream: Stream) -> Film:
    """Stand still for a ``share`` of every four seconds, then go on with what is shown by then.

    The film is cut into equal spans of about four seconds, one at least; each has one freeze, whose begin is
    drawn. What happens meanwhile is never seen.
    """
    times = film.times
    spans = max(1, round(times[-1] / _FREEZE_EVERY))
    length = times[-1] / spans
    shown = np.arange(len(times))
    for number in range(spans):
        begin = length * (number + (1 - share) * stream.uniform(f"freeze {number}"))
        first, last = np.searchsorted(times, [begin - _NEAR, begin + share * length + _NEAR])
        shown[first:last] = first
    return _show(film, shown)


def jitter(film: Film, sigma: float, stream: Stream) -> Film:
    """Move the time of each frame by a normal number of ``sigma`` milliseconds; their order is kept.

    The times so moved are put in order, and counted from the first. The pictures are those they were, so
    that what a model samples evenly was not taken evenly.
    """
    moved = film.times + sigma / 1000 * _normal(len(film.times), stream)
    moved.sort()
    return replace(film, times=moved - moved[:1])


def play_faster(film: Film, factor: float, _stream: Stream) -> Film:
    """Show every frame ``factor`` times earlier; the sound keeps its speed."""
    return replace(film, times=film.times / factor)


def play_backwards(film: Film, share: float, _stream: Stream) -> Film:
    """Cut the film into equal stretches, each a ``share`` of it, and show the frames of each backwards."""
    blocks = _blocks(len(film.times), round(1 / share))
    return _show(film, np.concatenate([block[::-1] for block in blocks]))


def shuffle(film: Film, count: float, stream: Stream) -> Film:
    """Cut the film into ``count`` equal stretches, or single frames, and show them in another order.

    The order is one cycle drawn by Sattolo's algorithm (1986), so that no stretch stays where it was. What
    grows with their number n is how many frames no longer come after the one they came after, not how far
    they are moved: by (n + 1) / 3n of the film in the mean, a half for two stretches and a third for many.
    Where a model samples no more than n frames, neighbours are torn apart, but for what chance brings
    together again; of more, those within a stretch are not.
    """
    blocks = _blocks(len(film.times), int(count))
    for last in range(len(blocks) - 1, 0, -1):
        other = int(stream.uniform(f"stretch {last}") * last)
        blocks[last], blocks[other] = blocks[other], blocks[last]
    return _show(film, np.concatenate(blocks))


def _blocks(frames: int, count: int) -> list[np.ndarray]:
    """The places of a film in ``count`` stretches as equal as can be, none of them empty."""
    return np.array_split(np.arange(frames), min(count, frames))


def _uniform(count: int, stream: Stream) -> np.ndarray:
    """Numbers in (0, 1) for the places of a film, float64 [count]."""
    return (stream.bits16(0, count, _HOST).numpy() + 0.5) / (1 << 16)


def _normal(count: int, stream: Stream) -> np.ndarray:
    """Standard normal numbers for the places of a film, float64 [count]."""
    quantiles: torch.Tensor = torch.special.ndtri(torch.from_numpy(_uniform(count, stream)))
    return quantiles.numpy()


FRAME_RATE = Perturbation(
    name="frame_rate",
    version=1,
    levels=(1000 / 15, 100.0, 1000 / 7.5, 200.0, 400.0),
    unit="frames/s",
    shown=fraction_of(1000),
    source="15, 10, 7.5 and 5 frames/s, as H.263 and its like were run for video telephony, and 2.5 frames/s",
    apply=lower_frame_rate,
    random=False,
)

DROPPED_FRAMES = Perturbation(
    name="dropped_frames",
    version=1,
    levels=(0.05, 0.1, 0.2, 0.4, 0.7),
    unit="% of frames dropped",
    shown=percent,
    source="a range chosen here: from one frame in twenty to seven in ten, each about twice the last",
    apply=drop_frames,
)

FROZEN = Perturbation(
    name="frozen",
    version=1,
    levels=(0.125, 0.25, 0.375, 0.5, 0.75),
    unit="% of every four seconds, still",
    shown=percent,
    source="a range chosen here: freezes of 0.5, 1, 1.5, 2 and 3 seconds, as of a call on a bad line",
    apply=freeze,
    destroys_label_from=5,
)

JITTER = Perturbation(
    name="jitter",
    version=1,
    levels=(10.0, 25.0, 50.0, 100.0, 200.0),
    unit="ms standard deviation of times",
    source=(
        "a range chosen here around the 50 ms that ITU-T Y.1541 allows the delay to vary by in its classes 0 "
        "and 1, a fifth of it to four times as much"
    ),
    apply=jitter,
)

SPEED = Perturbation(
    name="speed",
    version=1,
    levels=(1.25, 1.5, 2.0, 3.0, 4.0),
    unit="times the speed",
    source="1.25, 1.5 and 2 as video players offer; 3 and 4 chosen here",
    apply=play_faster,
    destroys_label_from=4,
    random=False,
)

REVERSED = Perturbation(
    name="reversed",
    version=1,
    levels=(1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0),
    unit="% of the film played backwards in one go",
    shown=percent,
    source="a range chosen here: halvings of the film, from a sixteenth up to the whole of it",
    apply=play_backwards,
    random=False,
)

SHUFFLED = Perturbation(
    name="shuffled",
    version=1,
    levels=(2.0, 4.0, 8.0, 16.0, 32.0),
    unit="stretches in another order",
    source=(
        "a range chosen here: halvings of the film, from two stretches on; within each, motion stays as it "
        "was"
    ),
    apply=shuffle,
    destroys_label_from=4,
)
