from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.labels import ALIASES, CREMA_6, EKMAN_7, EKMAN_8, SPACES, canonical, declare, infer, near_label


def test_spaces_are_those_of_the_field() -> None:
    assert EKMAN_7.labels == ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
    assert EKMAN_8.labels == (*EKMAN_7.labels, "contempt")
    assert set(EKMAN_7.labels) - set(CREMA_6.labels) == {"surprise"}
    assert [len(space) for space in SPACES.values()] == [7, 8, 6]


def test_code_is_the_position() -> None:
    assert [EKMAN_8.code(label) for label in EKMAN_8.labels] == list(range(8))
    with pytest.raises(ValueError, match="not in tuple"):
        EKMAN_7.code("contempt")


def test_every_alias_names_a_label_and_every_label_itself() -> None:
    assert set(ALIASES.values()) == set(EKMAN_8.labels)
    assert all(canonical(label) == label for label in EKMAN_8.labels)


@given(st.text())
def test_canonical_is_idempotent(word: str) -> None:
    assert canonical(canonical(word)) == canonical(word)


@given(st.sampled_from(sorted(ALIASES)), st.sampled_from([str.upper, str.title, str.lower]))
def test_canonical_ignores_case_and_space(word: str, case: object) -> None:
    assert canonical(f" {case(word)} ") == ALIASES[word]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "name", "labels"),
    [
        ("ekman-8", "ekman-8", EKMAN_8.labels),
        ("bored, engaged,", "declared", ("bored", "engaged")),
        ("Sad,Happy", "declared", ("sadness", "happiness")),
    ],
)
def test_declare(text: str, name: str, labels: tuple[str, ...]) -> None:
    space = declare(text, "--labels")
    assert (space.name, space.labels) == (name, labels)


@pytest.mark.parametrize("text", ["", "bored", "happy,happiness", "a,a"])
def test_declare_refuses_what_is_no_space(text: str) -> None:
    with pytest.raises(UserError, match="names no label space"):
        declare(text, "--labels")


def test_declare_suggests_the_nearest_space() -> None:
    with pytest.raises(UserError) as caught:
        declare("ekman-77", "--labels")
    assert str(caught.value) == (
        "--labels: 'ekman-77' names no label space. Did you mean 'ekman-7'? Known spaces: ekman-7, ekman-8, "
        "crema-6; or at least two different labels, separated by commas. Name one of them or list the labels."
    )


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        (["happy"], "ekman-7"),
        (["happy", "hapy"], "ekman-7"),  # so that the misspelt one is caught
        (["contempt", "sad"], "ekman-8"),
        (["engaged", "bored"], "found"),
    ],
)
def test_infer(labels: list[str], name: str) -> None:
    assert infer(labels).name == name


def test_inferred_space_of_other_words_is_sorted() -> None:
    assert infer(["engaged", "bored", "engaged"]).labels == ("bored", "engaged")


def test_near_label_knows_aliases_of_the_space_alone() -> None:
    assert near_label("Hapy", EKMAN_7.labels) == " Did you mean 'happy'?"
    assert near_label("contemptuos", EKMAN_7.labels) == ""
    assert near_label("bord", ("bored", "engaged")) == " Did you mean 'bored'?"
