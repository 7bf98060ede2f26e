"""Example records for a criterion: the facts that its form can tell apart, in a case's own words.

From each statement of a form come the facts on either side of its bounds and windows, and the ways
in which they can be missing, vague or unverified. Combined, they show which statuses a criterion
can take and which record tells two forms apart; each is a list of facts that a case file may hold.
"""

from __future__ import annotations

import re
from datetime import UTC, date, timedelta
from itertools import chain, combinations, product
from typing import TYPE_CHECKING

from cds.content.given import GivenReader
from cds.content.strict_yaml import Items, Table
from cds.core.criterion import Status
from cds.core.when import Evaluation
from cds.engine.evaluate import decide
from cds.engine.finding import Finding
from cds.engine.judgement import Judgement
from cds.engine.lab import Lab
from cds.engine.medication import Medication
from cds.engine.person import Age, Sex
from cds.engine.procedure import ProcedureDone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cds.core.criterion import Characteristic, Criterion
    from cds.core.facts import Facts
    from cds.core.terminology import Terminology
    from cds.core.when import Span
    from cds.engine.window import Window

    Row = Mapping[str, str]
    Option = tuple[Row, ...]
    Promise = tuple[str, str]
    """A status, and the day that it clears on, "never", or empty where it does not fail."""

AS_OF = date(2026, 3, 1)
ASKED = Evaluation.of(AS_OF, UTC)
_HIGH = 40  # the upper limit of normal of example results
_TOGETHER = 3  # so many subjects vary at a time
_MOST = 4000  # so many records are tried for one criterion
_DAY = timedelta(days=1)
_DRUG = re.compile(r"medication: (\w+), drug: drug (\d+)")


def examples(criterion: Criterion) -> Iterator[tuple[Option, Facts]]:
    """Records that a criterion may tell apart, simplest first, each with its facts."""
    subjects = list(_subjects(criterion.form).values())
    seen: set[tuple[tuple[tuple[str, str], ...], ...]] = set()
    for rows in _combined(subjects):
        key = tuple(tuple(row.items()) for row in rows)
        if key in seen:
            continue
        seen.add(key)
        if len(seen) > _MOST:
            return
        yield rows, facts_of(rows)


def facts_of(rows: Option) -> Facts:
    """The facts that some rows of a case state on the day AS_OF."""
    items = Items(1)
    for row in rows:
        table = Table(1)
        table.update(row)
        items.append(table)
        items.lines.append(1)
    return GivenReader("example", AS_OF, []).facts(items, target=None)


def in_yaml(rows: Option) -> str:
    """Rows as a case file holds them: '[{finding: dvt, onset: 2026-02-01}]'."""
    parts = ("{" + ", ".join(f"{k}: {_quoted(v)}" for k, v in row.items()) + "}" for row in rows)
    return f"[{', '.join(parts)}]"


def named(record: str, terminology: Terminology) -> str:
    """A record with drugs of its class in place of "drug 1" and "drug 2"."""
    for concept, number in _DRUG.findall(record):
        names = _members(concept, terminology)
        name = names[(int(number) - 1) % len(names)]
        record = record.replace(f"{concept}, drug: drug {number}", f"{concept}, drug: {name}")
    return record


def _members(concept: str, terminology: Terminology) -> list[str]:
    """The drugs whose membership in a class is verified, in the order of their list."""
    return [
        name
        for name in terminology.lists.ingredients
        if (drug := terminology.drug_text(name)) is not None
        and drug.ingredients == (name,)
        and any(mark.decides for mark in drug.marks.get(concept, ()))
    ]


def facts_with(criterion: Criterion, record: str) -> Facts:
    """The facts of one of a criterion's example records, as `in_yaml` wrote it."""
    return next(facts for rows, facts in examples(criterion) if in_yaml(rows) == record)


def promised(criterion: Criterion, facts: Facts) -> Promise:
    """What a criterion comes to, as a case promises it."""
    decision = decide(criterion, facts, ASKED)
    day = decision.clears_on
    clears = "" if decision.status is not Status.FAIL else "never" if day is None else str(day)
    return decision.status.value, clears


def _quoted(value: str) -> str:
    """A value with the quotes that YAML needs, such as those of 2 {score}."""
    return f'"{value}"' if any(sign in value for sign in "{}[],:#&*!|>") else value


def _combined(subjects: Sequence[Sequence[Option]]) -> Iterator[Option]:
    """Few subjects vary at a time; the others are absent, or all as their statement wants them."""
    yield ()
    # What was not read, or recognised, meets no statement: it varies, and else is not there.
    full = [() if _is_lacking(options[0]) else options[0] for options in subjects]
    for count in range(1, min(_TOGETHER, len(subjects)) + 1):
        for chosen in combinations(range(len(subjects)), count):
            for options in product(*(subjects[index] for index in chosen)):
                yield tuple(chain.from_iterable(options))
                others = [o for index, o in enumerate(full) if o and index not in chosen]
                if others:
                    yield tuple(chain.from_iterable([*others, *options]))


def _is_lacking(rows: Option) -> bool:
    return any(key in row for row in rows for key in ("not_read", "unrecognised_drug"))


def _subjects(form: Characteristic) -> dict[str, list[Option]]:
    """For each thing that a form speaks of, the facts about it; the first ones meet it."""
    found: dict[str, dict[str, Option]] = {}
    for leaf in _leaves(form):
        for subject, option in _options(leaf):
            rows = option if isinstance(option, tuple) else (option,)
            found.setdefault(subject, {})[in_yaml(rows)] = rows
    return {subject: list(options.values()) for subject, options in found.items()}


