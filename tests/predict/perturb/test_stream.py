from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import ndtri

from bench.predict.perturb.stream import Stream, inverse_normal, philox

CPU = torch.device("cpu")
META = torch.device("meta")
STREAM = Stream.of(3, "clip", "name", 1)

# Known answers of philox4x64-10 in Random123 (Salmon et al. 2011), file kat_vectors: counter, key, result.
PUBLISHED = [
    (
        [0, 0, 0, 0],
        (0, 0),
        [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B],
    ),
    (
        [0xFFFFFFFFFFFFFFFF] * 4,
        (0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF),
        [0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0],
    ),
    (
        [0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89],
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        [0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6],
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), PUBLISHED)
def test_published_answers(counter: list[int], key: tuple[int, int], expected: list[int]) -> None:
    words = tuple(torch.from_numpy(np.array([word], np.uint64).view(np.int64)) for word in counter)
    assert [int(word.numpy().view(np.uint64)[0]) for word in philox(words, key)] == expected


@pytest.mark.parametrize("count", [1, 15, 16, 17, 3 * 224 * 224])
def test_torch_and_numpy_draw_the_same(count: int) -> None:
    index, blocks = np.array([0, 1, 7, 2**31 + 5, 2**40]), -(-count // 16)
    for clip in ("a", "b", "ü"):
        stream = Stream.of(0, clip, "name", 1)
        assert torch.equal(stream._raw(index, blocks), stream._words(index, blocks, CPU))


def test_the_integers_stand() -> None:
    """Any change here changes every perturbed pixel, and needs a new version of every perturbation."""
    stream = Stream.of(0, "clip", "sensor_noise", 1)
    assert stream.key == (0x815134F7FF9751CC, 0x483F88B5610C3952)
    assert stream.bits16(0, 8, CPU).tolist() == [43864, 29073, 7897, 39848, 41556, 56860, 42375, 21044]
    assert stream.bits16(100, 8, CPU).tolist() == [60228, 60786, 46784, 21752, 29794, 46253, 19128, 60985]
    assert stream.uniform("angle") == 0.05382597779599574


def test_batches_do_not_matter() -> None:
    index = np.array([4, 9, 2])
    together = STREAM.bits16_frames(index, 100, CPU)
    assert together.shape == (3, 100)
    assert together.dtype == torch.int32
    for row, frame in zip(together, index, strict=True):
        assert torch.equal(row, STREAM.bits16(int(frame), 100, CPU))
        assert torch.equal(row[:37], STREAM.bits16(int(frame), 37, CPU))


def test_streams_differ_in_each_part_of_their_name() -> None:
    names = [(0, "a", "n", 1), (1, "a", "n", 1), (0, "b", "n", 1), (0, "a", "m", 1), (0, "a", "n", 2)]
    streams = [Stream.of(*name) for name in names]
    assert len({stream.key for stream in streams}) == len(names)
    assert len({tuple(stream.bits16(0, 4, CPU).tolist()) for stream in streams}) == len(names)
    assert len({stream.uniform("x") for stream in streams}) == len(names)
    assert Stream.of(*names[0]) == streams[0]
    assert STREAM.uniform("x") != STREAM.uniform("y")


def test_the_numbers_are_uniform_and_independent() -> None:
    bits = STREAM.bits16_frames(np.arange(4), 1 << 16, CPU).numpy()
    assert bits.min() >= 0
    assert bits.max() <= 65535
    for row in bits:
        assert stats.chisquare(np.bincount(row >> 8, minlength=256)).pvalue > 1e-4
        assert stats.chisquare(np.bincount(row & 255, minlength=256)).pvalue > 1e-4
    assert np.abs(np.corrcoef(bits) - np.eye(4)).max() < 5 / 256
    draws = [Stream.of(seed, "a", "n", 1).uniform("x") for seed in range(2000)]
    assert stats.kstest(draws, "uniform").pvalue > 1e-4


def test_normal_numbers() -> None:
    assert np.abs(inverse_normal(CPU).numpy() - ndtri((np.arange(65536) + 0.5) / 65536)).max() < 1e-6
    assert inverse_normal(CPU) is inverse_normal(CPU)
    draws = STREAM.normal_frames(np.arange(5), 20000, CPU)
    assert draws.shape == (5, 20000)
    assert draws.dtype == torch.float32
    assert stats.kstest(draws.flatten().numpy(), "norm").pvalue > 1e-4


def test_normal_numbers_of_a_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = STREAM.normal(100_000, CPU)
    assert draws.dtype == torch.float32
    assert torch.equal(draws, STREAM.normal_frames(np.array([0]), 100_000, CPU)[0])
    monkeypatch.setattr("bench.predict.perturb.stream._RUN", 1 << 14)
    many = STREAM.normal(100_000, CPU)
    assert torch.equal(many[: 1 << 14], draws[: 1 << 14])
    assert torch.equal(many[1 << 14 : 1 << 15], STREAM.normal_frames(np.array([1]), 1 << 14, CPU)[0])
    assert torch.equal(many[:70_000], STREAM.normal(70_000, CPU))
    assert stats.kstest(many.numpy(), "norm").pvalue > 1e-4
    assert abs(np.corrcoef(many[:-1], many[1:])[0, 1]) < 0.02
    assert STREAM.normal(0, CPU).shape == (0,)


def test_on_another_device_nothing_is_made_elsewhere() -> None:
    assert STREAM.bits16_frames(np.arange(3), 50, META).device == META
    assert STREAM.normal_frames(np.arange(3), 50, META).device == META
    assert STREAM.normal(50, META).device == META


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_draws_the_same_integers() -> None:
    cuda, index = torch.device("cuda"), np.array([0, 3, 2**33])
    assert torch.equal(STREAM.bits16_frames(index, 4099, cuda).cpu(), STREAM.bits16_frames(index, 4099, CPU))


def test_words_are_the_bits_of_the_numbers() -> None:
    index = np.array([0, 7])
    numbers, words = (draw(index, 1000, CPU) for draw in (STREAM.bits16_frames, STREAM.words16_frames))
    assert words.dtype == torch.int16
    assert np.array_equal(words.numpy().view(np.uint16), numbers.numpy())
