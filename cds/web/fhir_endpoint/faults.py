"""The ways in which a FHIR server disappoints, as switches of the embedded endpoint.

Each was seen in a real server or is one that a client must survive. All are off by default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What the endpoint does wrong. Switches can be combined.

    `only` limits all of them but `slow_types`, `forbidden_types`, `forbidden_categories`,
    `needs_category` and those about the CapabilityStatement to requests for the resource types
    named; empty means every request, metadata and batches included.
    """

    only: frozenset[str] = frozenset()

    # Before an answer
    slow: float = 0.0
    """Seconds to wait before each answer."""
    slow_types: Mapping[str, float] = field(default_factory=dict)
    """Seconds to wait before each answer about a resource type."""
    dead: Literal["", "closed", "error"] = ""
    """The connection is closed without an answer, or every answer is a 500."""
    unauthorized: bool = False
    """401, whatever token is sent."""
    busy: Literal[0, 429, 503] = 0
    """The status with which requests are turned away."""
    busy_first: int | None = None
    """How many requests are turned away before the server recovers; None: it never does."""
    retry_after: int | None = 1
    """Seconds in the Retry-After of a busy answer; None leaves the header out."""
    redirect_to: str = ""
    """Address (scheme, host and port) to which every request is redirected with a 302."""

    # What may not be read
    forbidden_types: frozenset[str] = frozenset()
    """Resource types whose reads and searches are answered with 403."""
    forbidden_categories: frozenset[str] = frozenset()
    """Observation categories that may not be read: a search that names one, or names no
    category and so asks for all, is answered with 403."""
    needs_category: bool = False
    """An Observation search without category or _id is answered with 400."""

    # In place of a FHIR body
    html: bool = False
    """A 200 whose body is a login page."""
    cut_body: bool = False
    """A 200 whose JSON breaks off half-way."""
    huge_body: int = 0
    """Bytes of a searchset that is sent in pieces without a Content-Length."""
    gzip_bomb: int = 0
    """Bytes to which a small gzip-encoded body unpacks."""

    # Paging
    foreign_next: str = ""
    """FHIR base on another host to which every page's next link leads."""
    alias: str = ""
    """FHIR base that the server believes is its own: in links and fullUrls."""
    looping_next: bool = False
    """Every page's next link leads to that page again."""
    endless: bool = False
    """There is always one more page, under a new link."""
    no_total: bool = False
    """Searchsets carry no total."""
    extra_total: int = 0
    """By how much total exceeds what can be had."""

    # Among the entries
    broken_entries: bool = False
    """Wrong-typed fields, an unknown resourceType, an entry without resource, one no object."""
    other_patient: bool = False
    """A search by patient brings some of another patient's entries too."""
    strays: bool = False
    """A search by patient also brings what stood in that patient's own file under no subject
    or another's: what the file says and the server's index would hide."""
    error_entry: bool = False
    """An OperationOutcome with an error stands among the entries."""
    empty_warning: bool = False
    """A search without matches holds one OperationOutcome with a warning."""

    # What is not supported
    include: Literal["honoured", "ignored", "refused"] = "honoured"
    """What becomes of _include."""
    missing: Literal["honoured", "ignored", "refused"] = "honoured"
    """What becomes of the modifier `:missing`."""
    no_combo_code: bool = False
    """Observations cannot be searched by `combo-code`, and the CapabilityStatement says so."""
    no_batch: bool = False
    """A batch is answered with 405."""
    fhir_version: str = "4.0.1"
    """The version that the CapabilityStatement claims: 1.0.2 is DSTU2, 3.0.2 is STU3."""

    def strike(self, resource_type: str) -> bool:
        """Whether the switches that `only` limits hold for a request about this type."""
        return not self.only or resource_type in self.only