def _leaves(form: Characteristic) -> Iterator[Characteristic]:
    parts = [] if isinstance(form, Judgement) else list(form.parts())
    if not parts:
        yield form
    for part in parts:
        yield from _leaves(part)


def _options(leaf: Characteristic) -> Iterator[tuple[str, Row | Option]]:
    if isinstance(leaf, Lab):
        yield from _of_lab(leaf)
    elif isinstance(leaf, Finding):
        subject = f"finding {leaf.concepts[0]}"
        yield from ((subject, row) for row in _of_finding(leaf))
        yield "Condition", {"not_read": "Condition"}
    elif isinstance(leaf, ProcedureDone):
        subject = f"procedure {leaf.concepts[0]}"
        yield from ((subject, row) for row in _of_procedure(leaf))
        yield "Procedure", {"not_read": "Procedure"}
    elif isinstance(leaf, Medication):
        subject = f"medication {leaf.concepts[0]}"
        yield from ((subject, row) for row in _of_medication(leaf))
        yield "unrecognised", {"unrecognised_drug": "herbal mixture", "status": "active"}
        yield "MedicationStatement", {"not_read": "MedicationStatement"}
    elif isinstance(leaf, Age):
        for bound in (leaf.at_least, leaf.at_most):
            for years in () if bound is None else (bound, bound - 1, bound + 1):
                yield "age", {"age": str(years)}
        yield "age", {"age": "unknown"}
    elif isinstance(leaf, Sex):
        yield from (("sex", {"sex": sex}) for sex in ("male", "female", "unknown"))


def _of_lab(leaf: Lab) -> Iterator[tuple[str, Row | Option]]:
    subject = f"lab {leaf.concepts[0]}"
    values = list(_values(leaf))
    dates = [AS_OF.isoformat(), *_edge(leaf.look_back), "2020-01-01"]
    for day in dates:
        yield from ((subject, {**row, "taken": day}) for row in values)
    for row in values:
        if "uln" in row:
            yield subject, {key: text for key, text in row.items() if key != "uln"}
        if leaf.any_result:
            old = {**row, "taken": "2020-01-01"}
            yield from ((subject, (old, newer)) for newer in values if newer is not row)
    yield subject, {"lab": leaf.concepts[0], "gap": "unit"}
    yield "Observation", {"not_read": "Observation"}
    if any(bound.sex for bound in leaf.bounds):
        yield from (("sex", {"sex": sex}) for sex in ("male", "female", "unknown"))


def _values(leaf: Lab) -> Iterator[Row]:
    """Results on and next to each bound, or positive, negative and neither."""
    head = {"lab": leaf.concepts[0]}
    if leaf.positive:
        for word in ("positive", "negative", "indeterminate"):
            yield {**head, "value": word}
    for bound in leaf.bounds:
        high = None if bound.uln is None else type(bound.value)(_HIGH)
        limit = bound.against(high)
        exponent = limit.as_tuple().exponent
        step = type(limit)(1).scaleb(exponent if isinstance(exponent, int) else 0)
        limits = {} if high is None else {"uln": f"{high} {leaf.unit}"}
        for value in (limit, limit - step, limit + step):
            if value >= 0:
                yield {**head, "value": f"{value} {leaf.unit}".strip(), **limits}


def _of_finding(leaf: Finding) -> Iterator[Row]:
    head = {"finding": leaf.concepts[0]}
    yield {**head, "status": "active", "onset": AS_OF.isoformat()}
    yield {**head, "status": "resolved"}
    yield {**head, "status": "active"}
    yield {**head, "status": "active", "verification": "unconfirmed"}
    yield {**head, "history": "yes"}
    for day in (*_edge(_span(leaf.within)), "2010-01-01"):
        yield {**head, "status": "active", "onset": day}
        yield {**head, "status": "resolved", "onset": day}
    for day in _edge(_span(leaf.ended_within)):
        yield {**head, "status": "resolved", "onset": "2010-01-01", "ended": day}
    for concept in sorted(leaf.excluding):
        yield {**head, "status": "active", "also": concept}


def _of_procedure(leaf: ProcedureDone) -> Iterator[Row]:
    head = {"procedure": leaf.concepts[0]}
    edges = _edge(_span(leaf.within))
    for day in (AS_OF.isoformat(), *edges, "2010-01-01"):
        yield {**head, "done": day}
    yield head
    yield {**head, "done": AS_OF.isoformat(), "verified": "no"}
    for concept in sorted(leaf.excluding):
        yield {**head, "done": AS_OF.isoformat(), "also": concept}


def _of_medication(leaf: Medication) -> Iterator[Row | Option]:
    head = {"medication": leaf.concepts[0]}
    running = [{**head, "drug": f"drug {n}", "status": "active"} for n in (1, 2, 3, 4)]
    yield tuple(running[: leaf.distinct])
    for count in (leaf.distinct - 1, leaf.distinct + 1):
        yield tuple(running[:count])
    for day in (*_edge(_span(leaf.within)), "2010-01-01"):
        yield {**head, "last_taken": day}
    yield {**head, "status": "stopped"}
    yield {**head, "status": "active", "verified": "no"}
    yield {**head, "status": "active", "local": "yes"}
    yield {**head, "status": "active", "from": (AS_OF + _DAY).isoformat()}
    for concept in sorted(leaf.excluding):
        yield {**head, "status": "active", "also": concept}


def _span(window: Window | None) -> Span | None:
    return None if window is None else window.span


def _edge(span: Span | None) -> tuple[str, ...]:
    """The day on which a window begins, and the days around it."""
    if span is None:
        return ()
    first = span.before(AS_OF)
    return tuple(day.isoformat() for day in (first, first - _DAY, first + _DAY))
