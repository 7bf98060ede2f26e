"""What a worker holds of a chart in memory, once its call is answered: nothing."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from cds.core.assessment import Assessment
from cds.core.facts import Facts
from cds.fhir.observations import Results

if TYPE_CHECKING:
    from collections.abc import Callable


def held() -> int:
    return sum(isinstance(one, Facts | Results | Assessment) for one in gc.get_objects())


def test_a_chart_is_gone_with_its_answer_and_waits_for_no_collector(
    service: Callable[..., Any],
) -> None:
    running = service()
    assert running.cards("two-trials")
    gc.collect()
    before = held()
    gc.disable()
    try:
        assert running.cards("desmoid-ready")
        assert running.cards("two-trials")
        assert held() == before
    finally:
        gc.enable()
