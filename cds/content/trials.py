"""Trial folders: trial.yaml, inclusion.yaml and exclusion.yaml become one `Trial`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.content.fault import ContentFaults, Fault, did_you_mean
from cds.content.forms import ConceptInfo, FormReader
from cds.content.misnamed import misnamed_files
from cds.content.strict_yaml import Items, Table, Value, read_yaml
from cds.content.trial_head import (
    NO_FINDINGS,
    REQUIRED_KEYS,
    TRIAL_ID,
    TRIAL_KEYS,
    Effective,
    HeadReader,
    MayBeTarget,
    NotCriterion,
    SignOff,
)
from cds.core.criterion import Characteristic, Criterion, Kind, Trial
from cds.engine.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from cds.core.when import Span

_FILES = {Kind.INCLUSION: "inclusion.yaml", Kind.EXCLUSION: "exclusion.yaml"}
CRITERIA_FILES = tuple(_FILES.values())
CRITERION_KEYS = frozenset({"id", "text", "reading", "also", "question", "routine", "status"})
"""The keys of a criterion beside those of its form."""
STATUSES = ("reviewed", "drafted")
CRITERION_ID = r"\S+"


@dataclass(frozen=True, slots=True)
class TrialFolder:
    """One trial with what only reviewers need.

    `lines` gives (file, line) of each criterion; `concepts` the concept keys that it uses.
    `source` says where the text was read, when, and its digest.
    """

    trial: Trial
    folder: Path
    look_back: Span | None
    source: Mapping[str, str]
    not_criteria: tuple[NotCriterion, ...]
    sign_off: tuple[SignOff, ...]
    lines: Mapping[str, tuple[str, int]]
    concepts: Mapping[str, frozenset[str]]
    effective: Effective | None = None
    may_be_target: MayBeTarget = NO_FINDINGS


def load_trials(
    folders: Sequence[Path],
    concepts: Mapping[str, ConceptInfo],
    mappings_digest: str = "",
    *,
    only: Sequence[str] = (),
) -> list[TrialFolder]:
    """All trials of the content folders, sorted by id; later folders override earlier ones.

    Raises:
        ContentFaults: every fault of every file, at once.
    """
    loaded: list[TrialFolder] = []
    faults = misnamed_files(folders, only)
    for name, folder in trial_folders(folders).items():
        if only and name not in only:
            continue
        try:
            loaded.append(load_trial(folder, concepts, mappings_digest))
        except ContentFaults as problem:
            faults += problem.faults
    if faults:
        raise ContentFaults(faults)
    return loaded


def trial_folders(folders: Sequence[Path]) -> dict[str, Path]:
    """The trial folders by their names, sorted; later content folders override earlier ones."""
    found: dict[str, Path] = {}
    for folder in folders:
        for trial_yaml in (folder / "trials").glob("*/trial.yaml"):
            found[trial_yaml.parent.name] = trial_yaml.parent
    return dict(sorted(found.items()))


def load_trial(
    folder: Path, concepts: Mapping[str, ConceptInfo], mappings_digest: str = ""
) -> TrialFolder:
    """One trial folder.

    Raises:
        ContentFaults: every fault of its three files, at once.
    """
    return trial_from(read_trial(folder, mappings_digest), concepts)


@dataclass(frozen=True, slots=True)
class TrialFiles:
    """The three files of a trial folder as read, and the digest that a sign-off vouches for.

    The digest is a sha256 over the criteria files, the target, the look-back and the mappings.
    """

    folder: Path
    head: Value
    inclusion: Value
    exclusion: Value
    digest: str


def read_trial(folder: Path, mappings_digest: str = "") -> TrialFiles:
    """Read the files of a trial folder without understanding them.

    Raises:
        ContentFaults: a file cannot be read or is no YAML of ours.
    """
    head, inclusion, exclusion = (
        read_yaml(folder / name, f"trials/{folder.name}/{name}")
        for name in ("trial.yaml", *_FILES.values())
    )
    content = hashlib.sha256(mappings_digest.encode())
    if isinstance(head, Table):
        # Which diagnosis is asked for, and how long results count, decide too.
        content.update(f"{head.get('target')}\n{head.get('look_back')}\n".encode())
    for name in _FILES.values():
        content.update((folder / name).read_bytes())
    return TrialFiles(folder, head, inclusion, exclusion, f"sha256:{content.hexdigest()}")


def trial_from(files: TrialFiles, concepts: Mapping[str, ConceptInfo]) -> TrialFolder:
    """The trial that the files describe.

    Raises:
        ContentFaults: every fault of the three files, at once.
    """
    return _Loader(files, concepts).load()


class _Loader:
    def __init__(self, files: TrialFiles, concepts: Mapping[str, ConceptInfo]) -> None:
        self.files = files
        self.folder = files.folder
        self.concepts = concepts
        self.faults: list[Fault] = []
        self.lines: dict[str, tuple[str, int]] = {}
        self.used: dict[str, frozenset[str]] = {}
        self.routine: dict[str, None] = {}

    def load(self) -> TrialFolder:
        head_file = self._name("trial.yaml")
        head = self._table(self.files.head, head_file)
        reader = HeadReader(head_file, self.faults)
        reader.known(head, TRIAL_KEYS, "A trial")
        look_back = reader.look_back(head)
        criteria = [
            criterion
            for kind, file in _FILES.items()
            for criterion in self._criteria(kind, file, look_back)
        ]
        texts = {key: reader.text(head, key) for key in REQUIRED_KEYS if key != "version"}
        texts["version"] = reader.version(head)
        reader.fits_on_a_card(head, texts["short_title"])
        if texts["target"] and texts["target"] not in self.lines:
            says = f"The target diagnosis '{texts['target']}' is no criterion of this trial."
            cure = did_you_mean(texts["target"], self.lines) or "Name its id, such as I01a."
            reader.fault(head.line_of("target"), says, cure)
        if texts["id"] and not re.fullmatch(TRIAL_ID, texts["id"], re.ASCII):
            cure = "Write a trial's number such as NCT00000000: letters, digits, '.', '_' and '-'."
            reader.fault(head.line_of("id"), f"'{texts['id']}' is no id of a trial.", cure)
        if texts["id"] and texts["id"] != self.folder.name:
            says = f"The id '{texts['id']}' is not the folder's name '{self.folder.name}'."
            reader.fault(head.line_of("id"), says, "Rename the one that is wrong.")
        recruitment, source = reader.recruitment(head), reader.source(head)
        sign_off, effective = tuple(reader.sign_offs(head)), reader.effective(head)
        not_criteria = tuple(reader.not_criteria(head))
        domains = {key: info.domain for key, info in self.concepts.items()}
        may_be_target = reader.may_be_target(head, domains)
        if self.faults:
            raise ContentFaults(self.faults)
        digest = self.files.digest
        trial = Trial(
            id=texts["id"],
            version=texts["version"],
            title=texts["title"],
            short_title=texts["short_title"],
            sponsor=texts["sponsor"],
            url=texts["url"],
            recruitment=recruitment,
            target=texts["target"],
            criteria=tuple(criteria),
            routine_tests=tuple(self.routine),
            digest=digest,
            signed_off=any(entry.digest == digest for entry in sign_off),
        )
        return TrialFolder(
            trial=trial,
            folder=self.folder,
            look_back=look_back,
            source=source,
            not_criteria=not_criteria,
            sign_off=sign_off,
            lines=self.lines,
            concepts=self.used,
            effective=effective,
            may_be_target=may_be_target,
        )

    def _name(self, file: str) -> str:
        return f"trials/{self.folder.name}/{file}"

    def _fault(self, file: str, line: int, says: str, cure: str) -> None:
        self.faults.append(Fault(file, line, says, cure))

    def _table(self, value: Value, file: str) -> Table:
        if isinstance(value, Table):
            return value
        cure = "Begin with 'id:' or 'criteria:'."
        raise ContentFaults([Fault(file, 1, "The file must hold keys and values.", cure)])

    def _text(self, table: Table, key: str, file: str) -> str:
        value = table.get(key)
        if isinstance(value, str) and value.strip():
            return value
        self._fault(
            file, table.line_of(key), f"'{key}' is missing or no text.", f"Write '{key}: …'."
        )
        return ""

    def _criteria(self, kind: Kind, file: str, look_back: Span | None) -> Iterator[Criterion]:
        name = self._name(file)
        value = self.files.inclusion if kind is Kind.INCLUSION else self.files.exclusion
        table = self._table(value, name)
        rows = table.get("criteria")
        if not isinstance(rows, Items):
            self._fault(
                name, table.line, "'criteria' must be a list.", "Write '- id: I01a' under it."
            )
            return
        for row, line in zip(rows, rows.lines, strict=True):
            if not isinstance(row, Table):
                self._fault(name, line, "A criterion is a set of keys.", "Begin with 'id:'.")
                continue
            criterion = self._criterion(kind, name, row, look_back)
            if criterion is not None:
                yield criterion

    def _criterion(
        self, kind: Kind, file: str, row: Table, look_back: Span | None
    ) -> Criterion | None:
        key = self._text(row, "id", file)
        if key and not re.fullmatch(CRITERION_ID, key):
            # Tables of determinations hold the ids of a patient's criteria joined by spaces.
            cure = f"Write it without spaces, such as '{''.join(key.split())}'."
            self._fault(file, row.line_of("id"), f"'{key}' is no id of a criterion.", cure)
        if key in self.lines:
            other, line = self.lines[key]
            says = f"The id '{key}' stands at {other}:{line} already."
            self._fault(file, row.line, says, "Give one of them another id.")
        self.lines[key] = (file, row.line)
        reader = FormReader(
            file,
            self.concepts,
            look_back,
            self.faults,
            excluding=kind is Kind.EXCLUSION,
            beside=CRITERION_KEYS,
        )
        form_table = Table(row.line)
        for name, value in row.items():
            if name not in CRITERION_KEYS:
                form_table[name] = value
                form_table.lines[name] = row.lines[name]
        form = reader.read(form_table, about=key)
        text, reading = self._text(row, "text", file), self._text(row, "reading", file)
        self.used[key] = frozenset(reader.used)
        if form is None:
            return None
        if self._choice(row, "routine", ("true", "false"), file) == "true":
            self.routine.update(dict.fromkeys(_lab_concepts(form)))
        status = self._choice(row, "status", STATUSES, file)
        also = row.get("also")
        if also is not None and not isinstance(also, Items):
            cure = "Write 'also: [\"…\"]'."
            self._fault(file, row.line_of("also"), "'also' must be a list of quotes.", cure)
        question = row.get("question")
        return Criterion(
            id=key,
            kind=kind,
            text=text,
            reading=reading,
            form=form,
            also=tuple(str(quote) for quote in also) if isinstance(also, Items) else (),
            question=question if isinstance(question, str) else None,
            reviewed=status in {None, "reviewed"},
        )

    def _choice(self, row: Table, key: str, allowed: tuple[str, ...], file: str) -> str | None:
        value = row.get(key)
        if value is None or value in allowed:
            return str(value) if value is not None else None
        cure = did_you_mean(str(value), allowed) or f"Write {' or '.join(allowed)}."
        self._fault(file, row.line_of(key), f"'{key}: {value}' is not understood.", cure)
        return None


def _lab_concepts(form: Characteristic) -> Iterator[str]:
    """The concepts of all labs inside a form."""
    if isinstance(form, Lab):
        yield from form.concepts
    for part in form.parts():
        yield from _lab_concepts(part)
