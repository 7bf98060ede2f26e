"""Every setting of trial-cds: one environment variable each, typed, with its meaning and default.

`load_settings` reads them once at the start; a wrong value stops it with one sentence. The same
meanings and defaults stand in docs/settings.md, which a test compares with this file.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from dataclasses import dataclass, field, fields
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "TRIAL_CDS_"
DIALECTS = ("generic", "epic", "oracle", "hapi")
_TEST_PREFIX = "TRIAL_CDS_TEST_"  # these belong to the test suites, not to the service
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})
_SKIPPABLE = ("MedicationAdministration", "MedicationRequest", "MedicationStatement")


class SettingsFault(Exception):  # noqa: N818 - the word for the faults of content files too
    """A setting cannot be used; its text is one sentence: which, why, and what to write instead."""


class FhirBase(NamedTuple):
    """A FHIR base URL that may be called; `alias` is how that server's own links name it."""

    base: str
    alias: str | None = None


# Readers: text of the variable → value; ValueError says what is wrong and what to write.


def _folders(text: str) -> tuple[Path, ...]:
    folders = tuple(Path(part) for part in text.split(os.pathsep) if part)
    for folder in folders:
        if not folder.is_dir():
            message = f"'{folder}' is no folder; name folders that hold mappings/ and trials/"
            raise ValueError(message)
    return folders


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        message = f"'{path}' is no folder; name one that exists"
        raise ValueError(message)
    return path


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        message = f"'{path}' is no file; name a file that exists"
        raise ValueError(message)
    return path


