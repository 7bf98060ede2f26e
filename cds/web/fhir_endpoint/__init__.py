"""A small FHIR R4 endpoint over the fixtures: the demo's server and the tests' double.

It reads, searches and pages as a real server does, and on request fails as real servers do.
It is no part of the service's own answers and knows nothing of trials.
"""

from cds.web.fhir_endpoint.app import Logged, create_fhir_app, endpoint_of, serving
from cds.web.fhir_endpoint.dates import shift_dates
from cds.web.fhir_endpoint.faults import Faults
from cds.web.fhir_endpoint.loading import load_fixtures, story_day
from cds.web.fhir_endpoint.store import Store

__all__ = [
    "Faults",
    "Logged",
    "Store",
    "create_fhir_app",
    "endpoint_of",
    "load_fixtures",
    "serving",
    "shift_dates",
    "story_day",
]
