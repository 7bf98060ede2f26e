"""A cohort's way: source → index → batches → determinations; interrupted, it goes on."""

from __future__ import annotations

import fcntl
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cds.cohort.coverage import coverage_of
from cds.cohort.evaluating import Setup, evaluate_batch, held, write_empty, write_setup
from cds.cohort.fault import CohortFault
from cds.cohort.finishing import Finished, finish
from cds.cohort.inputs import SCAN, read_inputs
from cds.cohort.judging import Tally
from cds.cohort.output import WORK, check_out
from cds.cohort.plan import open_plan
from cds.cohort.since import check_previous, compare
from cds.cohort.source import find_source
from cds.cohort.workers import open_workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.assess import Content
    from cds.cohort.inputs import Inputs
    from cds.cohort.order import Order
    from cds.cohort.plan import Plan
    from cds.cohort.progress import Progress
    from cds.cohort.scan import Reject
    from cds.cohort.workers import Workers
    from cds.fhir.retrieved import Coverage

_FEW_BYTES = 8 << 20
"""A source below this size is not worth the start of further processes."""


def screen(order: Order, progress: Progress, content: Content | None = None) -> Finished:
    """Screen a cohort into the folder `order.out`.

    `content`: what the order's content folders hold, where the caller has read it already.

    Raises:
        CohortFault: the source or the folder cannot be used, or `strict` met something broken.
    """
    source = find_source(Path(order.source))
    out = Path(order.out)
    check_out(Path(order.source), out)
    if order.since is not None:
        check_previous(Path(order.since), out)
    small = sum(file.size for file in source.files) < _FEW_BYTES
    count = 1 if small else order.workers
    work = out / WORK
    with held(content), ExitStack() as processes:
        # They begin before the lock is taken, which would else be theirs too.
        workers = processes.enter_context(open_workers(count))
        with _locked(out):
            inputs = read_inputs(order, source, work, workers, progress)
            if order.strict:
                _refuse(inputs.rejects)
            coverage = coverage_of(
                source,
                inputs.kinds,
                errors=inputs.errors,
                cut=inputs.cut,
                complete=order.complete,
                not_kept=order.not_kept,
                anybodys=inputs.anybodys,
            )
            setup = _setup(order, inputs, coverage, work)
            _build_plan(work)
            with open_plan(work) as plan:
                tallies = _evaluate(order, plan, setup, work, workers, progress)
                counts = plan.counts()
            processes.close()  # what they hold in memory is gone before the tables are joined
            finished = finish(order, inputs, coverage, counts, tallies, work)
    if order.since is not None:
        compare(Path(order.since), out)
    return finished


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the output folder: two screenings into one would mix."""
    try:
        (out / WORK).mkdir(parents=True, exist_ok=True)
        lock = (out / WORK / "lock").open("w")
    except OSError as problem:
        why = (problem.strerror or "unknown reason").lower()
        message = f"--out: '{out}' cannot be used: {why}; name a folder that may be written."
        raise CohortFault(message) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"--out: another screening is writing to '{out}'; wait for it to end."
            raise CohortFault(message) from None
        yield


def _build_plan(work: Path) -> None:
    """Sort the index, unless an interrupted run has done so; the memory for it is given back."""
    planned = work / "planned"
    if not planned.exists():
        with open_plan(work) as plan:
            plan.build(work / SCAN)
        planned.touch()


def _refuse(rejects: tuple[Reject, ...]) -> None:
    for reject in rejects:
        where = reject.file if reject.line is None else f"{reject.file}:{reject.line}"
        message = f"--strict: {where}: {reject.says} ({len(rejects)} broken in all)."
        raise CohortFault(message)


def _setup(order: Order, inputs: Inputs, coverage: dict[str, Coverage], work: Path) -> str:
    folder = work / "results"
    folder.mkdir(exist_ok=True)
    write_empty(folder)
    setup = Setup(
        content_folders=order.content_folders,
        content=order.catalogue.digest,
        trials=order.trials,
        on=order.on,
        zone=order.zone,
        form=inputs.source.form,
        names=tuple(file.name for file in inputs.source.files),
        paths=tuple(staged.path for staged in inputs.staged),
        cut=frozenset(number for number, staged in enumerate(inputs.staged) if staged.cut),
        coverage=coverage,
        folder=str(folder),
        refusal_flags=order.refusal_flags,
    )
    return write_setup(setup, work)


def _evaluate(  # noqa: PLR0913 - the parts of a screening meet here
    order: Order, plan: Plan, setup: str, work: Path, workers: Workers, progress: Progress
) -> list[Tally]:
    """Evaluate every batch that is not done yet; the tallies of all of them, in order."""
    done = {tally.batch: tally for tally in _finished(work)}
    before = sum(tally.patients for tally in done.values())
    advance = progress.step("patients", plan.counts().patients, before)
    todo = plan.batches(frozenset(done))
    for tally in workers.map(partial(evaluate_batch, setup), todo):
        if order.strict:
            _refuse((*tally.rejects, *tally.unread))
        done[tally.batch] = tally
        advance(tally.patients)
    return [done[number] for number in sorted(done)]


def _finished(work: Path) -> Iterator[Tally]:
    for path in sorted((work / "results").glob("*.done")):
        yield msgspec.json.decode(path.read_bytes(), type=Tally)
