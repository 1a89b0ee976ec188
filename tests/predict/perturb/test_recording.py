"""Laws that every perturbation of the sound keeps, by table over SOUND_PERTURBATIONS."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from bench.predict.clip import Sound
from bench.predict.perturb import FILM_PERTURBATIONS, PERTURBATIONS, SOUND_PERTURBATIONS, Perturbation
from bench.predict.sound import Recording
from tests.laws.test_perturbations import Devices
from tests.predict.perturb.voice import heard, recording, speak

SEVERITIES = range(1, 6)


@pytest.fixture(params=sorted(SOUND_PERTURBATIONS))
def perturbation(request: pytest.FixtureRequest) -> Perturbation[Recording]:
    return SOUND_PERTURBATIONS[request.param]


def distance(one: Recording, other: Recording) -> float:
    return float(np.sqrt(np.square(heard(one) - heard(other)).mean()))


def test_the_registry_is_named_by_hand() -> None:
    assert sorted(SOUND_PERTURBATIONS) == [
        "background_noise", "desynchronisation", "mismatched_voice", "missing_sound", "reverberation",
        "sound_clipping", "sound_dropout", "telephone",
    ]  # fmt: skip
    assert all(name == perturbation.name for name, perturbation in SOUND_PERTURBATIONS.items())
    assert not set(SOUND_PERTURBATIONS) & {*PERTURBATIONS, *FILM_PERTURBATIONS}


def test_five_rising_levels_with_unit_and_source(perturbation: Perturbation[Recording]) -> None:
    assert len(perturbation.levels) == 5
    assert list(perturbation.levels) == sorted(set(perturbation.levels))
    assert perturbation.unit
    assert len(perturbation.source) > 20
    assert perturbation.version >= 1


def test_severity_zero_is_the_recording_itself(perturbation: Perturbation[Recording]) -> None:
    own = recording(speak())
    assert perturbation(own, 0, 0) is own


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_same_bytes_again(perturbation: Perturbation[Recording], severity: int) -> None:
    own = recording(speak())
    before = own.sound.samples.clone()
    once = perturbation(own, severity, 5)
    assert torch.equal(perturbation(own, severity, 5).sound.samples, once.sound.samples)
    assert torch.equal(own.sound.samples, before)
    assert distance(once, own) > 1e-3


def test_seed_and_target_draw(perturbation: Perturbation[Recording]) -> None:
    own = recording(speak())
    once = perturbation(own, 3, 5)
    others = [perturbation(own, 3, 6), perturbation(replace(own, id="y"), 3, 5)]
    # The voice of another is drawn among many, and here there is one.
    drawn = perturbation.random and perturbation.name != "mismatched_voice"
    assert [distance(other, once) > 1e-3 for other in others] == [drawn] * 2


def test_threads_do_not_matter(perturbation: Perturbation[Recording]) -> None:
    own, before = recording(np.tile(speak(), 20)), torch.get_num_threads()
    found = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        found.append(perturbation(own, 3, 0).sound.samples)
    torch.set_num_threads(before)
    assert torch.equal(*found)


def test_harm_grows_with_severity(perturbation: Perturbation[Recording]) -> None:
    # A voice that is moved by less than a syllable is another at once: what grows then is only seen on a wave
    # that is longer than the lag.
    slow = np.sin(2 * np.pi * np.arange(80_000) / 80_000).astype(np.float32) / 2
    own = recording(slow if perturbation.name == "desynchronisation" else speak())
    harms = [distance(perturbation(own, severity, 0), own) for severity in range(6)]
    # Of a telephone most is the band, which is the same at each severity.
    factor = 1.0 if perturbation.name == "telephone" else 1.05
    assert all(less * factor < more for less, more in pairwise(harms)), harms


@pytest.mark.parametrize("rate", [6000, 11025, 44100])
@pytest.mark.parametrize("count", [0, 1, 321, 5000])
def test_length_type_and_range_are_kept(perturbation: Perturbation[Recording], rate: int, count: int) -> None:
    loud = np.sign(np.sin(np.arange(count) + 1.0))
    for severity in (1, 5):
        found = perturbation(recording(loud, rate), severity, 0)
        assert found.sound.samples.shape == (count,)
        assert found.sound.samples.dtype == torch.float32
        assert found.sound.samples.isfinite().all()
        assert (found.sound.samples.abs() <= 1).all()
        assert (found.id, found.sound.rate) == ("x", rate)


@pytest.mark.parametrize("count", [1, 7, 20_000])
def test_silence_stays_silent(perturbation: Perturbation[Recording], count: int) -> None:
    for severity in SEVERITIES:
        assert not perturbation(recording(np.zeros(count)), severity, 0).sound.samples.any()


def test_a_voice_that_is_silent(perturbation: Perturbation[Recording]) -> None:
    own = recording(speak(), other=np.zeros(100, np.float32))
    for severity in SEVERITIES:
        assert perturbation(own, severity, 0).sound.samples.isfinite().all()


def test_no_tensor_is_made_off_the_device(perturbation: Perturbation[Recording]) -> None:
    samples = torch.from_numpy(speak()).to("meta")
    elsewhere = Recording("x", Sound(samples, 16000), lambda _: Sound(samples[:900], 16000))
    with Devices() as devices:
        found = perturbation(elsewhere, 4, 0)
    assert found.sound.samples.device.type == "meta"
    assert found.sound.samples.shape == samples.shape
    assert set(devices.seen) == {"meta"}, devices.seen


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("severity", SEVERITIES)
def test_cuda_agrees(perturbation: Perturbation[Recording], severity: int) -> None:
    own, other = (torch.from_numpy(speak(5.0, 16000, pitch)) for pitch in (140.0, 230.0))
    here, there = (
        perturbation(
            Recording("x", Sound(own.to(device), 16000), lambda _, d=device: Sound(other.to(d), 16000)),
            severity, 0,
        ).sound.samples
        for device in ("cpu", "cuda")
    )  # fmt: skip
    assert there.is_cuda
    # Rounding may move a sample over the edge of a step of the telephone's code.
    assert ((there.cpu() - here).abs() <= 1e-5).double().mean() >= 0.999


@pytest.mark.parametrize("severity", SEVERITIES)
def test_golden_signature(perturbation: Perturbation[Recording], severity: int) -> None:
    """Samples that move without a new version fail here: the RMS of each second and of all differences."""
    samples = heard(perturbation(recording(speak()), severity, 0))
    found = [*np.square(samples.reshape(5, -1)).mean(1) ** 0.5, np.square(np.diff(samples)).mean() ** 0.5]
    expected = GOLDEN[perturbation.name, perturbation.version, severity]
    assert np.abs(np.array(found) - expected).max() <= 1e-4, np.round(found, 5).tolist()


GOLDEN: dict[tuple[str, int, int], list[float]] = {
    ("background_noise", 1, 1): [0.13086, 0.12926, 0.01912, 0.13038, 0.12953, 0.03313],
    ("background_noise", 1, 2): [0.13376, 0.13097, 0.03399, 0.13303, 0.13156, 0.03338],
    ("background_noise", 1, 3): [0.14231, 0.13763, 0.06045, 0.1414, 0.13896, 0.03419],
    ("background_noise", 1, 4): [0.16614, 0.15896, 0.1075, 0.1656, 0.16195, 0.03666],
    ("background_noise", 1, 5): [0.2249, 0.21557, 0.19116, 0.22626, 0.22168, 0.04356],
    ("desynchronisation", 1, 1): [0.12932, 0.12934, 0.00183, 0.12932, 0.12934, 0.03301],
    ("desynchronisation", 1, 2): [0.12155, 0.12934, 0.0442, 0.12155, 0.12934, 0.03254],
    ("desynchronisation", 1, 3): [0.112, 0.12934, 0.06469, 0.112, 0.12934, 0.03197],
    ("desynchronisation", 1, 4): [0.07396, 0.12934, 0.1061, 0.07396, 0.12934, 0.03011],
    ("desynchronisation", 1, 5): [0.0, 0.1111, 0.12934, 0.06622, 0.1111, 0.02731],
    ("mismatched_voice", 1, 1): [0.12944, 0.12944, 0.0, 0.12944, 0.1227, 0.03378],
    ("mismatched_voice", 1, 2): [0.12949, 0.12949, 0.0, 0.12949, 0.11201, 0.03449],
    ("mismatched_voice", 1, 3): [0.12952, 0.12952, 0.0, 0.12952, 0.09145, 0.03544],
    ("mismatched_voice", 1, 4): [0.1295, 0.1295, 0.0, 0.1295, 0.06467, 0.03621],
    ("mismatched_voice", 1, 5): [0.12936, 0.12936, 0.0, 0.12936, 0.0, 0.03651],
    ("missing_sound", 1, 1): [0.12933, 0.12934, 0.0, 0.12934, 0.12934, 0.03301],
    ("missing_sound", 1, 2): [0.11202, 0.12933, 0.0, 0.12934, 0.12934, 0.03197],
    ("missing_sound", 1, 3): [0.09147, 0.10064, 0.0, 0.08124, 0.12934, 0.02613],
    ("missing_sound", 1, 4): [0.06472, 0.06466, 0.0, 0.0, 0.11201, 0.01846],
    ("missing_sound", 1, 5): [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ("reverberation", 1, 1): [0.13657, 0.13654, 0.00068, 0.13657, 0.13654, 0.03345],
    ("reverberation", 1, 2): [0.12584, 0.1254, 0.00383, 0.12584, 0.1254, 0.03341],
    ("reverberation", 1, 3): [0.12162, 0.12111, 0.0079, 0.12162, 0.12111, 0.03347],
    ("reverberation", 1, 4): [0.11919, 0.12052, 0.01877, 0.1192, 0.12052, 0.03391],
    ("reverberation", 1, 5): [0.12129, 0.12791, 0.03365, 0.12149, 0.12791, 0.03448],
    ("sound_clipping", 1, 1): [0.11143, 0.11143, 0.0, 0.11143, 0.11143, 0.0288],
    ("sound_clipping", 1, 2): [0.07497, 0.07497, 0.0, 0.07497, 0.07497, 0.02266],
    ("sound_clipping", 1, 3): [0.04392, 0.04392, 0.0, 0.04392, 0.04392, 0.01416],
    ("sound_clipping", 1, 4): [0.02429, 0.02429, 0.0, 0.02429, 0.02429, 0.00852],
    ("sound_clipping", 1, 5): [0.01321, 0.01321, 0.0, 0.01321, 0.01321, 0.00486],
    ("sound_dropout", 1, 1): [0.12934, 0.1267, 0.0, 0.12933, 0.12605, 0.03268],
    ("sound_dropout", 1, 2): [0.12501, 0.12391, 0.0, 0.12481, 0.12314, 0.0318],
    ("sound_dropout", 1, 3): [0.12228, 0.12047, 0.0, 0.11921, 0.12312, 0.03111],
    ("sound_dropout", 1, 4): [0.09144, 0.09914, 0.0, 0.09497, 0.11737, 0.02602],
    ("sound_dropout", 1, 5): [0.0604, 0.07152, 0.0, 0.06787, 0.07599, 0.01795],
    ("telephone", 1, 1): [0.07288, 0.07288, 0.0002, 0.07288, 0.07288, 0.02353],
    ("telephone", 1, 2): [0.07314, 0.07314, 0.0002, 0.07314, 0.07314, 0.02365],
    ("telephone", 1, 3): [0.07355, 0.07355, 0.00019, 0.07355, 0.07355, 0.02398],
    ("telephone", 1, 4): [0.07592, 0.07592, 0.00018, 0.07592, 0.07592, 0.02521],
    ("telephone", 1, 5): [0.08205, 0.08205, 0.00014, 0.08205, 0.08205, 0.02834],
}
