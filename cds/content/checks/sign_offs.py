"""Sign-offs: complete, and of what stands in the files today."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from cds.content.fault import Fault, Severity
from cds.content.signing import FILE, changed_since, unreadable_fingerprints

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.content.checks.content import Content
    from cds.content.trial_head import SignOff
    from cds.content.trials import TrialFolder
    from cds.core.terminology import Terminology


def sign_offs(content: Content) -> Iterator[Fault]:
    """A trial nobody signed is a notice; a sign-off of other criteria than today's is a fault."""
    for loaded in content.trials:
        file = f"trials/{loaded.trial.id}/trial.yaml"
        for entry in loaded.sign_off:
            yield from (Fault(file, 1, says, _ENTRY) for says in _incomplete(entry))
        why = unreadable_fingerprints(loaded.folder)
        if why is not None:
            says = f"What was signed cannot be read: {why}."
            yield Fault(f"trials/{loaded.trial.id}/{FILE}", 1, says, _RESTORE)
        if loaded.trial.signed_off:
            continue
        if loaded.sign_off:
            yield Fault(file, 1, _stale(loaded, content.terminology), _how(loaded))
        else:
            says = "Criteria not yet reviewed: nobody has signed them off."
            yield Fault(file, 1, says, _how(loaded), Severity.NOTICE)


_ENTRY = "Write '- {role: …, by: …, date: 2026-03-01, digest: sha256:…}'."


_RESTORE = (
    "Restore the file as 'trial-cds sign' wrote it; or delete it, and nobody can say any more what "
    "changed since the last signature."
)


def _how(loaded: TrialFolder) -> str:
    return (
        f"Read the review page to its end, then sign it with trial-cds sign {loaded.trial.id}; "
        f"it writes the digest: {loaded.trial.digest}"
    )


def _stale(loaded: TrialFolder, terminology: Terminology) -> str:
    last = max(loaded.sign_off, key=lambda entry: entry.date)
    who = f"{last.by} ({last.role}) on {last.date}"
    changed = changed_since(loaded, terminology, last.digest)
    what = "criteria or value sets" if changed is None else changed.words(terminology.labels)
    return f"Criteria not yet reviewed: {what} changed since {who} signed them."


def _incomplete(entry: SignOff) -> Iterator[str]:
    for key, value in (("role", entry.role), ("by", entry.by), ("digest", entry.digest)):
        if not value.strip():
            yield f"A sign-off lacks its '{key}'."
    try:
        date.fromisoformat(entry.date)
    except ValueError:
        yield f"A sign-off is dated {entry.date!r}, which is no date."
