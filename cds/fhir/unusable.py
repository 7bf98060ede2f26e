"""Input of which nothing can be used."""

from __future__ import annotations


class UnusableInput(Exception):  # noqa: N818 - names what it is, as its sentence does
    """The input cannot be read as one patient's R4 record; the text says what, where and the cure.

    The text never quotes the record.
    """


class WrongVersion(UnusableInput):
    """The record is FHIR, but not R4."""

    def __init__(self, version: str, shown_by: str) -> None:
        """Name the version and the element or type that shows it."""
        super().__init__(
            f"this is a FHIR {version} record, as {shown_by} shows; send it as FHIR R4."
        )
