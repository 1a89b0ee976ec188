"""One byte of a bundle is another: wherever it is, the bundle does not hold, and it is said in which file."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.errors import UserError
from bench.evidence.container import MANIFEST
from bench.evidence.encryption import Opener, decrypt, read_identities
from bench.evidence.keys import read_public_key
from bench.evidence.verify import Held, follows, opened
from tests.evidence.conftest import Bundles, Keys, invoke

SAMPLE = 12  # places of a member's content


def spans(path: Path) -> dict[str, range]:
    """Where the contents of the members lie."""
    with zipfile.ZipFile(path) as file:
        starts = {i.filename: i.header_offset + 30 + len(i.filename) for i in file.infolist()}
        return {
            i.filename: range(starts[i.filename], starts[i.filename] + i.file_size) for i in file.infolist()
        }


def flips(data: bytes, path: Path, places: Iterator[int] | list[int], seed: int) -> Iterator[int]:
    """Each place in turn, while ``path`` holds the bytes with another one there."""
    draw = np.random.default_rng(seed)
    for place in places:
        bad = bytearray(data)
        bad[place] ^= int(draw.integers(1, 256))
        path.write_bytes(bad)
        yield place


def some(places: Sequence[int], count: int) -> list[int]:
    """So many of the places, always the same."""
    found: list[int] = np.random.default_rng(count).choice(places, count, replace=False).tolist()
    return found


def look(path: Path, opener: Opener | None = None) -> Held | str:
    """What is found of a bundle, or the words with which it is refused."""
    try:
        with opened(path, opener, None) as held:
            return held
    except UserError as error:
        return str(error)


def test_in_the_content_of_any_member(bundles: Bundles, tmp_path: Path) -> None:
    data, path = bundles.external.read_bytes(), tmp_path / "b"
    for name, span in spans(bundles.external).items():
        places = [span[0], span[-1], *some(span, min(SAMPLE, len(span)))]
        for place in flips(data, path, places, len(name)):
            held = look(path)
            assert isinstance(held, Held), (name, place)
            assert not held.whole, (name, place)
            assert held.faults[0].path == ("manifest.sig" if name == MANIFEST and held.manifest else name)


def test_in_bytes_that_are_no_content(bundles: Bundles, tmp_path: Path) -> None:
    data, path = bundles.external.read_bytes(), tmp_path / "b"
    content = {place for span in spans(bundles.external).values() for place in span}
    places = [place for place in range(len(data)) if place not in content]
    head, rest = places[: 30 + len(MANIFEST)], places[30 + len(MANIFEST) :]
    places = [*head, *some(rest, 250), *places[-22:]]
    refused = 0
    for place in flips(data, path, places, 1):
        held = look(path)
        if isinstance(held, str):
            refused += 1
            assert held.startswith(f"{path}: this is no bundle, or its first bytes were changed: "), place
        else:
            assert not held.whole, place
            assert held.faults, place
    assert refused == len("PK\x03\x04") + len(MANIFEST)  # without which it is no bundle


def test_in_the_signature_and_the_signer(bundles: Bundles, tmp_path: Path) -> None:
    data, path, where = bundles.external.read_bytes(), tmp_path / "b", spans(bundles.external)
    for name in ("manifest.sig", "signer.pem"):
        for place in flips(data, path, list(where[name])[::2], 2):
            held = look(path)
            assert isinstance(held, Held)
            assert name in [fault.path for fault in held.faults], place


def test_in_the_manifest(bundles: Bundles, tmp_path: Path) -> None:
    data, path = bundles.external.read_bytes(), tmp_path / "b"
    span = spans(bundles.external)[MANIFEST]
    for place in flips(data, path, some(span, 120), 3):
        held = look(path)
        assert isinstance(held, Held), place
        assert {fault.path for fault in held.faults} & {MANIFEST, "manifest.sig"}, place


def test_in_what_is_encrypted(bundles: Bundles, keys: Keys, tmp_path: Path) -> None:
    data, path = bundles.internal.read_bytes(), tmp_path / "b"
    header = data.index(b"\n--- ") + 50
    places = [*range(header), len(data) - 1, *some(range(header, len(data)), 60)]
    opener = read_identities(keys.identity)
    for place in flips(data, path, places, 4):
        held = look(path, opener)
        if isinstance(held, str):
            assert place < header
            assert "was changed" in held or "were changed" in held, (place, held)
        else:
            assert held.manifest is None
            assert [fault.path for fault in held.faults] == [""]
            assert "changed or cut short" in held.faults[0].found


def test_in_what_was_encrypted(bundles: Bundles, keys: Keys, tmp_path: Path) -> None:
    """Someone who has the identity changes the content and encrypts it anew."""
    with (tmp_path / "plain").open("wb") as sink:
        decrypt(bundles.internal, sink, read_identities(keys.identity))
    data, path = (tmp_path / "plain").read_bytes(), tmp_path / "b"
    for name, span in spans(tmp_path / "plain").items():
        for _ in flips(data, path, [span[len(span) // 2]], 5):
            held = look(path)
            assert isinstance(held, Held)
            assert not held.whole
            assert held.faults[0].path == ("manifest.sig" if name == MANIFEST and held.manifest else name)


WORDS = {
    "estimates.parquet": "none of its numbers can be relied on",
    "targets/people.parquet": "numbers on people can no longer be traced",
    "cells/mine/people/clean/predictions.parquet": (
        "the numbers of mine on people under clean can no longer be traced"
    ),
    "run.json": "by which plan the numbers were made can no longer be told",
    "lock.json": "that the plan was made before the run can no longer be told",
    "report.html": "what this page shows may not be what was judged",
}


@pytest.mark.parametrize("name", WORDS)
def test_the_program_says_which_file_and_what_follows(
    name: str, bundles: Bundles, keys: Keys, tmp_path: Path
) -> None:
    plain, path = tmp_path / "plain", tmp_path / "b"
    with plain.open("wb") as sink:
        decrypt(bundles.internal, sink, read_identities(keys.identity))
    place = spans(plain)[name][3]
    for _ in flips(plain.read_bytes(), path, [place], 6):
        done = invoke("audit", path, "--verify-key", keys.public)
        lines = done.output.splitlines()
        assert done.exit_code == 1
        assert lines[0] == f"{name}: its digest differs from the one that was signed: {WORDS[name]}"
        assert lines[-2:] == ["not recomputed: only a bundle that holds is", "DOES NOT HOLD: 1 fault"]
        assert not {"verified", "intact", "agrees"} & {word.strip(":") for word in done.output.split()}


def test_every_file_of_a_bundle_has_words_of_its_own(bundles: Bundles) -> None:
    for path in (*spans(bundles.external), *WORDS, ""):
        assert follows(path) != follows("something-else"), path


def test_it_holds_as_it_is(bundles: Bundles, keys: Keys) -> None:
    public, identity = read_public_key(keys.public), read_identities(keys.identity)
    for path, opener in ((bundles.external, None), (bundles.internal, identity)):
        with opened(path, opener, public) as held:
            assert (held.whole, held.vouched, held.faults) == (True, True, ())
            folder = held.folder
            assert folder.parent.stat().st_mode & 0o777 == 0o700
        assert not folder.parent.exists()
