"""A trial's recruitment status from the registry: a study as ClinicalTrials.gov gives it out."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from cds.content.fault import ContentFaults, Fault
from cds.content.source import read_source, source_faults
from cds.content.strict_yaml import Table, read_yaml
from cds.content.trial_head import HeadReader
from cds.content.writing import replace_file, with_block
from cds.core.criterion import Recruitment

if TYPE_CHECKING:
    from pathlib import Path

    from cds.content.trials import TrialFolder

_WORDS = {
    "RECRUITING": "Recruiting",
    "ENROLLING_BY_INVITATION": "Enrolling by invitation",
    "NOT_YET_RECRUITING": "Not yet recruiting",
    "ACTIVE_NOT_RECRUITING": "Active, not recruiting",
    "SUSPENDED": "Suspended",
    "TERMINATED": "Terminated",
    "COMPLETED": "Completed",
    "WITHDRAWN": "Withdrawn",
    "UNKNOWN": "Unknown status",
}
_RECRUITING = {"RECRUITING", "ENROLLING_BY_INVITATION"}


@dataclass(frozen=True, slots=True)
class Study:
    """What the registry says of one trial."""

    id: str
    recruitment: Recruitment
    path: Path


def read_study(path: Path) -> Study:
    """Read a study as JSON of the ClinicalTrials.gov API, version 2.

    Raises:
        ContentFaults: it is none, or says no status or no date.
    """
    try:
        study = json.loads(path.read_text("utf-8-sig"))
        protocol = study["protocolSection"]
        name = str(protocol["identificationModule"]["nctId"])
        status = str(protocol["statusModule"]["overallStatus"])
        as_of = _as_of(study)
    except (OSError, ValueError, KeyError, TypeError):
        says = "This is no study with a number, a status and a date."
        cure = "Save the study as JSON of the ClinicalTrials.gov API, version 2."
        raise ContentFaults([Fault(path.name, 1, says, cure)]) from None
    words = _WORDS.get(status, status.replace("_", " ").capitalize())
    return Study(name, Recruitment(words, recruiting=status in _RECRUITING, as_of=as_of), path)


def _as_of(study: Any) -> str:  # noqa: ANN401 - JSON
    """The day of the registry's data, else that of the study's last update."""
    misc = study.get("derivedSection", {}).get("miscInfoModule", {})
    status = study["protocolSection"]["statusModule"]
    said = misc.get("versionHolder") or status.get("lastUpdatePostDateStruct", {}).get("date")
    return date.fromisoformat(str(said)).isoformat()


def take_status(loaded: TrialFolder, study: Study) -> str | None:
    """Write the registry's status into trial.yaml; what changed in words, None if nothing did.

    Raises:
        ContentFaults: the file cannot be written so that it says this.
    """
    was, now = loaded.trial.recruitment, study.recruitment
    if was == now:
        return None
    path = loaded.folder / "trial.yaml"
    old = path.read_text("utf-8")
    block = [
        "recruitment:",
        f"  status: {json.dumps(now.status, ensure_ascii=False)}",
        f"  recruiting: {'yes' if now.recruiting else 'no'}",
        f'  as_of: "{now.as_of}"',
    ]
    replace_file(path, with_block(old, "recruitment", block))
    head = read_yaml(path)
    if not isinstance(head, Table) or HeadReader("", []).recruitment(head) != now:
        replace_file(path, old)
        says = "The status cannot be written into this file."
        raise ContentFaults([Fault(str(path), 1, says, "Write 'recruitment:' with its keys.")])
    return f"{was.status} ({was.as_of}) → {now.status} ({now.as_of})"


def changed_page(loaded: TrialFolder, study: Study) -> list[str]:
    """What the registry's eligibility text says otherwise than the criteria quote, one line each.

    What to do follows the lines that it is good for, once.
    """
    by_cure: dict[str, list[str]] = {}
    for fault in source_faults(loaded, read_source(study.path)):
        if "is not the file" not in fault.says:
            by_cure.setdefault(fault.try_this, []).append(str(replace(fault, try_this="")))
    return [line for cure, lines in by_cure.items() for line in (*lines, f"→ {cure}")]
