"""What people are told of an amount: as those say it who measure such things, whatever grows inside."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bench.errors import quantity
from bench.predict.perturb import (
    FACE_PERTURBATIONS,
    FILM_PERTURBATIONS,
    PERTURBATIONS,
    SOUND_PERTURBATIONS,
    Perturbation,
)

EVERY: dict[str, Perturbation[Any]] = {
    **PERTURBATIONS, **FACE_PERTURBATIONS, **FILM_PERTURBATIONS, **SOUND_PERTURBATIONS,
}  # fmt: skip
# From the sources that the records name: photons and qualities of ImageNet-C, rates, SNRs of Aurora-2.
SAID = {
    "background_noise": "20 15 10 5 0 dB SNR",
    "bit_depth": "5 4 3 2 1 bit a channel",
    "contrast": "60 70 80 90 95 % of contrast lost",
    "frame_rate": "15 10 7.5 5 2.5 frames/s",
    "h264": "400 200 100 50 25 kbit/s",
    "jpeg": "25 18 15 10 7 of 100",
    "low_resolution": "1/2 1/3 1/4 1/6 1/8 of the pixels along each side",
    "mask": "10 20 35 48 60 % of the face's outline",
    "shot_noise": "60 25 12 5 3 photons at white",
    "sunglasses": "20 57 82 92 97 % of the light taken away",
    "telephone": "8 7 6 5 4 bit of mu-law",
    "vp9": "270 135 67.5 33.75 16.875 kbit/s",
}


@pytest.mark.parametrize("name", SAID)
def test_amounts_are_those_of_the_source(name: str) -> None:
    assert f"{' '.join(EVERY[name].amounts)} {EVERY[name].unit}".startswith(SAID[name])


@pytest.mark.parametrize("name", EVERY)
def test_every_severity_has_an_amount_of_its_own_without_a_sign_or_noise_of_floats(name: str) -> None:
    amounts = EVERY[name].amounts
    assert len(set(amounts)) == 5
    for number in re.findall(r"[-\d.e]*\d", " ".join(amounts)):
        assert re.fullmatch(r"\d{1,4}(\.\d{1,3})?", number)
    assert not re.search(r"share|fraction|times (less|fewer)", EVERY[name].unit)
    assert EVERY[name].describe()["amounts"] == list(amounts)


def test_a_chain_says_both_amounts() -> None:
    assert EVERY["low_light_h264"].amounts[2] == "3 stops + 100 kbit/s"
    assert EVERY["low_light_h264"].amounts[0] == "1 stop + 400 kbit/s"


@pytest.mark.parametrize("name", EVERY)
def test_one_is_said_in_the_singular_and_all_else_in_the_plural(name: str) -> None:
    said = [quantity(amount, EVERY[name].unit) for amount in EVERY[name].amounts]
    assert not re.search(r"(?<![\d./])1 (?!times)[a-z]{3,}s\b", " ".join(said))
    assert not re.search(r"(?<![\d./])([02-9]|\d[\d.]+) (stop|degree|photon|stretch)\b", " ".join(said))
