"""How the endpoint says no, and how it says that something is amiss: an OperationOutcome."""

from collections.abc import Mapping
from typing import Literal

from fhir.resources.R4B.operationoutcome import OperationOutcome

from cds.web.fhir_endpoint.dates import JsonObject

_CODES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    410: "expired",
    415: "not-supported",
    429: "throttled",
    500: "exception",
    503: "transient",
}
_NO_RESULTS = "Resource request returns no results."


class Refused(Exception):  # noqa: N818 - an answer of the server, not an error in it
    """A request that is not carried out: HTTP status, one sentence, headers of the answer.

    The sentence never repeats a value that the client sent: it may name a patient.
    """

    def __init__(self, status: int, says: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(says)
        self.status = status
        self.says = says
        self.headers = dict(headers or {})

    def outcome(self) -> JsonObject:
        """The body of the answer."""
        return outcome("error", _CODES[self.status], self.says)


def outcome(severity: Literal["error", "warning"], code: str, says: str) -> JsonObject:
    """An OperationOutcome with one issue; `code` is of FHIR's issue-type value set."""
    issue = {"severity": severity, "code": code, "diagnostics": says}
    return _checked({"resourceType": "OperationOutcome", "issue": [issue]})


def no_results() -> JsonObject:
    """The warning that Epic puts into an empty searchset (its code 4101)."""
    coding = {"system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.657369", "code": "4101"}
    details = {"coding": [coding | {"display": _NO_RESULTS}], "text": _NO_RESULTS}
    issue = {"severity": "warning", "code": "processing", "details": details}
    return _checked({"resourceType": "OperationOutcome", "issue": [issue]})


def _checked(resource: JsonObject) -> JsonObject:
    """The resource as R4B writes it; anything that is not valid R4B raises here."""
    written: JsonObject = OperationOutcome.model_validate(resource).model_dump(mode="json")
    return written
