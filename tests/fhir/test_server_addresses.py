"""Which addresses may be called: compared after normalisation, nothing ambiguous gets through."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cds.fhir.addresses import AllowList, may_connect
from cds.fhir.faults import FhirFault, Why

BASE = "https://fhir.example.org/api/r4"
ALLOWED = AllowList([(BASE, "http://hapi:8080/fhir")]).find(BASE)


@pytest.mark.parametrize(
    ("url", "called"),
    [
        (BASE, BASE),
        (f"{BASE}/Patient/p1", f"{BASE}/Patient/p1"),
        ("HTTPS://FHIR.Example.ORG:443/api/r4/Patient", f"{BASE}/Patient"),
        ("https://fhir.example.org./api/r4/Patient", f"{BASE}/Patient"),
        (f"{BASE}/?page=2", f"{BASE}/?page=2"),
        (f"{BASE}?_getpages=1&x=..%2F", f"{BASE}?_getpages=1&x=..%2F"),
        (f"{BASE}/Patient#fragment", f"{BASE}/Patient"),
        ("Observation?page=2", f"{BASE}/Observation?page=2"),
        ("?page=2", f"{BASE}/?page=2"),
        ("http://hapi:8080/fhir?_getpages=1", f"{BASE}?_getpages=1"),
        ("http://HAPI:8080/fhir/Patient/p1", f"{BASE}/Patient/p1"),
    ],
)
def test_addresses_within_the_base_are_called_at_the_base(url: str, called: str) -> None:
    assert ALLOWED.admit(url) == called


@pytest.mark.parametrize(
    "url",
    [
        "http://fhir.example.org/api/r4/Patient",  # another scheme
        "https://fhir.example.org:8443/api/r4/Patient",  # another port
        "https://fhir.example.org.evil.example/api/r4/Patient",
        "https://evil.example/api/r4/Patient",
        "//evil.example/api/r4/Patient",
        "https://fhir.example.org/api/r4evil/Patient",  # a prefix, but not of whole segments
        "https://fhir.example.org/api/r5/Patient",
        "https://fhir.example.org/",
        "../r5/Patient",
        "/Patient",
        "http://hapi:8080/fhir2/Patient",
        "http://hapi/fhir/Patient",
        "https://[::1]/api/r4/Patient",
    ],
)
def test_addresses_outside_the_base_are_refused(url: str) -> None:
    with pytest.raises(FhirFault) as fault:
        ALLOWED.admit(url)
    assert fault.value.why is Why.OUTSIDE


@pytest.mark.parametrize(
    "url",
    [
        "https://me@fhir.example.org/api/r4/Patient",
        "https://fhir.example.org@evil.example/api/r4/Patient",
        "https://fhir.example.org\\@evil.example/api/r4",
        "https://fhir.example.org/api/r4/../r5",
        "https://fhir.example.org/api/r4/%2e%2e/r5",
        "https://fhir.example.org/api/r4/.%2E/r5",
        "https://fhir.example.org/api/r4/%252e%252e/r5",
        "https://fhir.example.org/api/r4/..%2fr5",
        "https://fhir.example.org/api/r4/..%5cr5",
        "https://fhir.example.org/api/r4/..;x=1/r5",
        "https://fhir.example.org/api/r4/a b",
        "https://fhir.example.org/api/r4/a\r\nHost: evil.example",
        "https://fhir.example.org\t/api/r4",
        "https://fhir%2eexample.org/api/r4",
        "https://2130706433/api/r4",
        "https://0x7f.1/api/r4",
        "https://127.1/api/r4",
        "https://fhir.example.org:0/api/r4",
        "https://fhir.example.org:99999/api/r4",
        "https://fhir.example.org:x/api/r4",
        "https://[::1/api/r4",
        "file:///etc/passwd",
        "gopher://fhir.example.org/api/r4",
        "javascript:alert(1)",
    ],
)
def test_ambiguous_addresses_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(FhirFault) as fault:
        ALLOWED.admit(url)
    assert fault.value.why is Why.BAD_ADDRESS
    assert fault.value.__context__ is None
    assert str(fault.value) == Why.BAD_ADDRESS.value


def test_an_international_name_is_compared_in_its_ascii_form() -> None:
    allowed = AllowList([("https://spital-zürich.example/r4", None)])
    found = allowed.find("https://xn--spital-zrich-klb.example/r4/")
    assert found.admit("https://SPITAL-ZÜRICH.example/r4/Patient").startswith("https://xn--spital-")
    with pytest.raises(FhirFault):
        found.admit("https://spital-zurich.example/r4/Patient")


@given(st.text(max_size=60) | st.from_regex(r"(https?:)?/{0,3}[a-z@:.\\/%?#\[\]2eE]{0,40}"))
@example("https://fhir.example.org/api/r4//evil.example")
def test_whatever_a_server_writes_only_the_base_is_called(link: str) -> None:
    try:
        called = ALLOWED.admit(link)
    except FhirFault as fault:
        assert fault.why in {Why.OUTSIDE, Why.BAD_ADDRESS}  # noqa: PT017 - both outcomes are right
    else:
        assert called == BASE or called[len(BASE)] in "/?"
        assert called.startswith(BASE)


@pytest.mark.parametrize(
    ("named", "listed"),
    [
        (BASE, True),
        (f"{BASE}/", True),
        ("HTTPS://FHIR.EXAMPLE.ORG:443/api/r4", True),
        ("http://hapi:8080/fhir", True),
        ("https://fhir.example.org/api", False),
        ("https://fhir.example.org/api/r4/Patient", False),
        ("http://fhir.example.org/api/r4", False),
        ("https://fhir.example.org/API/r4", False),
    ],
)
def test_a_client_names_a_base_exactly(named: str, *, listed: bool) -> None:
    listing = AllowList([(BASE, "http://hapi:8080/fhir")])
    if listed:
        assert str(listing.find(named).base) == BASE
    else:
        with pytest.raises(FhirFault) as fault:
            listing.find(named)
        assert fault.value.why is Why.NOT_LISTED


def test_http_is_for_this_machine_only() -> None:
    listing = AllowList([("http://fhir.example.org/r4", None), ("http://127.0.0.1:80/r4", None)])
    assert listing.find("http://127.0.0.1/r4").base.port == 80
    with pytest.raises(FhirFault, match="not one that may be called"):
        listing.find("http://fhir.example.org/r4")


@pytest.mark.parametrize(
    ("peer", "encrypted", "plain"),
    [
        ("8.8.8.8", True, False),
        ("10.1.2.3", True, False),  # a listed base may be inside the hospital
        ("127.0.0.1", True, True),
        ("::1", True, True),
        ("::ffff:127.0.0.1", True, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("fe80::1%eth0", False, False),
        ("fd00:ec2::254", False, False),
        ("0.0.0.0", False, False),  # noqa: S104 - an address to refuse
        ("::", False, False),
        ("224.0.0.1", False, False),
    ],
)
def test_metadata_addresses_are_never_talked_to_nor_anybody_in_the_clear(
    peer: str, *, encrypted: bool, plain: bool
) -> None:
    assert may_connect(peer, encrypted=True) is encrypted
    assert may_connect(peer, encrypted=False) is plain
