"""YAML as clinicians write it, read without surprises.

Every scalar is text (`on`, `no` and `28031` stay what they look like), a repeated key is a fault,
anchors and tags are refused, and each mapping and list knows the line it stands on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from cds.content.fault import ContentFaults, Fault

if TYPE_CHECKING:
    from pathlib import Path

type_of_loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Table(dict[str, "Value"]):
    """A YAML mapping: text keys in the order of the file, with the line of each."""

    def __init__(self, line: int) -> None:
        """Start an empty mapping that stands on `line` (counted from 1)."""
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}

    def line_of(self, key: str) -> int:
        """The line of a key, or of the mapping where the key is missing."""
        return self.lines.get(key, self.line)


class Items(list["Value"]):
    """A YAML list with the line of each item."""

    def __init__(self, line: int) -> None:
        """Start an empty list that stands on `line` (counted from 1)."""
        super().__init__()
        self.line = line
        self.lines: list[int] = []


Value = str | Table | Items | None


def read_yaml(path: Path, shown_as: str | None = None) -> Value:
    """Read one YAML file; `shown_as` is the name that faults use for it.

    Raises:
        ContentFaults: the file cannot be read, is no YAML, or repeats a key.
    """
    name = shown_as or str(path)
    try:
        text = path.read_text("utf-8")
    except OSError as problem:
        why = (problem.strerror or "unknown reason").lower()
        fault = Fault(name, 1, f"The file cannot be read: {why}.", "Add it, or let it be read.")
        raise ContentFaults([fault]) from None
    except UnicodeDecodeError:
        raise ContentFaults(
            [Fault(name, 1, "The file is not UTF-8.", "Save it as UTF-8.")]
        ) from None
    try:
        root = yaml.compose(text, Loader=type_of_loader)
    except yaml.MarkedYAMLError as problem:
        raise ContentFaults([_not_yaml(name, text, problem)]) from None
    faults: list[Fault] = []
    value = None if root is None else _value(root, name, faults)
    if faults:
        raise ContentFaults(faults)
    return value


def _not_yaml(name: str, text: str, problem: yaml.MarkedYAMLError) -> Fault:
    """Where the parser stopped, and the likely cure."""
    mark = problem.problem_mark or problem.context_mark
    line = mark.line + 1 if mark else 1
    cure = "Quote a text that holds ': ' or begins with a sign such as > or ≥."
    if mark and any(map(_at_tab, text.splitlines()[mark.line : line])):
        cure = "Replace the tabs at the beginning of the line by spaces."
    return Fault(name, line, f"Not YAML: {problem.problem}.", cure)


def _at_tab(line: str) -> bool:
    """Whether a line is indented by tabs, which YAML forbids."""
    return "\t" in line[: len(line) - len(line.lstrip(" \t-"))]


def _value(node: yaml.Node, name: str, faults: list[Fault]) -> Value:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        return _table(node, name, faults)
    if isinstance(node, yaml.SequenceNode):
        items = Items(line)
        for child in node.value:
            items.append(_value(child, name, faults))
            items.lines.append(child.start_mark.line + 1)
        return items
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    return None if plain and node.value in {"", "~", "null"} else str(node.value)


def _table(node: yaml.MappingNode, name: str, faults: list[Fault]) -> Table:
    table = Table(node.start_mark.line + 1)
    for key_node, child in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            faults.append(Fault(name, line, "A key must be a single word.", "Write 'key: value'."))
            continue
        key = str(key_node.value)
        if key in table:
            says = f"'{key}' stands here again; it stood on line {table.lines[key]} already."
            faults.append(Fault(name, line, says, "Keep one of them."))
            continue
        table[key] = _value(child, name, faults)
        table.lines[key] = line
    return table