def _target(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        message = f"'{path}' is no file that could be written; name one in a folder that exists"
        raise ValueError(message)
    return path


def _web_address(text: str) -> SplitResult:
    """Split an http(s) URL without userinfo, query or fragment; the text itself is not echoed."""
    try:
        parts = urlsplit(text)
        sound = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
        parts = urlsplit("")
    if not sound or parts.scheme.lower() not in {"http", "https"} or re.search(r"\s", text):
        message = "an address is not of the form https://host/path; write it in full"
        raise ValueError(message)
    if "@" in parts.netloc or parts.query or parts.fragment or "?" in text or "#" in text:
        message = "an address holds a user name, '?' or '#'; write only https://host/path"
        raise ValueError(message)
    return parts


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine only."""
    name = host.strip("[]").lower().rstrip(".")
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _fhir_bases(text: str) -> tuple[FhirBase, ...]:
    bases = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        base, equals, alias = (part.strip() for part in entry.partition("="))
        address = _web_address(base)
        if address.scheme.lower() != "https" and not is_loopback(address.hostname or ""):
            message = f"the FHIR server {address.hostname} is named with http; write https"
            raise ValueError(message)
        if equals:
            _web_address(alias)
        bases.append(FhirBase(base, alias or None))
    return tuple(bases)


def _address(text: str) -> str:
    _web_address(text)
    return text.rstrip("/")


def _database(text: str) -> str:
    # The text may hold a password and is never repeated.
    if not re.match(r"[a-z][a-z0-9_]*(\+[a-z0-9_]+)?://", text):
        message = "it is no SQLAlchemy URL; write for example postgresql+psycopg://user@host/name"
        raise ValueError(message)
    return text


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (OSError, ValueError, KeyError):
        message = f"'{text}' is no IANA time zone; write for example Europe/Vienna"
        raise ValueError(message) from None


def _day(text: str) -> date:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass  # said below, in the same words as for another form
    message = f"'{text}' is no calendar date; write it as 2026-03-01"
    raise ValueError(message)


def _switch(text: str) -> bool:
    word = text.lower()
    if word not in _YES | _NO:
        message = f"'{text}' is neither yes nor no; write yes or no"
        raise ValueError(message)
    return word in _YES


def _batch(text: str) -> str:
    if text.lower() not in {"auto", "yes", "no"}:
        message = f"'{text}' is none of auto, yes and no; write one of them"
        raise ValueError(message)
    return text.lower()


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if re.fullmatch(r"\d{1,12}", text, re.ASCII) and low <= int(text) <= high:
            return int(text)
        message = f"'{text}' is no whole number from {low} to {high}; write one"
        raise ValueError(message)

    return read


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text, re.ASCII) and low <= float(text) <= high:
            return float(text)
        message = f"'{text}' is no number of seconds from {low:g} to {high:g}; write one"
        raise ValueError(message)

    return read


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,]+", text) if word]


def _trials(text: str) -> tuple[str, ...]:
    for word in _words(text):
        if not re.fullmatch(r"NCT\d{8}", word, re.ASCII):
            message = f"'{word}' is no registry number; write for example NCT05490667"
            raise ValueError(message)
    return tuple(_words(text))


def _types(text: str) -> tuple[str, ...]:
    for word in _words(text):
        if word not in _SKIPPABLE:
            message = f"'{word}' is not one of {', '.join(_SKIPPABLE)}; write one of them"
            raise ValueError(message)
    return tuple(_words(text))


def _dialect(text: str) -> str:
    if text.lower() not in DIALECTS:
        message = f"'{text}' is not one of {', '.join(DIALECTS)}; write one of them"
        raise ValueError(message)
    return text.lower()


def _header_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", text, re.ASCII):
        message = "it is no name of an HTTP header; write for example X-Remote-User"
        raise ValueError(message)
    return text


def _origins(text: str) -> tuple[str, ...]:
    for word in _words(text):
        address = _web_address(word)
        if address.path not in {"", "/"} or re.search(r"[;'\"]", word):
            message = "an origin has no path; write only https://host"
            raise ValueError(message)
    return tuple(word.rstrip("/") for word in _words(text))


def _coded(text: str) -> tuple[str, ...]:
    found = tuple(filter(None, (part.strip() for part in text.split(","))))
    for one in found:
        system, bar, code = one.rpartition("|")
        if not (system and bar and code):
            message = "a code is written with its system, for example http://example.org/flags|R1"
            raise ValueError(message)
    return found


def default_database_url(env: Mapping[str, str]) -> str:
    """SQLite in the user's data folder, where this system keeps such folders.

    Raises:
        SettingsFault: the user has no home folder.
    """
    named = env.get("XDG_DATA_HOME", "")
    try:
        if named:
            folder = Path(named)
        elif sys.platform == "darwin":
            folder = Path.home() / "Library" / "Application Support"
        else:
            folder = Path.home() / ".local" / "share"
    except RuntimeError:
        message = (
            "TRIAL_CDS_DATABASE_URL: this user has no home folder to keep a store in; "
            "write where it shall be, for example sqlite:////var/lib/trial-cds/store.db."
        )
        raise SettingsFault(message) from None
    return f"sqlite:///{folder / 'trial-cds' / 'store.db'}"


def _setting(read: Callable[[str], object], doc: str, default: object) -> Any:  # noqa: ANN401
    """A field that knows how its variable is read and what it means."""
    return field(default=default, metadata={"read": read, "doc": doc})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says; the variable of `near_days` is `TRIAL_CDS_NEAR_DAYS`."""

    content: tuple[Path, ...] = _setting(
        _folders, "content folders, later ones override earlier; none: the bundled ones", ()
    )
    compiled: Path | None = _setting(  # noqa: RUF009 - it only makes a dataclass field
        _folder, "folder with compiled trials, used where they match the content", None
    )
    fhir_allow: tuple[FhirBase, ...] = _setting(
        _fhir_bases, "FHIR base URLs that may be called, `base=alias` for another address", ()
    )
    clients: Path | None = _setting(  # noqa: RUF009 - it only makes a dataclass field
        _file, "file with the trusted CDS clients; none: loopback only", None
    )
    public_url: str | None = _setting(
        _address, "the address that clients use; none: the bound one", None
    )
    database_url: str = _setting(
        _database, "SQLAlchemy URL of the store; empty: none was looked up", ""
    )
    timezone: ZoneInfo = _setting(  # noqa: RUF009 - it only makes a dataclass field
        _zone, "zone in which a day begins and ends", ZoneInfo("UTC")
    )
    on: date | None = _setting(  # noqa: RUF009 - it only makes a dataclass field
        _day, "a fixed evaluation date for demonstrations", None
    )
    allow_no_trust: bool = _setting(
        _switch, "listen beyond loopback although no client is configured", default=False
    )
    deadline_seconds: float = _setting(
        _seconds(0.1, 60), "time for one hook call, FHIR requests included", 4.0
    )
    max_body_bytes: int = _setting(
        _whole(1_000, 1_000_000_000), "largest request that is taken", 16_000_000
    )
    max_resources: int = _setting(
        _whole(10, 10_000_000), "resources that one request may hold", 20_000
    )
    client_rate: int = _setting(
        _whole(1, 100_000), "calls a second of one client to one process", 100
    )
    research_records: bool = _setting(
        _switch, "ask the EHR for research subjects, consents and flags", default=False
    )
    refusal_flags: tuple[str, ...] = _setting(
        _coded, "codes of Flags that refuse contact about research, as system|code", ()
    )
    page_minutes: int = _setting(
        _whole(0, 1_440), "how long the link to the page behind a card lasts; 0: no links", 15
    )
    page_sign_on: str | None = _setting(
        _header_name, "header in which the hospital's sign-on names who reads a page", None
    )
    frame_ancestors: tuple[str, ...] = _setting(
        _origins, "origins that may show the page in a frame", ()
    )
    launch: Path | None = _setting(  # noqa: RUF009 - it only makes a dataclass field
        _file, "file with the EHRs that may launch the page (SMART App Launch)", None
    )
    attestation_days: int = _setting(
        _whole(0, 365), "days for which an answer on the page counts; 0: nobody can answer", 28
    )
    switches: Path | None = _setting(  # noqa: RUF009 - it only makes a dataclass field
        _file, "file of switches: shadow mode, trials off, contacts; read again on change", None
    )
    site_keys: Path | None = _setting(  # noqa: RUF009 - it only makes a dataclass field
        _file, "file of the keys under which patients stand in the store; none: made", None
    )
    unmasked_records: bool = _setting(
        _switch, "decision records name the patient and hold values, reasons, dates", default=False
    )
    keep_inputs: bool = _setting(
        _switch,
        "keep what was read for each call, encrypted, so that it can be replayed",
        default=False,
    )
    retention_days: int = _setting(
        _whole(0, 36_500), "days that records and feedback are kept; 0: for ever", 400
    )
    mute_overridden: bool = _setting(
        _switch, "an overridden card stays away until the determination changes", default=True
    )
    not_now_days: int = _setting(
        _whole(0, 3_650), "days after which a card overridden with 'not now' may come again", 7
    )
    audit_file: Path | None = _setting(  # noqa: RUF009 - it only makes a dataclass field
        _target, "file that gets one AuditEvent for each access to a chart; none: none", None
    )
    keep_comments: bool = _setting(_switch, "keep the free text of users' feedback", default=False)
    max_response_bytes: int = _setting(
        _whole(1_000, 1_000_000_000), "largest FHIR answer that is read, unpacked", 16_000_000
    )
    max_pages: int = _setting(_whole(1, 10_000), "pages that one FHIR search may have", 50)
    max_requests: int = _setting(
        _whole(1, 100_000), "FHIR requests that one hook call may make", 200
    )
    fhir_page_size: int = _setting(_whole(1, 1_000), "entries asked for per page", 200)
    fhir_pause_seconds: float = _setting(
        _seconds(0, 3_600), "how long a FHIR server that keeps failing is left alone", 30.0
    )
    ca_bundle: Path | None = _setting(  # noqa: RUF009 - it only makes a dataclass field
        _file, "certificates that FHIR servers' certificates are checked against", None
    )
    fhir_batch: str = _setting(
        _batch, "whether FHIR searches are sent as one batch: auto, yes or no", "auto"
    )
    fhir_parts: str = _setting(
        _batch, "whether of long FHIR lists only what matters is read: auto, yes or no", "auto"
    )
    not_kept: tuple[str, ...] = _setting(
        _types, "medication resource types that the FHIR servers do not keep", ()
    )
    dialect: str = _setting(
        _dialect, f"EHR whose habits are assumed of a client: {', '.join(DIALECTS)}", "generic"
    )
    near_days: int = _setting(
        _whole(0, 365), "an ineligible trial that clears within so many days gives a card", 30
    )
    show_all: bool = _setting(_switch, "cards for ineligible trials too", default=False)
    trials_off: tuple[str, ...] = _setting(_trials, "trials that give no card", ())
    workers: int = _setting(_whole(1, 256), "processes that answer", 2)
    threads: int = _setting(_whole(1, 256), "calls that each process answers at the same time", 32)


def variable(setting: str) -> str:
    """The environment variable of a field of Settings."""
    return PREFIX + setting.upper()


def load_settings(env: Mapping[str, str]) -> Settings:
    """Read all settings; a variable that is empty counts as left out.

    Raises:
        SettingsFault: the first value that cannot be used, or a TRIAL_CDS_ variable that is none.
    """
    _refuse_unknown(env)
    values: dict[str, object] = {}
    for one in fields(Settings):
        text = env.get(variable(one.name), "").strip()
        if text:
            values[one.name] = _read(one.name, one.metadata["read"], text)
    if "database_url" not in values:
        values["database_url"] = default_database_url(env)
    return Settings(**values)  # type: ignore[arg-type]  # each reader gives its field's type


def _read(name: str, read: Callable[[str], object], text: str) -> object:
    try:
        return read(text)
    except ValueError as problem:
        message = f"{variable(name)}: {problem}."
        raise SettingsFault(message) from None


def _refuse_unknown(env: Mapping[str, str]) -> None:
    """A misspelt TRIAL_CDS_CLIENTS must not mean 'nobody is configured'."""
    known = [variable(one.name) for one in fields(Settings)]
    for name in sorted(env):
        if name.startswith(PREFIX) and name not in known and not name.startswith(_TEST_PREFIX):
            near = difflib.get_close_matches(name, known, n=1)
            cure = f"did you mean {near[0]}?" if near else "docs/settings.md lists them all."
            message = f"{name}: no setting has this name; {cure}"
            raise SettingsFault(message)


def check_listening(settings: Settings, host: str) -> None:
    """Refuse to serve a host in a way that the settings make unsafe.

    Raises:
        SettingsFault: a fixed date, no trusted clients, or no public address, on more than
            loopback.
    """
    local = is_loopback(host)
    if settings.on is not None and (not local or settings.clients is not None):
        message = (
            "TRIAL_CDS_ON: a fixed evaluation date is for demonstrations only; unset it, or listen "
            "on 127.0.0.1 without TRIAL_CDS_CLIENTS."
        )
        raise SettingsFault(message)
    if not local and settings.clients is None and not settings.allow_no_trust:
        message = (
            f"TRIAL_CDS_CLIENTS: nobody is trusted yet and '{host}' can be reached by others; "
            "name the file of trusted clients, listen on 127.0.0.1, or set "
            "TRIAL_CDS_ALLOW_NO_TRUST=yes."
        )
        raise SettingsFault(message)
    if not local and settings.launch is not None and settings.public_url is None:
        message = (
            "TRIAL_CDS_PUBLIC_URL: browsers come back to an address that was registered, and "
            f"'{host}' is none; write it, for example https://cds.example.org."
        )
        raise SettingsFault(message)
    if not local and settings.clients is not None and settings.public_url is None:
        message = (
            "TRIAL_CDS_PUBLIC_URL: the tokens of clients name the address that they call, and "
            f"'{host}' is none; write it, for example https://cds.example.org."
        )
        raise SettingsFault(message)
