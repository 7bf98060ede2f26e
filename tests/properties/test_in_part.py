"""A part of a long list of results says what the whole says, in the same words."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds.assess import assess
from cds.core.assessment import assessment_json
from cds.core.when import Evaluation
from cds.fhir.outbound import Deadline, Limits
from cds.fhir.record import Record
from cds.fhir.server import FhirServers
from cds.web.chart import completed_chart
from cds.web.fhir_endpoint import Logged, Store, create_fhir_app, serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn

    from cds.assess import Content
    from cds.fhir.search import Fetched, Search

Json = dict[str, Any]
PAGE = 5
LOINC = "http://loinc.org"
RESULTS: dict[str, Json] = {
    "751-8": {"valueQuantity": {"value": Decimal("0.2"), "unit": "10*9/L", "code": "10*9/L"}},
    "777-3": {"valueQuantity": {"value": 250, "unit": "parsecs"}},
    "1742-6": {"dataAbsentReason": {"text": "clotted"}},
    "56888-1": {"valueString": "negative"},
    "89247-1": {"valueInteger": 1},
    "82810-3": {"valueCodeableConcept": {"text": "not pregnant"}},
    "2106-3": {"valueString": "negative"},
    "3016-3": {"valueQuantity": {"value": 2, "comparator": "<", "unit": "mIU/L"}},
    "85354-9": {
        "component": [
            {
                "code": {"coding": [{"system": LOINC, "code": code}]},
                "valueQuantity": {"value": value, "unit": "mm[Hg]", "code": "mm[Hg]"},
            }
            for code, value in (("8480-6", 190), ("8462-4", 110))
        ]
    },
}
"""By code: a value, and some that cannot be used or are none."""


@st.composite
def results(draw: DrawFn, day: date) -> Json:
    """A result of any age, dated in any of the ways that FHIR has."""
    code = draw(st.sampled_from(sorted(RESULTS)))
    ago = draw(st.one_of(st.integers(-2, 40), st.integers(20, 36), st.integers(0, 4_000)))
    taken = day - timedelta(days=ago)
    dates: list[Json] = [
        {"effectiveDateTime": taken.isoformat()},
        {"effectiveDateTime": f"{taken.isoformat()}T23:30:00-10:00"},
        {"effectiveDateTime": f"{taken.isoformat()}T00:15:00+14:00"},
        {"effectiveDateTime": taken.isoformat()[:7]},
        {"effectiveDateTime": taken.isoformat()[:4]},
        {"effectiveInstant": f"{taken.isoformat()}T12:00:00Z"},
        {"effectivePeriod": {"start": taken.isoformat()}},
        {"effectivePeriod": {"end": taken.isoformat()}},
        {"issued": f"{taken.isoformat()}T12:00:00Z"},
        {},
    ]
    status = draw(st.sampled_from(["final", "final", "final", "amended", "cancelled"]))
    coded = {"code": {"coding": [{"system": LOINC, "code": code}]}, "status": status}
    return {"resourceType": "Observation"} | coded | RESULTS[code] | draw(st.sampled_from(dates))


def said_of(chart: Any, base: str, content: Content, *, narrow: bool) -> Json:
    """Everything that is said of a chart in a server, read whole or in part."""
    asked = Evaluation.of(chart.day)
    limits = Limits(page_size=PAGE, max_pages=1_000, max_requests=10_000)
    servers = FhirServers([(base, None)], narrow=narrow, limits=limits)
    with servers.connect(base, None, Deadline.after(30)) as connection:

        def fetch(wanted: Sequence[Search]) -> list[Fetched]:
            return connection.fetch(chart.patient, wanted)

        record = completed_chart(Record(chart.patient, None, {}, {}, {}), fetch, content, asked)
    return assessment_json(assess(record, content, asked))


@settings(
    derandomize=True,
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_what_is_read_in_part_comes_to_what_is_read_whole(
    data: st.DataObject, charts: Any, content: Any
) -> None:
    chart = data.draw(charts)
    added = data.draw(st.lists(st.tuples(results(chart.day), st.floats(0, 1)), max_size=12))
    store = Store()
    subject = {"reference": f"Patient/{chart.patient}"}
    resources = [entry["resource"] for entry in chart.entries]
    for number, (one, place) in enumerate(added):
        at = round(place * len(resources))
        resources.insert(at, one | {"id": f"added-{number}", "subject": subject})
    for one in resources:
        if isinstance(one.get("id"), str):
            store.put(deepcopy(one))
    log: list[Logged] = []
    with serving(create_fhir_app(store, request_log=log)) as base:
        whole = said_of(chart, base, content, narrow=False)
        before = len(log)
        assert said_of(chart, base, content, narrow=True) == whole
    pages = -(-len(store.of_patient("Observation", chart.patient)) // PAGE)
    narrowed = any("missing" in one.query for one in log[before:])
    assert narrowed is (pages > 3 and any("Observation" in one.path for one in log[before:]))
