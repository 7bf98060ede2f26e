"""What goes wrong with the store, in words that repeat neither its address nor a statement."""

from __future__ import annotations


class StoreFault(Exception):  # noqa: N818 - the word for what is wrong with files and settings too
    """The store cannot be used; the text is one sentence without password, statement or data."""
