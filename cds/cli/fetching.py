"""A study fetched from the registry, where the network allows it."""

from __future__ import annotations

import re

from cds.cli.site import stop

REGISTRY = "https://clinicaltrials.gov/api/v2/studies/"
IS_ID = re.compile(r"NCT\d{8}")
_MOST_BYTES = 5_000_000
_SECONDS = 5, 20


def fetched_study(trial: str) -> bytes:
    """The study as the registry's API gives it; stops with one sentence where it does not."""
    import requests

    url = f"{REGISTRY}{trial}"
    otherwise = f"Save {url} as a file and give that, or copy the page into a text file."
    try:
        with requests.get(url, timeout=_SECONDS, allow_redirects=False, stream=True) as answer:
            if answer.status_code != requests.codes.ok:
                stop(f"clinicaltrials.gov answers {answer.status_code} for {trial}. {otherwise}")
            data = answer.raw.read(_MOST_BYTES + 1, decode_content=True)
    except (requests.RequestException, OSError):
        stop(f"clinicaltrials.gov cannot be reached from here. {otherwise}")
    if len(data) > _MOST_BYTES:
        stop(f"{trial} is larger than any study. {otherwise}")
    return bytes(data)
