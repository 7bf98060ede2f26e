"""How a draft of a registry page compares with the criteria that people wrote from the same page.

    python tools/draft_comparison.py PAGE trials/NCT05490667

Prints a table of atoms and forms by kind, and every difference in a form.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cds.content.bundled import bundled_content
from cds.content.draft import draft, lexicon, read_study, write_folder
from cds.content.infos import concept_infos
from cds.content.mappings import load_terminology
from cds.content.trials import load_trial
from cds.engine.finding import Finding
from cds.engine.group import AllOf, AnyOf, Not
from cds.engine.judgement import Judgement
from cds.engine.lab import Lab
from cds.engine.medication import Medication
from cds.engine.person import Age, Sex
from cds.engine.procedure import ProcedureDone

if TYPE_CHECKING:
    from cds.content.trials import TrialFolder
    from cds.core.criterion import Characteristic, Criterion

KINDS = (
    "laboratory, vital sign, score", "age, sex", "finding", "procedure", "medication",
    "several together", "human",
)  # fmt: skip
WORDS = ("atoms", "found", "split", "missed", "right", "not proposed", "wrong")


@dataclass(slots=True)
class Comparison:
    """Counts by kind of the criterion that people wrote; `wrong` lists drafted against written."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, kind: str, *words: str) -> None:
        """Count one atom under some words."""
        self.counts.setdefault(kind, Counter()).update(words)

    def table(self) -> str:
        """The counts as a Markdown table."""
        rows = [f"| kind | {' | '.join(WORDS)} |", f"| --- |{' ---: |' * len(WORDS)}"]
        rows += [
            f"| {kind} | {' | '.join(str(self.counts[kind][word]) for word in WORDS)} |"
            for kind in KINDS
            if kind in self.counts
        ]
        total = sum(self.counts.values(), Counter[str]())
        rows.append(f"| all | {' | '.join(str(total[word]) for word in WORDS)} |")
        return "\n".join(rows)


def compare(drafted: TrialFolder, written: TrialFolder) -> Comparison:
    """Every written criterion against the drafted ones whose words overlap with its own.

    An atom is found where one drafted atom has its very words or form, split where its words went
    to other atoms, missed where they went to none. A form is right where a drafted one says the
    same, also as one of several parts; not proposed where a human decides instead.
    """
    result = Comparison()
    for criterion in written.trial.criteria:
        near = [one for one in drafted.trial.criteria if _overlap(one, criterion)]
        kind = _kind(criterion.form)
        same_words = any(_letters(one.text) == _letters(criterion.text) for one in near)
        where = "found" if same_words else "split" if near else "missed"
        wanted, forms = _parts(criterion.form), [_parts(one.form) for one in near]
        said = {part for parts in forms for part in parts}
        form = [] if kind == "human" else ["right" if wanted <= said else "not proposed"]
        result.add(kind, "atoms", where, *form)
    for one in drafted.trial.criteria:
        near = [w for w in written.trial.criteria if _overlap(one, w)]
        asked = frozenset(part for w in near for part in _parts(w.form))
        if not _parts(one.form) <= asked:
            result.add(_kind(one.form), "wrong")
            result.wrong.append(f"{one.id} {one.text!r}: {one.reading} Written: {_ids(near)}")
    return result


def _ids(criteria: list[Criterion]) -> str:
    return ", ".join(f"{one.id} ({one.reading})" for one in criteria)


def _letters(text: str) -> str:
    return "".join(text.split()).strip(".,;").casefold()


def _overlap(one: Criterion, other: Criterion) -> bool:
    """Whether two criteria of one list quote some of the same words."""
    if one.kind is not other.kind:
        return False
    mine = [_letters(text) for text in (one.text, *one.also)]
    others = [_letters(text) for text in (other.text, *other.also)]
    return any(_share(a, b) for a in mine for b in others if a and b)


def _share(one: str, other: str) -> bool:
    """Whether half of the letters of the shorter text stand in a row in the longer one."""
    match = SequenceMatcher(None, one, other, autojunk=False).find_longest_match()
    return 2 * match.size > min(len(one), len(other))


def _kind(form: Characteristic) -> str:
    """What a form is about; a human where nothing but a human decides."""
    leaves = [leaf for leaf in _leaves(form) if not isinstance(leaf, Judgement)]
    names: dict[Any, str] = {
        Lab: KINDS[0], Age: KINDS[1], Sex: KINDS[1], Finding: KINDS[2], ProcedureDone: KINDS[3],
        Medication: KINDS[4],
    }  # fmt: skip
    kinds = {names[type(leaf)] for leaf in leaves}
    return kinds.pop() if len(kinds) == 1 else KINDS[5] if kinds else KINDS[6]


def _leaves(form: Characteristic) -> list[Any]:
    inner = list(form.parts())
    if isinstance(form, Judgement) or not inner:
        return [form]
    return [leaf for part in inner for leaf in _leaves(part)]


def _parts(form: Characteristic) -> frozenset[Any]:
    """A form as the set of what its single parts say; empty where a human decides.

    Two bounds of an age, and one form about several concepts, are several parts: people write
    them in one criterion or in two.
    """
    if isinstance(form, Judgement):
        return frozenset()
    if isinstance(form, Age):
        bounds = {"at least": form.at_least, "at most": form.at_most}
        return frozenset(("age", k, v) for k, v in bounds.items() if v is not None)
    if isinstance(form, Finding | Medication | ProcedureDone):
        return frozenset(
            _plain(msgspec.structs.replace(form, concepts=(key,), label=""))
            for key in form.concepts
        )
    return frozenset({_plain(form)})


def _plain(form: Any) -> Any:  # noqa: ANN401 - any part of a form
    """A form as nested tuples; the wording of questions does not matter."""
    if isinstance(form, Judgement):
        return "a human decides"
    if isinstance(form, Decimal):
        return form.normalize()
    if isinstance(form, AllOf | AnyOf | Not):
        return type(form).__name__, tuple(_plain(part) for part in form.parts())
    if isinstance(form, msgspec.Struct):
        fields = {name: getattr(form, name) for name in form.__struct_fields__ if name != "label"}
        return type(form).__name__, tuple((k, _plain(v)) for k, v in fields.items())
    if isinstance(form, tuple | list | frozenset):
        return tuple(_plain(part) for part in form)
    return form


def drafted_from(page: Path, folder: Path) -> TrialFolder:
    """The draft of a page, read back as the product reads a trial."""
    content = [bundled_content()]
    names = lexicon(load_terminology(content), content)
    with tempfile.TemporaryDirectory() as place:
        new = Path(place) / folder.name
        write_folder(draft(read_study(page, read="2026-03-01"), names), new, read="2026-03-01")
        return load_trial(new, concept_infos(names.terminology))


def main() -> None:
    """Compare and print."""
    page, folder = Path(sys.argv[1]), Path(sys.argv[2])
    concepts = concept_infos(load_terminology([bundled_content()]))
    result = compare(drafted_from(page, folder), load_trial(folder, concepts))
    print(result.table())
    for line in result.wrong:
        print(f"- {line}")


if __name__ == "__main__":
    main()
