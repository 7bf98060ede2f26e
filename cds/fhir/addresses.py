"""Which addresses may be called: FHIR bases compared after normalisation, nothing outside them.

A server chooses its own `next` links, so whatever it answers is untrusted here. An address is taken
apart once, everything ambiguous is refused, and what is called is built from the parts that were
compared: no second parser can read another host into it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import idna

from cds.fhir.faults import FhirFault, Why

if TYPE_CHECKING:
    from collections.abc import Iterable

_PORTS = {"http": 80, "https": 443}
# Controls, blanks, and characters that parsers read in different ways.
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f\\<>\"^`{}]")
_HOST = re.compile(r"[a-z0-9]([a-z0-9_.\-]*[a-z0-9])?", re.ASCII)
_AWS_METADATA = IPv6Address("fd00:ec2::254")


class Address(NamedTuple):
    """An http(s) URL in comparable parts; a query is without `?`, a base without closing slash."""

    scheme: str
    host: str
    port: int
    path: str
    query: str = ""

    def within(self, base: Address) -> bool:
        """Whether this is the base itself or lies below it."""
        same_origin = self[:3] == base[:3]
        return same_origin and (self.path == base.path or self.path.startswith(f"{base.path}/"))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}{'?' if self.query else ''}{self.query}"


def read_address(url: str) -> Address:
    """Normalise an absolute URL.

    Raises:
        FhirFault: not http(s), a user name in it, dot segments in any spelling, or ambiguous.
    """
    if _AMBIGUOUS.search(url):
        raise FhirFault(Why.BAD_ADDRESS)
    parts, host, port = _take_apart(url)
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or port == 0 or "@" in parts.netloc or _has_dot_segment(parts.path):
        raise FhirFault(Why.BAD_ADDRESS)
    return Address(scheme, host, port or _PORTS[scheme], parts.path, parts.query)


def read_base(url: str) -> Address:
    """Normalise the URL of a FHIR base, which has neither query nor closing slash.

    Raises:
        FhirFault: BAD_ADDRESS.
    """
    address = read_address(url)
    if address.query:
        raise FhirFault(Why.BAD_ADDRESS)
    return address._replace(path=address.path.rstrip("/"))


def _take_apart(url: str) -> tuple[SplitResult, str, int | None]:
    try:
        parts = urlsplit(url)
        return parts, _read_host(parts.hostname or ""), parts.port
    except (ValueError, UnicodeError):
        pass  # whose text repeats the address; what we raise must not remember it
    raise FhirFault(Why.BAD_ADDRESS)


def _read_host(host: str) -> str:
    """A host in its one spelling: lower case, IDN as ASCII, IP addresses compressed."""
    try:
        return str(ip_address(host))
    except ValueError:
        pass  # a name
    name = host.rstrip(".").lower()
    if not name.isascii():
        name = idna.encode(name, uts46=True).decode("ascii")
    # A last label of digits is an IPv4 address in a disguise (127.1, 0x7f.1, 2130706433).
    last = name.rpartition(".")[2]
    if not _HOST.fullmatch(name) or re.match(r"\d|0x", last):
        message = "no host"
        raise ValueError(message)
    return name


def _has_dot_segment(path: str) -> bool:
    """`.` or `..` between slashes, however often they were percent-encoded."""
    for _ in range(4):
        if any(segment in {".", ".."} for segment in re.split(r"[/\\;]", path)):
            return True
        decoded = unquote(path)
        if decoded == path:
            return False
        path = decoded
    return True


@dataclass(frozen=True, slots=True)
class AllowedBase:
    """A FHIR base that may be called, and the other addresses by which it names itself."""

    base: Address
    aliases: tuple[Address, ...] = ()

    def admit(self, url: str) -> str:
        """The URL to call: inside this base, an alias rewritten to it, without fragment.

        A relative one counts from the base.

        Raises:
            FhirFault: it lies outside.
        """
        address = read_address(_absolute(self.base, url))
        for alias in self.aliases:
            if address.within(alias):
                path = self.base.path + address.path[len(alias.path) :]
                address = self.base._replace(path=path, query=address.query)
        if not address.within(self.base):
            raise FhirFault(Why.OUTSIDE)
        return str(address)


def _absolute(base: Address, url: str) -> str:
    # urljoin drops some characters silently, so that they must be looked for before.
    try:
        return "" if _AMBIGUOUS.search(url) else urljoin(f"{base}/", url)
    except ValueError:
        return ""  # no address at all, as reading it will say


class AllowList:
    """The FHIR bases that may be called at all."""

    def __init__(self, bases: Iterable[tuple[str, str | None]]) -> None:
        """Take pairs of base and alias (None: no alias); a base may be there with several."""
        aliases: dict[Address, list[Address]] = {}
        for base, alias in bases:
            known = aliases.setdefault(read_base(base), [])
            if alias is not None:
                known.append(read_base(alias))
        self._bases = {base: AllowedBase(base, tuple(others)) for base, others in aliases.items()}

    def find(self, url: str) -> AllowedBase:
        """The listed base that a client named, by its own address or an alias.

        Raises:
            FhirFault: no such base is listed, or it is http and not this machine.
        """
        address = read_base(url)
        for allowed in self._bases.values():
            if address in {allowed.base, *allowed.aliases}:
                if allowed.base.scheme == "http" and not _names_loopback(allowed.base.host):
                    raise FhirFault(Why.NOT_LISTED)
                return allowed
        raise FhirFault(Why.NOT_LISTED)


def _names_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def may_connect(peer: str, *, encrypted: bool) -> bool:
    """Whether a resolved IP address may be talked to.

    A listed base may resolve to a private address. Link-local addresses (where clouds keep their
    metadata) never hold a chart, nor do multicast or unspecified ones; unencrypted requests stay
    on this machine whatever the name resolves to.
    """
    address: IPv4Address | IPv6Address = ip_address(peer.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return address != _AWS_METADATA and (encrypted or address.is_loopback)
