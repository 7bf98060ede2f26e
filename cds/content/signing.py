"""Signing a trial off, and what changed since it was signed.

A sign-off stands in trial.yaml: role, name, date, and the digest of what was signed. Beside it,
signed.json holds a fingerprint of each criterion and of each concept's codes, so that a stale
sign-off can say what must be read again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cds.content.changed_sets import members
from cds.content.fault import ContentFaults, Fault
from cds.content.strict_yaml import Items, Table, read_yaml
from cds.content.trial_head import HeadReader, SignOff
from cds.content.writing import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cds.content.trials import TrialFolder
    from cds.core.terminology import Terminology

FILE = "signed.json"
_CRITERIA = ("inclusion.yaml", "exclusion.yaml")
_LENGTH = 16
_MOST = 5


@dataclass(frozen=True, slots=True)
class Changed:
    """What changed since a signature: criteria by id, concepts by key, and the trial's own keys."""

    criteria: tuple[str, ...]
    concepts: tuple[str, ...]
    head: tuple[str, ...]

    def words(self, labels: Mapping[str, str]) -> str:
        """Half a sentence: 'I07a, E20a; the codes of strong CYP3A4 inhibitor'."""
        parts = [", ".join(self.criteria)] if self.criteria else []
        if self.concepts:
            names = ", ".join(labels.get(key, key) for key in self.concepts)
            parts.append(f"the codes of {names}")
        parts += [f"'{key}' in trial.yaml" for key in self.head]
        return "; ".join(parts) or "comments, or codes that this trial does not use"


def fingerprints(loaded: TrialFolder, terminology: Terminology) -> dict[str, dict[str, str]]:
    """A short digest of each criterion as written, each concept's codes, target and look-back."""
    criteria: dict[str, str] = {}
    for name in _CRITERIA:
        value = read_yaml(loaded.folder / name)
        rows = value.get("criteria") if isinstance(value, Table) else None
        for row in rows if isinstance(rows, Items) else ():
            if isinstance(row, Table):
                criteria[str(row["id"])] = _short(f"{name} {json.dumps(row, sort_keys=True)}")
    used = sorted({key for keys in loaded.concepts.values() for key in keys})
    concepts = {key: _short(json.dumps(sorted(members(terminology, key).items()))) for key in used}
    head = {"target": loaded.trial.target, "look_back": str(loaded.look_back)}
    return {"criteria": criteria, "concepts": concepts, "head": head}


def changed_since(loaded: TrialFolder, terminology: Terminology, digest: str) -> Changed | None:
    """What is not as it was when this digest was signed; None where nobody kept that."""
    old = _kept(loaded.folder).get(digest)
    if old is None:
        return None
    new = fingerprints(loaded, terminology)
    criteria, concepts, head = (
        tuple(
            key
            for key in {**old.get(part, {}), **new[part]}
            if old.get(part, {}).get(key) != new[part].get(key)
        )
        for part in ("criteria", "concepts", "head")
    )
    return Changed(criteria, concepts, head)


def sign(loaded: TrialFolder, terminology: Terminology, entry: SignOff) -> Path:
    """Write a sign-off into trial.yaml, and the fingerprints beside it; returns trial.yaml.

    Raises:
        ContentFaults: the entry lacks something, criteria are drafts, or the file cannot be
            written so that it says this.
    """
    path = loaded.folder / "trial.yaml"
    name = _name(loaded)
    refuse_drafts(loaded)
    old = path.read_text("utf-8")
    wanted = [*loaded.sign_off, entry]
    replace_file(path, _with_entry(old, entry))
    if _signatures(path) != wanted:
        replace_file(path, old)
        cure = "Write 'sign_off:' as a list with one '- {…}' on a line, then sign again."
        raise ContentFaults([Fault(name, 1, "The sign-off cannot be added to this file.", cure)])
    kept = {one.digest: shown for one in wanted if (shown := _kept(loaded.folder).get(one.digest))}
    kept[entry.digest] = fingerprints(loaded, terminology)
    text = json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    replace_file(loaded.folder / FILE, text)
    return path


def refuse_drafts(loaded: TrialFolder) -> None:
    """Nobody signs what nobody has reviewed.

    Raises:
        ContentFaults: criteria are drafts.
    """
    drafts = [criterion.id for criterion in loaded.trial.criteria if not criterion.reviewed]
    if drafts:
        shown = ", ".join(drafts[:_MOST]) + ("…" if len(drafts) > _MOST else "")
        says = f"{len(drafts)} criteria are drafts ({shown}); nobody can sign them."
        cure = "Review each, then remove 'status: drafted' or write 'status: reviewed'."
        raise ContentFaults([Fault(_name(loaded), 1, says, cure)])


def _name(loaded: TrialFolder) -> str:
    return f"trials/{loaded.trial.id}/trial.yaml"


def _with_entry(text: str, entry: SignOff) -> str:
    """trial.yaml with one more line under sign_off; comments and order stay."""
    shown = ", ".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in (
            ("role", entry.role),
            ("by", entry.by),
            ("date", entry.date),
            ("digest", entry.digest),
        )
    )
    lines = text.rstrip("\n").split("\n")
    start = next((n for n, line in enumerate(lines) if line.startswith("sign_off:")), None)
    if start is None:
        return "\n".join([*lines, "", "sign_off:", f"  - {{{shown}}}"]) + "\n"
    if lines[start].partition(":")[2].partition("#")[0].strip() in {"[]", "null", "~"}:
        lines[start] = "sign_off:"
    end, indent = start + 1, "  "
    for n in range(start + 1, len(lines)):
        line = lines[n]
        if line.lstrip().startswith("-") and end == start + 1:
            indent = line[: len(line) - len(line.lstrip())]
        if line.startswith((" ", "-")):
            end = n + 1
        elif line.strip() and not line.startswith("#"):
            break
    return "\n".join([*lines[:end], f"{indent}- {{{shown}}}", *lines[end:]]) + "\n"


def _signatures(path: Path) -> list[SignOff]:
    head = read_yaml(path)
    return list(HeadReader(str(path), []).sign_offs(head)) if isinstance(head, Table) else []


def unreadable_fingerprints(folder: Path) -> str | None:
    """Why signed.json, which is there, says nothing of earlier signatures; None where it does."""
    try:
        kept = json.loads((folder / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except OSError as problem:
        return (problem.strerror or "unknown reason").lower()
    except ValueError:
        return "it is no JSON"
    return None if _are_fingerprints(kept) else "it holds something else"


def _are_fingerprints(kept: object) -> bool:
    """Whether this is digest → part → key → fingerprint, as `sign` writes it."""
    return isinstance(kept, dict) and all(
        isinstance(parts, dict) and all(isinstance(prints, dict) for prints in parts.values())
        for parts in kept.values()
    )


def _kept(folder: Path) -> dict[str, Any]:
    """The fingerprints of earlier signatures by digest; none where the file is not ours."""
    if unreadable_fingerprints(folder) is not None or not (folder / FILE).is_file():
        return {}
    kept: dict[str, Any] = json.loads((folder / FILE).read_text("utf-8"))
    return kept


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]
