"""However a chart is cut into prefetch keys, pages or a batch's answers, it says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds.assess import assess
from cds.core.facts import Retrieval
from cds.core.when import Evaluation
from cds.fhir.record import Record, record_from_fetched, record_from_prefetch
from cds.fhir.retrieved import KINDS
from cds.fhir.search import Fetched, Search

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_few = settings(
    derandomize=True,
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
_KINDS = tuple(KINDS.values())


def _of_kind(chart: Any, kind: str) -> list[Any]:
    return [one for one in chart.entries if one.get("resource", {}).get("resourceType") == kind]


def _cut(data: st.DataObject, entries: Sequence[Any]) -> list[list[Any]]:
    """The entries on up to four pages, none lost."""
    numbers = st.lists(st.integers(0, 3), min_size=len(entries), max_size=len(entries))
    where = data.draw(numbers) if entries else []
    pages: list[list[Any]] = [[] for _ in range(1 + max(where, default=0))]
    for page, entry in zip(where, entries, strict=True):
        pages[page].append(entry)
    return pages


@_few
@given(data=st.data())
def test_a_chart_cut_into_prefetch_keys_says_what_the_file_says(  # noqa: PLR0913 - fixtures
    data: st.DataObject,
    charts: Any,
    content: Any,
    assessed: Callable[..., Any],
    changes: Callable[..., Any],
    bundled: Callable[..., bytes],
) -> None:
    chart = data.draw(charts)
    sent: dict[str, msgspec.Raw] = {}
    for kind in _KINDS:
        for number, page in enumerate(_cut(data, _of_kind(chart, kind))):
            sent[f"{kind}-{number}"] = msgspec.Raw(bundled(page))
    nothing = dict.fromkeys(
        ("conditions", "labs", "vitals", "exam", "survey", "social", "medreq", "medstmt",
         "procedures"),
        msgspec.Raw(b"null"),
    )  # fmt: skip
    sent |= {key: value for key, value in nothing.items() if key not in sent}
    sent["who"] = msgspec.Raw(bundled(_of_kind(chart, "Patient")))
    sent["products"] = msgspec.Raw(bundled(_of_kind(chart, "Medication")))
    keys = data.draw(st.permutations(sorted(sent)))
    record = record_from_prefetch({key: sent[key] for key in keys}, chart.patient)
    assert changes(assessed(chart), _assessed(record, content, chart)) == {}


def _without_strangers(chart: Any) -> Any:
    """The chart without lists that hold nothing of its patient: they are not known to be empty."""
    mine = f"Patient/{chart.patient}"

    def is_own(entry: Any) -> bool:
        resource = entry.get("resource", {})
        return str(resource.get("subject", {}).get("reference", mine)).endswith(mine)

    own = {kind for kind in _KINDS if any(map(is_own, _of_kind(chart, kind)))}
    kept = [
        entry
        for entry in chart.entries
        if (kind := entry.get("resource", {}).get("resourceType")) not in _KINDS or kind in own
    ]
    return chart.having(kept)


@_few
@given(data=st.data())
def test_a_chart_on_several_pages_says_what_the_file_says(  # noqa: PLR0913 - fixtures
    data: st.DataObject,
    charts: Any,
    content: Any,
    assessed: Callable[..., Any],
    changes: Callable[..., Any],
    bundled: Callable[..., bytes],
) -> None:
    chart = _without_strangers(data.draw(charts))
    patient = bundled(_of_kind(chart, "Patient"))
    fetched = [Fetched(Search("Patient"), Retrieval.COMPLETE, (patient,))]
    for kind in (*_KINDS, "Medication"):
        pages = tuple(
            bundled(page, type="searchset", total=len(_of_kind(chart, kind)))
            for page in _cut(data, _of_kind(chart, kind))
        )
        fetched.append(Fetched(Search(kind), Retrieval.COMPLETE, pages))
    record = record_from_fetched(data.draw(st.permutations(fetched)), chart.patient)
    assert changes(assessed(chart), _assessed(record, content, chart)) == {}


@_few
@given(data=st.data())
def test_a_chart_as_a_batch_of_answers_says_what_the_file_says(
    data: st.DataObject, charts: Any, assessed: Callable[..., Any], changes: Callable[..., Any]
) -> None:
    chart = data.draw(charts)
    pages = _cut(data, chart.entries)
    inner = [{"resourceType": "Bundle", "type": "searchset", "entry": page} for page in pages]
    batch = chart.having([{"resource": one} for one in inner])
    assert changes(assessed(chart), assessed(batch)) == {}


def _assessed(record: Record, content: Any, chart: Any) -> Any:
    return assess(record, content, Evaluation.of(chart.day))


@pytest.mark.parametrize("lost", [{"subject": 5}, {"code": {"text": "whose is it"}}])
def test_an_entry_lost_in_one_key_is_not_made_up_for_by_another(
    lost: dict[str, Any], told: Any, bundled: Callable[..., bytes]
) -> None:
    """Two keys may each claim all Conditions and hold a part of them only."""
    chart = next(one for one in told if one.story == "desmoid-ready")
    broken = {"resource": {"resourceType": "Condition", "id": "lost", **lost}}
    conditions = _of_kind(chart, "Condition")
    sent = {
        "problems": msgspec.Raw(bundled([*conditions[:1], broken])),
        "encounter-diagnoses": msgspec.Raw(bundled(conditions[1:] or conditions)),
    }
    record = record_from_prefetch(sent, chart.patient)
    assert record.covered("Condition").state is Retrieval.PARTIAL
