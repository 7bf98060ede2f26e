"""What is counted for Prometheus: requests, how long hooks take, cards by trial and verdict.

No label names a patient, a client or a resource. With several worker processes the counts live in
a folder that `PROMETHEUS_MULTIPROC_DIR` names before this module is imported, and every worker
answers for all of them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONTENT_TYPE = CONTENT_TYPE_LATEST
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)

REQUESTS = Counter("trial_cds_requests", "HTTP requests answered.", ["route", "status"])
HOOK_SECONDS = Histogram(
    "trial_cds_hook_seconds", "Time to answer a patient-view hook.", buckets=_SECONDS
)
CARDS = Counter("trial_cds_cards", "Cards given, by what they are about.", ["topic"])
CALLS_WITHOUT_CARD = Counter("trial_cds_calls_without_card", "Hook calls answered with no card.")


def count_cards(cards: Iterable[Mapping[str, Any]]) -> None:
    """Count the cards of one answer by their fixed topic, which names trial and verdict."""
    topics = [card["source"]["topic"]["code"] for card in cards]
    for topic in topics:
        CARDS.labels(topic).inc()
    if not topics:
        CALLS_WITHOUT_CARD.inc()


def exposition() -> bytes:
    """Everything counted so far by all workers, in Prometheus' text format."""
    if _FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget_worker(pid: int) -> None:
    """A worker process has ended; what it counted stays."""
    if _FOLDER in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]
