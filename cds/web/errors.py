"""Errors as JSON with an OperationOutcome: one clear sentence, no internals, no patient data."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Response

_CODES = {
    400: "invalid",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    412: "required",
    413: "too-long",
    415: "not-supported",
    429: "throttled",
    500: "exception",
    503: "transient",
}


class Refused(Exception):  # noqa: N818 - a decision, not an accident
    """The request cannot be answered; `says` is for the caller and holds no patient data."""

    def __init__(self, status: int, says: str, *, retry_after: int | None = None) -> None:
        """Refuse with an HTTP status and one clear sentence."""
        super().__init__(says)
        self.status = status
        self.says = says
        self.retry_after = retry_after


def outcome(problem: Refused) -> dict[str, Any]:
    """The OperationOutcome that says why."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": _CODES.get(problem.status, "processing"),
                "diagnostics": problem.says,
            }
        ],
    }


def refusal(problem: Refused) -> Response:
    """The HTTP answer; a 401 is without a body, so that nothing is told to strangers."""
    if problem.status == 401:  # noqa: PLR2004 - the HTTP status itself
        return Response(status=401, headers={"WWW-Authenticate": "Bearer"})
    body = msgspec.json.encode(outcome(problem))
    response = Response(body, problem.status, content_type="application/json")
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response
