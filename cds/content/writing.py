"""Changing a file that people wrote: whole or not at all, the rest letter by letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, "utf-8")
    beside.replace(path)


def with_block(text: str, key: str, lines: Sequence[str]) -> str:
    """YAML in which a top-level key and what is indented below it are these lines instead.

    A key that is not there yet is added at the end. Comments outside of the block stay.
    """
    old = text.rstrip("\n").split("\n")
    start = next((n for n, line in enumerate(old) if line.startswith(f"{key}:")), None)
    if start is None:
        return "\n".join([*old, "", *lines]) + "\n"
    end = start + 1
    for n in range(start + 1, len(old)):
        if old[n].startswith((" ", "-")):
            end = n + 1
        elif old[n].strip():
            break
    return "\n".join([*old[:start], *lines, *old[end:]]) + "\n"
