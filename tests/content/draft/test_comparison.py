"""Drafting the bundled trials' own sentences again, held against what people wrote of them.

The pages themselves are not carried here: their sentences are, each as the quote of its criterion.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cds.content.bundled import bundled_content
from cds.content.infos import concept_infos
from cds.content.mappings import load_terminology
from cds.content.trials import load_trial
from cds.core.criterion import Kind

if TYPE_CHECKING:
    from cds.content.trials import TrialFolder

_AGES = re.compile(r"\d+ - \d+ years of age")
ROOT = Path(__file__).parents[3]


def tool() -> Any:
    """tools/draft_comparison.py as a module."""
    path = ROOT / "tools" / "draft_comparison.py"
    spec = importlib.util.spec_from_file_location("draft_comparison", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its data classes look themselves up
    spec.loader.exec_module(module)
    return module


def written(name: str) -> TrialFolder:
    """A bundled trial."""
    terminology = load_terminology([bundled_content()])
    return load_trial(bundled_content() / "trials" / name, concept_infos(terminology))


def page_of(trial: TrialFolder) -> str:
    """A page put together from the quotes of the criteria; ages stand in its header."""
    header = [one.text for one in trial.trial.criteria if _AGES.fullmatch(one.text)]
    lines = [*header, "", "Eligibility", ""]
    for kind in Kind:
        lines.append(f"{kind.value.capitalize()} Criteria:")
        quotes = [one.text for one in trial.trial.criteria if one.kind is kind]
        wanted = [one for one in dict.fromkeys(quotes) if one not in header]
        lines += _joined([q for q in wanted if not any(q in o for o in wanted if o != q)])
    return "\n".join(lines) + "\n"


def _joined(quotes: list[str]) -> list[str]:
    """Quotes that end without a stop go on in the same line; a bracket ends a list of tests."""
    lines: list[str] = []
    for quote in quotes:
        stopped = not lines or lines[-1].rstrip().endswith((".", ";", ":"))
        if stopped or quote.startswith("Ability"):
            lines.append(quote)
        else:
            lines[-1] += f" {quote}"
    return lines


@pytest.mark.parametrize(("name", "right"), [("NCT05490667", 38), ("NCT07137884", 30)])
def test_no_drafted_form_contradicts_what_people_wrote(
    name: str, right: int, tmp_path: Path
) -> None:
    trial = written(name)
    page = tmp_path / f"{name}.txt"
    page.write_text(page_of(trial), "utf-8")
    comparing = tool()
    result = comparing.compare(comparing.drafted_from(page, trial.folder), trial)
    assert result.wrong == []
    assert sum(counts["right"] for counts in result.counts.values()) >= right
