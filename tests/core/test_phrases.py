"""Names in free text: whole words, never parts of words."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.core.phrases import Phrases, words

NAMES = Phrases(
    [
        ("rifampin", "rifampin"),
        ("interferon alfa-2b", "interferon alfa-2b"),
        ("interferon", "interferon"),
        ("St. John's wort", "hypericum"),
        ("安罗替尼", "anlotinib"),
    ]
)


@pytest.mark.parametrize("text", ["rifaximin", "rifampinum", "xrifampin", "rif ampin"])
def test_a_part_of_a_word_is_no_name(text: str) -> None:
    """Rifaximin is not rifampin."""
    assert list(NAMES.longest(text)) == []
    assert list(NAMES.every(text)) == []


def test_the_longest_name_takes_its_words() -> None:
    """Interferon alfa-2b is one drug, not two."""
    assert list(NAMES.longest("peg-interferon ALFA 2b, weekly")) == ["interferon alfa-2b"]
    assert set(NAMES.every("interferon alfa-2b")) == {"interferon alfa-2b", "interferon"}


def test_apostrophes_join_and_chinese_needs_no_spaces() -> None:
    """Typographic and plain apostrophes are the same; Chinese characters are words."""
    assert list(NAMES.longest("st john\u2019s WORT tea")) == ["hypericum"]
    assert list(NAMES.longest("盐酸安罗替尼胶囊 12mg")) == ["anlotinib"]


@given(
    st.sampled_from(["rifampin", "interferon", "interferon alfa-2b"]),
    st.text(alphabet=" .,;:/()-+*", min_size=1, max_size=4),
    st.booleans(),
)
def test_case_and_punctuation_never_matter(name: str, around: str, upper: bool) -> None:  # noqa: FBT001
    """A name stays found in capitals and between any punctuation."""
    text = around + (name.upper() if upper else name.title()) + around
    assert list(NAMES.longest(text)) == [name]


@given(st.text(alphabet=string.ascii_letters, min_size=1, max_size=6))
def test_letters_glued_to_a_name_hide_it(extra: str) -> None:
    """Whatever letters are glued to a name make it another word."""
    assert list(NAMES.longest("rifampin" + extra)) == []


@given(st.text(max_size=40))
def test_words_are_stable_when_read_again(text: str) -> None:
    """The words of the words are the same words."""
    once = words(text)
    assert words(" ".join(once)) == once


SHORT = Phrases(
    [("=ARMS", "sarcoma"), ("PE", "embolism"), ("-PE tubes", "embolism"), ("-both arms", "sarcoma")]
)


@pytest.mark.parametrize("text", ["ARMS", "arms", "ARMS, left leg", "RECURRENT ARMS"])
def test_a_name_that_is_a_word_too_counts_in_capitals_or_alone(text: str) -> None:
    """ARMS is a sarcoma, "pain in arms" is not."""
    assert list(SHORT.every(text)) == ["sarcoma"]


@pytest.mark.parametrize("text", ["pain in arms", "Arms and legs", "RASH OF BOTH ARMS", "PE tubes"])
def test_what_only_looks_like_a_name_is_none(text: str) -> None:
    """Neither in small letters, nor inside a run of words that says something else."""
    assert list(SHORT.every(text)) == []
    assert list(SHORT.longest(text)) == []


def test_what_looks_like_a_name_hides_no_other_mention() -> None:
    """The words of "PE tubes" are set aside, not the text."""
    assert list(SHORT.every("PE tubes; acute PE")) == ["embolism"]
    assert list(SHORT.longest("pe tubes; acute pe")) == ["embolism"]


def test_letters_whose_folding_adds_words_do_not_hide_a_name() -> None:
    """Where capitals cannot be compared word by word, the name counts."""
    assert list(SHORT.every("\u0130i ARMS")) == ["sarcoma"]
