"""Why something could not be read from a FHIR server; never what it answered, never of whom."""

from __future__ import annotations

from enum import Enum


class Why(Enum):
    """The kinds of failure; each value completes "not read because …" on a card."""

    BAD_ADDRESS = "an address is malformed or ambiguous"
    NOT_LISTED = "the FHIR server is not one that may be called"
    OUTSIDE = "an address leads outside the FHIR server"
    PEER = "the FHIR server's name leads to a network address that may not be called"
    REDIRECT = "the FHIR server redirects elsewhere"
    UNAUTHORIZED = "the FHIR server does not accept the access token"
    UNSENDABLE = "the access token is none that can be sent"
    FORBIDDEN = "the FHIR server does not allow it"
    NOT_FOUND = "the FHIR server does not have it"
    REFUSED = "the FHIR server does not understand the request"
    BUSY = "the FHIR server is busy"
    FAILED = "the FHIR server has a fault"
    UNREACHABLE = "the FHIR server cannot be reached"
    TIMEOUT = "the FHIR server is too slow"
    DEADLINE = "the time for this answer is over"
    NO_TIME = "there was no time left for it"
    PAUSED = "the FHIR server kept failing and is left alone for a while"
    TOO_LARGE = "the FHIR server's answer is too large"
    NOT_FHIR = "the FHIR server's answer is no FHIR"
    WRONG_PATIENT = "the FHIR server answered with another patient"
    TOO_MANY_REQUESTS = "it would take too many requests"
    TOO_MANY_PAGES = "it has too many pages"
    LOOP = "the FHIR server's pages lead in a circle"
    STRANGE = "the FHIR server answered with something else than was asked for"
    TRUNCATED = "the FHIR server says that there is more than it sent"
    UNCLEAR = "the FHIR server does not say clearly whether it sent everything"
    OUTCOME = "the FHIR server says that it left something out"


class FhirFault(Exception):  # noqa: N818 - names what happened, as its kinds do
    """Something could not be read. The text is the kind alone: safe to log."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why
