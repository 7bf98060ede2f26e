"""Who looked into which chart, when: one FHIR R4 AuditEvent a line, in a file of its own.

The file names patients and users by purpose: it is a record for the privacy officer, not a log.
Nobody gets an answer out of a chart whose line could not be written.
"""

from __future__ import annotations

import os
import re
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from flask import current_app

import cds
from cds.web.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

_EXTENSION = "audit"
_REFERENCE = re.compile(
    r"(Practitioner|PractitionerRole|Patient|RelatedPerson|Person)/[A-Za-z0-9\-.]{1,64}", re.ASCII
)
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_ACCESS = "https://trial-cds.org/CodeSystem/access"
_TYPES = {
    "patient-view": ("110112", "Query", "E"),
    "launch": ("110112", "Query", "E"),
    "page": ("110110", "Patient Record", "R"),
    "answer": ("110110", "Patient Record", "U"),
}
_WORKED, _REFUSED, _FAILED = "0", "4", "8"
_SERVER_ERROR = 500


class Access(msgspec.Struct, frozen=True):
    """One access to one chart.

    `by` is how: `patient-view`, `launch`, `page`, `answer`. `patient` is the FHIR id or reference,
    `user` who it was as far as anybody said, `client` the issuer of the calling system. `base` is
    the FHIR base that the patient's id belongs to.
    """

    by: str
    patient: str
    user: str = ""
    client: str | None = None
    base: str | None = None
    hook_instance: str | None = None
    call: str | None = None
    status: int = 200


class AuditTrail:
    """Appends to the file that the settings name; without one nothing is written."""

    def __init__(self, path: Path | None) -> None:
        """Open nothing yet: worker processes are forked later."""
        self._path = path
        self._lock = threading.Lock()
        self._handle: int | None = None
        self._opened: tuple[int, int, int] | None = None

    def write(self, access: Access) -> None:
        """Add one line, whole; processes that write at the same time do not mix theirs.

        Raises:
            Refused: 503, it cannot be written.
        """
        if self._path is None:
            return
        line = msgspec.json.encode(event_of(access, datetime.now(UTC))) + b"\n"
        try:
            with self._lock:
                written = os.write(self._open(self._path), line)
        except OSError:
            written = 0
        if written != len(line):
            says = "The access to the chart cannot be audited now; try again in a moment."
            raise Refused(503, says, retry_after=5)

    def _open(self, path: Path) -> int:
        """The file, opened anew by each process and where it was moved away."""
        try:
            found = path.stat()
            there = (os.getpid(), found.st_dev, found.st_ino)
        except FileNotFoundError:
            there = None
        if self._handle is None or there is None or there != self._opened:
            if self._handle is not None and self._opened is not None:
                os.close(self._handle)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._handle = os.open(path, flags, 0o600)
            made = os.fstat(self._handle)
            self._opened = (os.getpid(), made.st_dev, made.st_ino)
        return self._handle


def register(app: Flask, path: Path | None) -> AuditTrail:
    """Give an application its trail."""
    trail = app.extensions[_EXTENSION] = AuditTrail(path)
    return trail


def audit(access: Access) -> None:
    """Write to the trail of the application that answers now.

    Raises:
        Refused: 503, it cannot be written.
    """
    trail: AuditTrail = current_app.extensions[_EXTENSION]
    trail.write(access)


def event_of(access: Access, recorded: datetime) -> dict[str, Any]:
    """The AuditEvent, as JSON says it."""
    code, display, action = _TYPES[access.by]
    event: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "type": {"system": _DCM, "code": code, "display": display},
        "subtype": [{"system": _ACCESS, "code": access.by}],
        "action": action,
        "recorded": recorded.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "outcome": _outcome(access.status),
        "agent": [{"who": _who(access.user), "requestor": True}],
        "source": {"observer": {"display": f"trial-cds {cds.__version__}"}},
        "entity": [
            {
                "what": {"reference": _patient(access)},
                "type": _coding("audit-entity-type", "1", "Person"),
                "role": _coding("object-role", "1", "Patient"),
            }
        ],
    }
    if access.client is not None:
        system = {"who": {"identifier": {"value": access.client}}, "requestor": False}
        event["agent"].append(system)
    names = {"hookInstance": access.hook_instance, "decision": access.call}
    detail = [{"type": name, "valueString": value} for name, value in names.items() if value]
    if detail:
        event["entity"][0]["detail"] = detail
    return event


def _outcome(status: int) -> str:
    if status >= _SERVER_ERROR:
        return _FAILED
    return _WORKED if status < 400 else _REFUSED  # noqa: PLR2004 - where HTTP errors begin


def _coding(system: str, code: str, display: str) -> dict[str, str]:
    return {
        "system": f"http://terminology.hl7.org/CodeSystem/{system}",
        "code": code,
        "display": display,
    }


def _who(user: str) -> dict[str, Any]:
    if _REFERENCE.fullmatch(user):
        return {"reference": user}
    return {"display": user.strip() or "not said"}


def _patient(access: Access) -> str:
    relative = access.patient if "/" in access.patient else f"Patient/{access.patient}"
    return relative if access.base is None else f"{access.base.rstrip('/')}/{relative}"
