"""A draft written as a trial folder: trial.yaml, inclusion.yaml, exclusion.yaml, ledger.tsv."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cds.content.fault import ContentFaults, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cds.content.draft.drafting import Draft, Drafted
    from cds.content.draft.proposal import Form, FormValue

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ .*/%+()\-]*")
_WORDS_OF_YAML = frozenset({"yes", "no", "true", "false", "null", "on", "off", "y", "n"})
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_LISTS = {"inclusion": "inclusion.yaml", "exclusion": "exclusion.yaml"}
_NOTES = {
    "inclusion": "What the protocol asks for, sentence by sentence.",
    "exclusion": "The excluded states, sentence by sentence, as the protocol describes them.",
}
_DRAFTED = "Drafted by trial-cds draft; nothing below decides until a person has reviewed it."


def write_folder(draft: Draft, folder: Path, *, read: str) -> None:
    """Write the files of a draft; `read` is the day on which the page was read.

    Raises:
        ContentFaults: the folder exists, or cannot be written.
    """
    if folder.exists() or folder.is_symlink():
        cure = "Draft into a new folder, and move over what you want to keep."
        raise ContentFaults([Fault(str(folder), 1, "The folder exists already.", cure)])
    files = {"trial.yaml": trial_yaml(draft, folder.name, read)}
    files |= {file: list_yaml(draft, section) for section, file in _LISTS.items()}
    files["ledger.tsv"] = ledger_tsv(draft)
    try:
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8")
    except OSError as problem:
        says = f"The folder cannot be written: {problem.strerror}."
        raise ContentFaults([Fault(str(folder), 1, says, "Give another one.")]) from None


def trial_yaml(draft: Draft, name: str, read: str) -> str:
    """Identity, source and recruitment, and the words that ask nothing."""
    study = draft.study
    lines = [
        f"# {_DRAFTED}",
        "# Look over every line here: the registry's fields were copied as they are.",
        f"id: {_text(name)}",
        'version: "0.1.0"',
        f"title: {_text(study.title)}",
        f"short_title: {_text(study.short_title)}  # on cards; at most 60 characters",
        f"sponsor: {_text(study.sponsor)}",
        f"url: https://clinicaltrials.gov/study/{name}",
        "source:",
        f"  page: {_text(study.page)}",
        f"  read: {_text(read)}",
        f"  sha256: {study.sha256}",
        "recruitment:",
        f"  status: {_text(study.status)}",
        f"  recruiting: {'yes' if study.recruiting else 'no'}",
        f"  as_of: {_text(study.as_of)}",
        f"target: {draft.target}  # the criterion of the diagnosis; without it, no card",
        "look_back: 28 days  # how long a result counts where its criterion does not say",
    ]
    rows = list(_not_criteria(draft))
    if rows:
        lines.append("not_criteria:")
        lines += [f"  - {{text: {_text(words)}, reason: {_text(why)}}}" for words, why in rows]
    return "\n".join(lines) + "\n"


def _not_criteria(draft: Draft) -> Iterator[tuple[str, str]]:
    """The words of the page that no criterion quotes, and why."""
    found: dict[str, str] = {}
    for entry in draft.ledger:
        if entry.became == "heading":
            found[entry.text] = "heading"
        elif entry.became == "list mark" and any(map(str.isalnum, entry.text)):
            found[entry.text] = "list number"
    if draft.study.sex is not None and draft.study.sex.value == "any":
        found.setdefault(draft.study.sex.words, "header field: either sex")
    if draft.study.volunteers == "No Healthy Volunteers":
        found.setdefault(draft.study.volunteers, "header field: the diagnosis is asked for below")
    yield from found.items()


def list_yaml(draft: Draft, section: str) -> str:
    """The criteria of one list."""
    mine = [one for one in draft.criteria if one.section == section]
    lines = [f"# {_NOTES[section]}", f"# {_DRAFTED}"]
    lines.append("criteria:" if mine else "criteria: []")
    for one in mine:
        lines += ["", *_criterion(one)]
    return "\n".join(lines) + "\n"


def _criterion(one: Drafted) -> Iterator[str]:
    yield f"  - id: {one.id}"
    yield f"    text: {_text(one.text)}"
    yield f"    reading: {_text(one.reading)}"
    if one.also:
        yield f"    also: [{', '.join(map(_text, one.also))}]"
    yield "    status: drafted"
    for key, value in one.form.items():
        if isinstance(value, list | tuple) and not all(isinstance(part, str) for part in value):
            yield f"    {key}:"
            for part in value:
                yield f"      - {_flow(part)}"
        else:
            yield f"    {key}: {_flow(value)}"


def _flow(value: FormValue) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(_pairs(value))}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_flow(part) for part in value)}]"
    return _scalar(str(value))


def _pairs(form: Form) -> Iterator[str]:
    for key, value in form.items():
        yield f"{key}: {_flow(value)}"


def _scalar(text: str) -> str:
    """A word of a form, bare where YAML reads it as it stands."""
    if _PLAIN.fullmatch(text) and not text.endswith(" ") and text not in _WORDS_OF_YAML - {
        "yes", "no"
    }:  # fmt: skip
        return text
    return _text(text)


def _text(text: str) -> str:
    """A text in double quotes, with nothing in it that YAML would refuse."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def ledger_tsv(draft: Draft) -> str:
    """Every piece of the eligibility text in its order: what became of it, and why.

    Offsets count characters of the eligibility text, white space included.
    """
    rows = ["first\tlast\tbecame\tcriteria\twhy\ttext"]
    for entry in draft.ledger:
        text = _UNPRINTABLE.sub(" ", entry.text).replace("\t", " ")
        cells = [str(entry.first), str(entry.last), entry.became, " ".join(entry.criteria)]
        rows.append("\t".join([*cells, entry.why, text]))
    return "\n".join(rows) + "\n"
