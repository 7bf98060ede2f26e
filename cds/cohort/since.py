"""What changed between two screenings, and for whom: change, not noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import msgspec

from cds.cohort.fault import CohortFault
from cds.cohort.report.results import open_results
from cds.cohort.stage import quoted

if TYPE_CHECKING:
    from pathlib import Path

    from cds.cohort.catalogue import Catalogue, TrialTold

CHANGES = "changes.parquet"
SINCE = "since.json"


class Reworded(msgspec.Struct, frozen=True):
    """How a trial's criteria differ from those of the earlier screening."""

    trial: str
    was: str
    now: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


class Since(msgspec.Struct, frozen=True):
    """What was compared: the earlier day, this day, and the trials that differ."""

    was_on: str
    now_on: str
    trials: tuple[Reworded, ...]


def compare(previous: Path, out: Path) -> None:
    """Write `changes.parquet`, `changes.csv` and `since.json` beside the results in `out`.

    Raises:
        CohortFault: one of the folders holds no finished screening.
    """
    with open_results(previous) as before, open_results(out) as after:
        causes = _causes(before.manifest, after.manifest)
        since = Since(
            before.manifest["on"], after.manifest["on"], reworded(before.catalogue, after.catalogue)
        )
    with duckdb.connect(config={"memory_limit": "512MB"}) as base:
        for name, folder in (("old", previous), ("new", out)):
            for table in ("determinations", "criteria"):
                path = quoted(str(folder / f"{table}.parquet"))
                base.execute(f"create view {name}_{table} as from read_parquet({path})")
        base.execute("create table cause as select unnest(?::varchar[]) as word", [sorted(causes)])
        base.execute("create table today as select ?::date as day", [since.now_on])
        base.execute(_CHANGES)
        for target, form in (
            (CHANGES, "format parquet, compression zstd"),
            ("changes.csv", "format csv, header"),
        ):
            part = out / f"{target}.part"
            base.execute(f"copy changes to {quoted(str(part))} ({form})")
            part.replace(out / target)
    (out / SINCE).write_bytes(msgspec.json.encode(since))


def _causes(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """What differs between two screenings, and so may be why a patient's answer does."""
    found = set()
    if _inputs(before) != _inputs(after) or before["types"] != after["types"]:
        found.add("new data")
    if before["on"] != after["on"]:
        found.add("time")
    if before["content"]["digest"] != after["content"]["digest"]:
        found.add("new content")
    if before["software"]["digest"] != after["software"]["digest"]:
        found.add("new software")
    return found


def _inputs(manifest: dict[str, Any]) -> list[str]:
    return sorted(file["sha256"] for file in manifest["source"]["files"])


def reworded(before: Catalogue, after: Catalogue) -> tuple[Reworded, ...]:
    """The trials whose criteria are not those of the earlier screening."""
    earlier = {trial.id: trial for trial in before.trials}
    pairs = [(earlier.get(trial.id), trial) for trial in after.trials]
    return tuple(
        _reworded(was, now) for was, now in pairs if was is None or was.digest != now.digest
    )


def _reworded(was: TrialTold | None, now: TrialTold) -> Reworded:
    old = {one.id: one for one in was.criteria} if was is not None else {}
    new = {one.id: one for one in now.criteria}
    return Reworded(
        now.id,
        was.version if was is not None else "",
        now.version,
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(old.keys() - new.keys())),
        tuple(sorted(key for key in new.keys() & old.keys() if new[key] != old[key])),
    )


def check_previous(previous: Path, out: Path) -> None:
    """Refuse what cannot be compared before hours are spent on it."""
    if previous.resolve() == out.resolve():
        message = "--since and --out name the same folder; name another one for the new results."
        raise CohortFault(message)
    with open_results(previous):
        return


# A patient is one test away if nothing excludes them and all that is missing is one concept.
_CHANGES = """
create table changes as
with
  lacking as (
    select 'old' as run, patient, trial, criterion, g.concept
    from old_criteria, unnest(gaps) as u(g) where status = 'unknown' and g.gap <> 'judgement'
    union all
    select 'new', patient, trial, criterion, g.concept
    from new_criteria, unnest(gaps) as u(g) where status = 'unknown' and g.gap <> 'judgement'),
  single as (
    select run, patient, trial, any_value(concept) as concept from lacking
    group by all having count(distinct concept) = 1),
  pair as (
    select coalesce(n.patient, o.patient) as patient, coalesce(n.trial, o.trial) as trial,
           o.overall as was, n.overall as now,
           case when o.overall = 'undetermined' then so.concept end as lacked,
           case when n.overall = 'undetermined' then sn.concept end as lacks
    from old_determinations o
    full join new_determinations n on o.patient = n.patient and o.trial = n.trial
    left join single so on so.run = 'old' and so.patient = o.patient and so.trial = o.trial
    left join single sn on sn.run = 'new' and sn.patient = n.patient and sn.trial = n.trial),
  named as (
    select *,
      case
        when now = 'potentially-eligible' and was is distinct from now
          then 'became potentially eligible'
        when now is null and was <> 'ineligible' then 'left the export'
        when now = 'ineligible' and was <> now then 'dropped out'
        when lacks is not null and lacked is distinct from lacks then 'one test away'
        when was = 'potentially-eligible' and now = 'undetermined' then 'became undetermined'
        when was = 'ineligible' and now = 'undetermined' then 'no longer excluded'
      end as change
    from pair),
  touched as (
    select coalesce(n.patient, o.patient) as patient, coalesce(n.trial, o.trial) as trial,
           coalesce(n.criterion, o.criterion) as criterion, o.status as was, n.status as now,
           coalesce(n.reason, o.reason) as reason,
           o.evidence is distinct from n.evidence or o.gaps is distinct from n.gaps as other,
           coalesce(len(list_filter(n.gaps, lambda g: g.gap = 'too-old')) > 0, false)
             or coalesce(o.clears_on <= (select day from today), false) as aged
    from old_criteria o full join new_criteria n
      on o.patient = n.patient and o.trial = n.trial and o.criterion = n.criterion
    where o.status is distinct from n.status),
  told as (
    select t.patient, t.trial,
           string_agg(t.criterion, ' ' order by t.criterion) as criteria,
           string_agg(t.criterion || ': ' || t.reason, '; ' order by t.criterion)
             filter (where t.now = 'fail') as excludes,
           bool_or(t.other) as other, bool_or(t.aged or not t.other) as aged
    from touched t
    -- What came and went only because the target diagnosis is (no longer) there says nothing.
    where (t.was in ('fail', 'unknown') or t.now in ('fail', 'unknown'))
    group by all)
select n.patient, n.trial, n.change, n.was, n.now, n.lacks as missing,
       -- Of whoever left, no criterion changed: it is not asked any more.
       case when n.now is null then '' else coalesce(t.criteria, '') end as criteria,
       coalesce(t.excludes, '') as excludes,
       case when n.was is null then 'new patient'
            when n.now is null and 'new data' in (select word from cause) then 'new data'
       else coalesce((
         select string_agg(word, ' or ' order by word) from cause
         where (word <> 'new data' or coalesce(t.other, true))
           and (word <> 'time' or coalesce(t.aged, true))), 'nothing that is known')
       end as because
from named n left join told t using (patient, trial)
where n.change is not null
order by n.trial, n.change, n.patient
"""
