"""The lexicon of the bundled content, read once, and a sentence's proposals in plain form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from cds.content.bundled import bundled_content
from cds.content.draft import lexicon
from cds.content.draft.drafting import _body
from cds.content.draft.meaning import proposals
from cds.content.draft.plain import plain
from cds.content.draft.tokens import tokens
from cds.content.mappings import load_terminology

if TYPE_CHECKING:
    from cds.content.draft.lexicon import Lexicon

Propose = Callable[..., list[Any]]


@pytest.fixture(scope="session")
def names() -> Lexicon:
    """The lexicon of the bundled content."""
    folders = [bundled_content()]
    return lexicon(load_terminology(folders), folders)


def simple(form: Any) -> Any:
    """A form as the trial files' YAML reader sees it: text everywhere, the questions left out."""
    if isinstance(form, Mapping):
        if "review" in form:
            return {"review": True}
        return {key: simple(value) for key, value in form.items()}
    if isinstance(form, list | tuple):
        return [simple(part) for part in form]
    if isinstance(form, bool):
        return "yes" if form else "no"
    return str(form)


@pytest.fixture(scope="session")
def propose(names: Lexicon) -> Propose:
    """The forms that one sentence proposes; [] where it is for a human."""

    def forms(text: str, *, excluding: bool = False, look_back: str | None = None) -> list[Any]:
        words = _body(tokens(plain(text).text, names))
        found = proposals(words, names, text, excluding=excluding, look_back=look_back)
        return [simple(one.form or {"review": text}) for one in found]

    return forms
