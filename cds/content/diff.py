"""Two versions of a trial: what changed, in clinical words, and whose answers change with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cds.content.changed_forms import changed_form
from cds.core.criterion import Kind, Status
from cds.engine.evaluate import decide

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cds.content.trials import TrialFolder
    from cds.core.criterion import Criterion, Determination, Trial
    from cds.core.facts import Facts
    from cds.core.when import Evaluation


@dataclass(frozen=True, slots=True)
class TrialDiff:
    """What changed from one version of a trial to the next.

    `clinical` tells whether anything that can alter an answer did; `renamed` maps old ids to new.
    """

    trial: str
    head: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: Mapping[str, tuple[str, ...]]
    wording: Mapping[str, tuple[str, ...]]
    renamed: Mapping[str, str] = field(default_factory=dict)
    version_kept: bool = False

    @property
    def clinical(self) -> bool:
        """Whether an answer can be another than before."""
        return bool(self.added or self.removed or self.changed)


def diff(old: TrialFolder, new: TrialFolder, labels: Mapping[str, str]) -> TrialDiff:
    """What changed between two versions; `labels` names the concepts."""
    before = {criterion.id: criterion for criterion in old.trial.criteria}
    after = {criterion.id: criterion for criterion in new.trial.criteria}
    gone = [before[key] for key in before if key not in after]
    come = [after[key] for key in after if key not in before]
    renamed = dict(_renamed(gone, come))
    pairs = [(before[key], after[key]) for key in before if key in after]
    pairs += [(before[key], after[other]) for key, other in renamed.items()]
    changed = {new.id: says for old, new in pairs if (says := tuple(_clinical(old, new, labels)))}
    wording = {new.id: says for old, new in pairs if (says := tuple(_wording(old, new)))}
    target = tuple(_target(old, new))
    added = tuple(_said(c, labels) for c in come if c.id not in renamed.values())
    removed = tuple(_said(c, labels) for c in gone if c.id not in renamed)
    clinical = bool(added or removed or changed or target)
    return TrialDiff(
        new.trial.id,
        (*_head(old, new), *target),
        added,
        removed,
        changed,
        wording,
        renamed,
        clinical and old.trial.version == new.trial.version,
    )


def _renamed(gone: Iterable[Criterion], come: Iterable[Criterion]) -> Iterator[tuple[str, str]]:
    left = list(come)
    for one in gone:
        other = next(
            (c for c in left if (c.text, c.form, c.kind) == (one.text, one.form, one.kind)), None
        )
        if other is not None:
            left.remove(other)
            yield one.id, other.id


def _clinical(old: Criterion, new: Criterion, labels: Mapping[str, str]) -> Iterator[str]:
    if old.kind is not new.kind:
        yield f"was an {old.kind.value}, is an {new.kind.value} criterion"
    if old.reviewed != new.reviewed:
        yield (
            "the draft was reviewed: it decides now"
            if new.reviewed
            else "a draft again: a human decides"
        )
    yield from changed_form(old.form, new.form, labels)


def _wording(old: Criterion, new: Criterion) -> Iterator[str]:
    for says, one, other in (
        ("the protocol's words", old.text, new.text),
        ("our reading", old.reading, new.reading),
        ("the question to the sponsor", old.question or "none", new.question or "none"),
    ):
        if one != other:
            yield f'{says}: "{one}" → "{other}"'


def _head(old: TrialFolder, new: TrialFolder) -> Iterator[str]:
    one, other = old.trial, new.trial
    if one.version != other.version:
        yield f"version {one.version} → {other.version}"
    if old.effective != new.effective:
        yield f"in force {old.effective or 'not stated'} → {new.effective or 'not stated'}"
    if one.recruitment != other.recruitment:
        was, now = one.recruitment, other.recruitment
        yield f"recruitment {was.status} ({was.as_of}) → {now.status} ({now.as_of})"
    if old.look_back != new.look_back:
        yield f"results count for {old.look_back or 'as said'} → {new.look_back or 'as said'}"
    if one.title != other.title:
        yield f'title "{one.title}" → "{other.title}"'
    if one.signed_off != other.signed_off:
        yield "signed off" if other.signed_off else "no longer signed off"


def _target(old: TrialFolder, new: TrialFolder) -> Iterator[str]:
    if old.trial.target != new.trial.target:
        yield f"the target diagnosis {old.trial.target} → {new.trial.target}"


def _said(criterion: Criterion, labels: Mapping[str, str]) -> str:
    del labels
    what = "inclusion" if criterion.kind is Kind.INCLUSION else "exclusion"
    return f"{criterion.id} ({what}): {criterion.text} — {criterion.reading}"


def may_differ(old: Trial, new: Trial, facts: Facts, asked: Evaluation) -> bool:
    """Whether an answer about these facts can differ: asks only the criteria that do."""
    before = {c.id: c for c in old.criteria}
    after = {c.id: c for c in new.criteria}
    if old.target != new.target:
        return True
    for key in {*before, *after}:
        one, other = before.get(key), after.get(key)
        if one is not None and other is not None:
            if _same_answer(one, other):
                continue
            was, now = decide(one, facts, asked), decide(other, facts, asked)
            if (was.status, was.clears_on) != (now.status, now.clears_on):
                return True
        elif decide(one or after[key], facts, asked).status in {Status.FAIL, Status.UNKNOWN}:
            return True
    return False


def _same_answer(one: Criterion, other: Criterion) -> bool:
    sides = ((c.kind, c.reviewed, c.form) for c in (one, other))
    return next(sides) == next(sides)


def changed_answers(old: Determination, new: Determination) -> list[str]:
    """Which answers of one patient differ: overall, then each criterion that both versions ask."""
    says = []
    if old.overall is not new.overall:
        says.append(f"overall {old.overall.value} → {new.overall.value}")
    before = {d.criterion.id: d.status.value for d in old.decisions}
    after = {d.criterion.id: d.status.value for d in new.decisions}
    both = [key for key in before if key in after and before[key] != after[key]]
    says += [f"{key} {before[key]} → {after[key]}" for key in both]
    if old.clears_on != new.clears_on:
        says.append(f"clears on {old.clears_on or 'no day'} → {new.clears_on or 'no day'}")
    return says


def as_text(
    found: TrialDiff, answers: Sequence[tuple[str, Sequence[str]]], asked: str, most: int = 20
) -> str:
    """The whole comparison to read; `answers` holds each patient or case whose answers differ.

    `asked` is who was asked about ("580 cases and 22 patients"); at most `most` are listed.
    """
    lines = [f"{found.trial}"]
    lines += [f"  {says}" for says in found.head]
    for heading, rows in (("Added", found.added), ("Removed", found.removed)):
        lines += [f"{heading}:", *(f"  {row}" for row in rows)] if rows else []
    if found.renamed:
        lines += ["Renamed:", *(f"  {old} → {new}" for old, new in found.renamed.items())]
    for heading, table in (("Changed", found.changed), ("Words only", found.wording)):
        if table:
            lines.append(f"{heading}:")
            lines += [f"  {key}: {row}" for key, rows in table.items() for row in rows]
    if not (found.head or found.clinical or found.renamed or found.wording):
        lines.append("  Nothing changed.")
    if answers:
        lines.append(f"Answers that change ({len(answers)} of {asked}):")
        lines += [f"  {name}: {'; '.join(says)}" for name, says in answers[:most]]
        if len(answers) > most:
            lines.append(f"  and {len(answers) - most} more; --all lists them")
    else:
        lines.append(f"No answer changes in {asked}.")
    if found.version_kept:
        lines.append(f"The version was not raised although criteria changed: {found.trial}.")
    return "\n".join(lines)
