"""Why a launch did not lead to the page: fixed words, for the page and the log."""

from __future__ import annotations

from enum import Enum


class Why(Enum):
    """What went wrong; the value is what the log says, and nothing of anybody."""

    NO_LAUNCH = "no-launch"
    NOT_LISTED = "iss-not-listed"
    NO_CONFIGURATION = "no-smart-configuration"
    NO_PKCE = "no-pkce"
    STATE = "state"
    DENIED = "denied"
    REFUSED = "authorization-refused"
    CODE = "code"
    NO_TOKEN = "no-token"  # noqa: S105 - a word for the log
    IDENTITY = "id-token"
    NO_PATIENT = "no-patient"
    CHART = "chart"
    STORE = "store"


STATUS = {
    Why.NO_LAUNCH: 400,
    Why.NOT_LISTED: 403,
    Why.NO_CONFIGURATION: 502,
    Why.NO_PKCE: 502,
    Why.STATE: 400,
    Why.DENIED: 403,
    Why.REFUSED: 502,
    Why.CODE: 400,
    Why.NO_TOKEN: 502,
    Why.IDENTITY: 502,
    Why.NO_PATIENT: 400,
    Why.CHART: 502,
    Why.STORE: 503,
}


class LaunchFault(Exception):  # noqa: N818 - names what happened
    """The launch ends here; only its fixed word is logged."""

    def __init__(self, why: Why) -> None:
        """Say why."""
        super().__init__(why.value)
        self.why = why

    @property
    def status(self) -> int:
        """The HTTP status of the page that says so."""
        return STATUS[self.why]
