"""The words of words.tsv, by set."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_WORDS = Path(__file__).with_name("words.tsv")


@cache
def word_set(name: str) -> frozenset[str]:
    """The words of a set of words.tsv.

    Raises KeyError for a set that the file does not have.
    """
    lines = _WORDS.read_text("utf-8").splitlines()
    rows = dict(line.split("\t") for line in lines if line and not line.startswith("#"))
    return frozenset(rows[name].split())
