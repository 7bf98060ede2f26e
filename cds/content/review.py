"""The review page of a trial: what a clinician reads, questions and signs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cds.content.cases import load_cases
from cds.content.in_words import in_words, unknowns, windows
from cds.content.infos import concept_infos
from cds.content.markdown import anchor, folded, plain
from cds.content.mutants import only_judgement
from cds.content.review_data import data_section, known_to_lack
from cds.content.signing import changed_since
from cds.core.criterion import Kind
from cds.engine.judgement import Judgement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cds.content.cases import Case
    from cds.content.trials import TrialFolder
    from cds.core.criterion import Characteristic, Criterion
    from cds.core.terminology import Terminology

_HEADINGS = {Kind.INCLUSION: "Inclusion criteria", Kind.EXCLUSION: "Exclusion criteria"}
_COMPUTED = ("computed", "computed, a human where the record cannot tell", "a human decides")


def review_pages(
    folders: Sequence[Path], terminology: Terminology, trials: Iterable[TrialFolder]
) -> list[tuple[Path, str]]:
    """Where the review page of each trial stands, and what it must say today.

    Raises:
        ContentFaults: a case file cannot be read.
    """
    lacks = known_to_lack(folders)
    concepts = concept_infos(terminology)
    return [
        (
            loaded.folder / "README.md",
            review_page(loaded, terminology, load_cases(loaded, concepts), lacks),
        )
        for loaded in trials
    ]


def review_page(
    loaded: TrialFolder,
    terminology: Terminology,
    cases: Sequence[Case],
    lacks: Mapping[str, str] | None = None,
) -> str:
    """The README.md of a trial as Markdown; the same content gives the same page.

    `lacks` says, by mapping file, what its lists are known to lack.
    """
    blocks = [
        *_head(loaded),
        *_sign_off(loaded, terminology),
        *_counts(loaded),
        *_questions(loaded.trial.criteria),
        *_judgements(loaded.trial.criteria),
    ]
    for kind, heading in _HEADINGS.items():
        blocks.append(f"## {heading}")
        for criterion in loaded.trial.criteria:
            if criterion.kind is kind:
                blocks += _criterion(criterion, loaded, terminology.labels, cases)
    blocks += _whole_patients(cases)
    blocks += _not_criteria(loaded)
    used = sorted({key for keys in loaded.concepts.values() for key in keys})
    blocks += data_section(used, terminology, lacks or {})
    return "\n\n".join(blocks) + "\n"


def _head(loaded: TrialFolder) -> Iterator[str]:
    trial = loaded.trial
    recruitment, source = trial.recruitment, loaded.source
    yield f"# {trial.id}: {plain(trial.short_title)}"
    yield (
        "This page is written by `trial-cds review` from the files in this folder. "
        "Change those, not this page."
    )
    yield "\n".join(
        [
            f"- **Title:** {plain(trial.title)}",
            f"- **Sponsor:** {plain(trial.sponsor)}",
            f"- **Registry:** <{trial.url}>",
            f"- **Read from:** {plain(source.get('page', 'not stated'))}, on {source.get('read')}",
            f"- **Recruitment:** {plain(recruitment.status)}, as of {recruitment.as_of}",
            f"- **Version of these criteria:** {trial.version}"
            + (f", in force {loaded.effective}" if loaded.effective else ""),
            f"- **Results count for:** {loaded.look_back or 'as long as each criterion says'}",
        ]
    )


def _sign_off(loaded: TrialFolder, terminology: Terminology) -> Iterator[str]:
    trial = loaded.trial
    yield "## Sign-off"
    if trial.signed_off:
        yield "Reviewed: the criteria and value sets are those that were signed."
    else:
        why = "they changed since they were signed" if loaded.sign_off else "nobody has signed them"
        yield f"**Criteria not yet reviewed:** {why}. Cards say so too."
    if loaded.sign_off and not trial.signed_off:
        last = max(loaded.sign_off, key=lambda entry: entry.date)
        changed = changed_since(loaded, terminology, last.digest)
        if changed is not None:
            words = plain(changed.words(terminology.labels))
            yield f"**Changed since {plain(last.by)} signed:** {words}."
    if loaded.sign_off:
        rows = [
            f"| {plain(s.role)} | {plain(s.by)} | {s.date} "
            f"| {'current' if s.digest == trial.digest else 'stale'} | `{s.digest}` |"
            for s in loaded.sign_off
        ]
        header = ["| role | by | date | state | digest |", "| --- | --- | --- | --- | --- |"]
        yield "\n".join([*header, *rows])
    yield (
        "To sign off: read this page to its end, then run the line below with your role and name; "
        "it writes them into `trial.yaml` with the digest of what you read. The digest covers the "
        "criteria files, the target diagnosis, the look-back and all mappings; when one of them "
        "changes, the sign-off goes stale.\n\n"
        f'```\ntrial-cds sign {trial.id} --role "…" --name "…"\n```\n\n'
        f"Digest of what this page shows: `{trial.digest}`"
    )


def _counts(loaded: TrialFolder) -> Iterator[str]:
    counts = Counter((c.kind, _computability(c.form)) for c in loaded.trial.criteria)
    yield "## Counts"
    rows = []
    for kind in Kind:
        figures = [counts[kind, word] for word in _COMPUTED]
        cells = " | ".join(map(str, [*figures, sum(figures)]))
        rows.append(f"| {kind.value} | {cells} |")
    header = f"| kind | {' | '.join(_COMPUTED)} | all |"
    yield "\n".join([header, "| --- | ---: | ---: | ---: | ---: |", *rows])


def _computability(form: Characteristic) -> str:
    if only_judgement(form):
        return _COMPUTED[2]
    return _COMPUTED[1] if any(_questions_in(form)) else _COMPUTED[0]


def _questions_in(form: Characteristic) -> Iterator[str]:
    """The questions that a form asks a human."""
    if isinstance(form, Judgement):
        yield form.question
        return
    for part in form.parts():
        yield from _questions_in(part)


def _questions(criteria: Iterable[Criterion]) -> Iterator[str]:
    rows = [f"- [{c.id}](#{anchor(c.id)}): {plain(c.question)}" for c in criteria if c.question]
    yield "## Questions for the sponsor"
    yield "\n".join(rows) if rows else "None."


def _judgements(criteria: Iterable[Criterion]) -> Iterator[str]:
    rows = [
        f"- [{c.id}](#{anchor(c.id)}): {plain(question)}"
        for c in criteria
        for question in dict.fromkeys(_questions_in(c.form))
    ]
    yield "## What a human must judge"
    yield "\n".join(rows) if rows else "Nothing."


def _criterion(
    criterion: Criterion, loaded: TrialFolder, labels: Mapping[str, str], cases: Sequence[Case]
) -> Iterator[str]:
    yield f'### <a id="{anchor(criterion.id)}"></a>{criterion.id}'
    yield "\n>\n".join(f"> {plain(quote)}" for quote in (criterion.text, *criterion.also))
    if not criterion.reviewed:
        yield "**Drafted:** nobody has reviewed this form; until then a human decides."
    yield f"**Our reading:** {plain(criterion.reading)}"
    if criterion.question:
        yield f"**Question for the sponsor:** {plain(criterion.question)}"
    what = "It asks for" if criterion.kind is Kind.INCLUSION else "It excludes when"
    yield "\n".join([f"**{what}:**", "", *in_words(criterion.form, labels)])
    facts = list(_data(criterion, loaded.concepts[criterion.id], labels))
    if facts:
        yield "\n".join(facts)
    yield from _cases(criterion, cases)


def _data(
    criterion: Criterion, concepts: Iterable[str], labels: Mapping[str, str]
) -> Iterator[str]:
    links = [f"[{plain(labels[key])}](#{anchor(key)})" for key in sorted(concepts)]
    if links:
        yield f"- **Data:** {', '.join(links)}"
    times = windows(criterion.form)
    if times:
        yield f"- **Window:** {'; '.join(times)}"
    gaps = unknowns(criterion.form)
    if gaps:
        yield f"- **Unknown with:** {'; '.join(gaps)}"


def _cases(criterion: Criterion, cases: Sequence[Case]) -> Iterator[str]:
    rows = []
    for case in cases:
        if criterion.id in case.expect:
            clears = case.clears_on.get(criterion.id)
            until = f", clears on {clears}" if clears not in {None, "never"} else ""
            rows.append(f"- {plain(case.name)}: **{case.expect[criterion.id]}**{until}")
    if rows:
        yield folded(f"Cases ({len(rows)})", "\n".join(rows))


def _whole_patients(cases: Sequence[Case]) -> Iterator[str]:
    rows = [
        f"- {plain(case.name)}: **{case.expect['overall']}**"
        for case in cases
        if "overall" in case.expect
    ]
    if rows:
        yield "## Whole patients"
        yield "\n".join(rows)


def _not_criteria(loaded: TrialFolder) -> Iterator[str]:
    if loaded.not_criteria:
        rows = [f"| {plain(n.text)} | {plain(n.reason)} |" for n in loaded.not_criteria]
        table = "\n".join(
            ["| words of the page | why they are no criterion |", "| --- | --- |", *rows]
        )
        yield "## Words of the page that are no criterion"
        yield folded(f"{len(rows)} pieces", table)
