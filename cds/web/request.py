"""Reading a CDS Hooks request: what is wrong with it is said in one sentence, without its data."""

from __future__ import annotations

import re

import msgspec

from cds.web.errors import Refused

SERVICE = "trial-eligibility"
HOOK = "patient-view"
_UUID = re.compile(r"(urn:uuid:)?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_GRANULAR = re.compile(rb"\bObservation\.[a-z]+\?", re.ASCII)
_BOM = b"\xef\xbb\xbf"
_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


class Authorization(msgspec.Struct, frozen=True):
    """fhirAuthorization: the token for the FHIR server that the request names.

    EHRs write scopes in ways of their own, so that nothing is refused for want of one.
    """

    access_token: str
    scope: msgspec.Raw = msgspec.Raw()

    @property
    def names_categories(self) -> bool:
        """Whether Observations may be read of some categories only, as scopes of SMART 2 can say.

        A search for all of them may then silently bring those alone.
        """
        return _GRANULAR.search(bytes(self.scope)) is not None


class _Context(msgspec.Struct, frozen=True, rename="camel"):
    patient_id: str
    user_id: msgspec.Raw = msgspec.Raw()
    encounter_id: msgspec.Raw = msgspec.Raw()


class HookRequest(msgspec.Struct, frozen=True, rename="camel"):
    """A patient-view request; prefetch values stay undecoded until a record is made of them.

    Members that nobody needs are not read: what the token may do, extensions.
    """

    hook: str
    hook_instance: str
    context: _Context
    prefetch: dict[str, msgspec.Raw] | None = None
    fhir_server: str | None = None
    fhir_authorization: Authorization | None = None

    @property
    def patient_id(self) -> str:
        """The FHIR id of the patient whose chart is open."""
        return self.context.patient_id

    @property
    def user(self) -> str:
        """Who has the chart open, as the client says it; good for telling readers apart only."""
        return bytes(self.context.user_id).decode(errors="replace")

    @property
    def encounter(self) -> str:
        """The encounter in which the chart is open, as JSON; '' where the client does not say."""
        return bytes(self.context.encounter_id).decode(errors="replace")

    @property
    def named_user(self) -> str:
        """Who has the chart open, as a reference where the client sends one; else empty."""
        try:
            return msgspec.json.decode(self.context.user_id, type=str)
        except msgspec.DecodeError:
            return ""


_decoder = msgspec.json.Decoder(HookRequest)


def read_request(body: bytes, *, max_resources: int) -> HookRequest:
    """Decode and check a request.

    Raises:
        Refused: 400 with what is wrong and where, 413 where it holds too many resources.
    """
    # Every resource names its type, and none is shorter than this one.
    may_be_many = len(body) > max_resources * len(b'{"resourceType":"List"},')
    if may_be_many and body.count(b'"resourceType"') > max_resources:
        says = f"More than {max_resources} resources at once; send fewer in prefetch."
        raise Refused(413, says)
    try:
        request = _decoder.decode(body.removeprefix(_BOM))
    except msgspec.ValidationError as problem:
        raise Refused(400, f"The request breaks the CDS Hooks specification: {problem}.") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Refused(400, "The request body is not JSON; send one JSON object.") from None
    for name, raw in (
        ("userId", request.context.user_id),
        ("encounterId", request.context.encounter_id),
    ):
        if not _is_utf_8(raw):
            raise Refused(400, f"context.{name} is not in UTF-8; send JSON in UTF-8.")
    if request.hook != HOOK:
        raise Refused(400, f"This service answers the hook '{HOOK}' only; send hook: '{HOOK}'.")
    if not _UUID.fullmatch(request.hook_instance):
        raise Refused(400, "hookInstance is no UUID; send one that is new for each call.")
    if not _FHIR_ID.fullmatch(request.patient_id):
        raise Refused(
            400, "context.patientId is no FHIR id; send the id alone, without 'Patient/'."
        )
    return request


def _is_utf_8(raw: msgspec.Raw) -> bool:
    """Whether a value that stays undecoded for now can be decoded later."""
    try:
        bytes(raw).decode()
    except UnicodeDecodeError:
        return False
    return True
