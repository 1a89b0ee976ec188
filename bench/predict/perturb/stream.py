"""Counter-based random numbers: a pure function of what they belong to, the same on every device.

The key is the sha256 of (seed, clip, perturbation, version); the counter is the number of the frame, or of a
stretch of the sound, and the place within it. So batches, windows and the order of work change nothing, and
no state exists. The generator is Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as
1, 2, 3"): numpy's on the CPU, the same one in torch integers on every other device.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from bench.digest import digest_json
from bench.predict.perturb.lookup import look_up

__all__ = ["Stream", "inverse_normal", "philox"]

_ROUNDS = 10
_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_KEY_STEPS = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_LOW = 0xFFFFFFFF
_MASK = (1 << 64) - 1
_PER_BLOCK = 16  # a block is four words of four 16-bit numbers
_RUN = 1 << 20  # numbers of one counter, where there are no frames to count by

Words = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Stream:
    """The random numbers of one perturbation of one clip; ``key`` is 128 bits.

    The person is not in the key: crops of one clip share its parameters (a direction, a phase), as they share
    the camera, and so also the noise at equal places of equal frames.
    """

    key: tuple[int, int]

    @classmethod
    def of(cls, seed: int, clip: str, name: str, version: int) -> Stream:
        """The stream that belongs to a seed, a clip and a perturbation in one version."""
        digest = digest_json([seed, clip, name, version])
        return cls((int(digest[:16], 16), int(digest[16:32], 16)))

    def uniform(self, label: str) -> float:
        """A number in [0, 1) of 53 bits for a named parameter of the whole clip."""
        return (int(digest_json([*map(str, self.key), label])[:16], 16) >> 11) * 2.0**-53

    def bits16(self, frame: int, count: int, device: torch.device) -> torch.Tensor:
        """The first ``count`` numbers 0 to 65,535 of a frame, int32 [count]."""
        return self.bits16_frames(np.array([frame]), count, device)[0]

    def bits16_frames(self, index: np.ndarray, count: int, device: torch.device) -> torch.Tensor:
        """The first ``count`` numbers 0 to 65,535 of each frame in ``index`` [T], int32 [T, count]."""
        return self.words16_frames(index, count, device).to(torch.int32) & 0xFFFF

    def words16_frames(self, index: np.ndarray, count: int, device: torch.device) -> torch.Tensor:
        """The same numbers as bit patterns, int16 [T, count]: 65,535 is -1."""
        blocks = -(-count // _PER_BLOCK)
        words = self._raw(index, blocks) if device.type == "cpu" else self._words(index, blocks, device)
        # Words are little-endian on every device torch runs on: the low 16 bits come first.
        return words.view(torch.int16)[:, :count]

    def normal_frames(self, index: np.ndarray, count: int, device: torch.device) -> torch.Tensor:
        """The first ``count`` standard normal numbers of each frame, float32 [T, count]."""
        return look_up(inverse_normal(device), self.words16_frames(index, count, device))

    def normal(self, count: int, device: torch.device) -> torch.Tensor:
        """The first ``count`` standard normal numbers of a clip, float32 [count]: what a sound needs."""
        numbers = torch.empty(count, dtype=torch.float32, device=device)
        for run, start in enumerate(range(0, count, _RUN)):
            part = numbers[start : start + _RUN]
            part.copy_(self.normal_frames(np.array([run]), len(part), device)[0])
        return numbers

    def _raw(self, index: np.ndarray, blocks: int) -> torch.Tensor:
        words = np.empty((len(index), 4 * blocks), np.uint64)
        generator = np.random.Philox(key=np.array(self.key, np.uint64))
        state = generator.state  # in which no word is left over
        for row, frame in enumerate(index):
            # numpy adds one to the counter before its first block; blocks are counted from one here.
            state["state"]["counter"] = np.array([0, frame, 0, 0], np.uint64)
            generator.state = state
            words[row] = generator.random_raw(4 * blocks)
        return torch.from_numpy(words.view(np.int64))

    def _words(self, index: np.ndarray, blocks: int, device: torch.device) -> torch.Tensor:
        block = torch.arange(1, blocks + 1, device=device).expand(len(index), blocks)
        frame = torch.tensor(index.tolist(), dtype=torch.int64, device=device)[:, None].expand_as(block)
        zero = torch.zeros_like(block)
        return torch.stack(philox((block, frame, zero, zero), self.key), dim=-1).flatten(1)


def philox(counter: Words, key: tuple[int, int]) -> Words:
    """Philox4x64-10 of four int64 tensors of counters under a 128-bit key; words are int64 bit patterns."""
    c0, c1, c2, c3 = counter
    for number in range(_ROUNDS):
        k0, k1 = (_signed(word + number * step) for word, step in zip(key, _KEY_STEPS, strict=True))
        high0, low0 = _product(c0, _MULTIPLIERS[0])
        high1, low1 = _product(c2, _MULTIPLIERS[1])
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
    return c0, c1, c2, c3


@cache
def inverse_normal(device: torch.device) -> torch.Tensor:
    """The standard normal quantiles of (i + 1/2) / 65,536, float32 [65536]: numbers to normal numbers."""
    places = torch.arange(1 << 16, dtype=torch.float64, device=device)
    quantiles: torch.Tensor = torch.special.ndtri((places + 0.5) / (1 << 16))
    return quantiles.to(torch.float32)


def _product(words: torch.Tensor, factor: int) -> tuple[torch.Tensor, torch.Tensor]:
    """High and low 64 bits of an unsigned product; int64 wraps, so bit patterns stay right."""
    low, high = words & _LOW, (words >> 32) & _LOW
    factor_low, factor_high = factor & _LOW, factor >> 32
    cross, other = low * factor_high, high * factor_low
    carry = (((low * factor_low) >> 32) & _LOW) + (cross & _LOW) + (other & _LOW)
    top = high * factor_high + ((cross >> 32) & _LOW) + ((other >> 32) & _LOW) + ((carry >> 32) & _LOW)
    return top, words * _signed(factor)


def _signed(word: int) -> int:
    """The int64 with the bit pattern of an unsigned word, taken modulo 2**64."""
    word &= _MASK
    return word - (1 << 64) if word >> 63 else word
