"""The schema of trial.yaml."""

from __future__ import annotations

from cds.content.schemas.parts import (
    Schema,
    agreed,
    day,
    described,
    document,
    list_of,
    pattern,
    span,
    table,
    text,
)
from cds.content.trial_head import (
    EFFECTIVE_KEYS,
    MAY_BE_TARGET_KEYS,
    RECRUITMENT_KEYS,
    REQUIRED_KEYS,
    SHORT_TITLE,
    SIGN_OFF_KEYS,
    SOURCE_KEYS,
    TRIAL_ID,
    TRIAL_KEYS,
    VERSION,
)


def trial_schema() -> Schema:
    """Identity, recruitment, source, sign-off, and the words that are no criterion."""
    keys = {
        "id": described(pattern(TRIAL_ID), "the registry's number, the folder's name"),
        "version": described(
            pattern(VERSION),
            "of these criteria: the first number for a change of who can be enrolled",
        ),
        "title": described(text(), "the registry's title"),
        "short_title": described(
            {**text(), "maxLength": SHORT_TITLE}, f"on cards; at most {SHORT_TITLE} characters"
        ),
        "sponsor": described(text(), "the sponsor"),
        "url": described(pattern(r"https?://\S+"), "the registry's page"),
        "source": described(_source(), "what the criteria were read from"),
        "recruitment": described(_recruitment(), "the registry's recruitment status, and its date"),
        "effective": described(_effective(), "when this version of the protocol is in force"),
        "target": described(text(), "the criterion of the target diagnosis; without it, no card"),
        "may_be_target": described(
            _may_be_target(), "findings that leave open whether they are the target diagnosis"
        ),
        "look_back": described(span(), "how long results count where a criterion does not say"),
        "not_criteria": described(
            list_of(table({"text": text(), "reason": text()}, ["text", "reason"])),
            "words of the eligibility section that ask nothing, and why",
        ),
        "sign_off": described(list_of(_sign_off()), "who reviewed it; trial-cds sign writes it"),
    }
    whole = table(agreed(keys, TRIAL_KEYS, "a trial"), [*REQUIRED_KEYS, "recruitment"])
    return document("Identity of a trial (trial.yaml)", whole)


def _source() -> Schema:
    keys = {
        "page": described(text(), "where it was read"),
        "read": described(day(), "when it was read"),
        "sha256": described(text(), "the digest of the saved page"),
    }
    return table(agreed(keys, SOURCE_KEYS, "a source"))


def _recruitment() -> Schema:
    keys = {
        "status": described(text(), "in the registry's word"),
        "recruiting": described({"enum": ["yes", "no", True, False]}, "yes or no"),
        "as_of": described(day(), "the day on which the registry said so"),
    }
    return table(agreed(keys, RECRUITMENT_KEYS, "recruitment"), sorted(keys))


def _effective() -> Schema:
    keys = {
        "from": described(day(), "the first day"),
        "until": described(day(), "the last day; left out while it goes on"),
    }
    return table(agreed(keys, EFFECTIVE_KEYS, "effective"), ["from"])


def _may_be_target() -> Schema:
    keys = {
        "findings": described(list_of(text()), "concepts whose codes or names leave it open"),
        "except": described(list_of(text()), "concepts that say it is something else"),
        "source": described(text(), "why they leave it open"),
    }
    return table(agreed(keys, MAY_BE_TARGET_KEYS, "may_be_target"), ["findings", "source"])


def _sign_off() -> Schema:
    keys = {
        "role": described(text(), "such as principal investigator"),
        "by": described(text(), "the name"),
        "date": described(day(), "the day of the signature"),
        "digest": described(
            pattern(r"sha256:[0-9a-f]{64}"), "of what was signed; trial-cds sign writes it"
        ),
    }
    return table(agreed(keys, SIGN_OFF_KEYS, "a sign-off"), SIGN_OFF_KEYS)
