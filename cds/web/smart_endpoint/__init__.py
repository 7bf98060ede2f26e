"""A small EHR that launches: a SMART authorization server before the embedded FHIR endpoint.

It does what SMART App Launch 2.2 asks of a server, refuses what it must refuse, and on request
fails as real ones do. The tests' double, and the demo's; no part of the service's own answers.
"""

from cds.web.smart_endpoint.app import (
    CONFIGURATION,
    create_oauth_app,
    create_smart_app,
    launch_address,
)
from cds.web.smart_endpoint.authorizing import Authorizing, Behaviour, Registered

__all__ = [
    "CONFIGURATION",
    "Authorizing",
    "Behaviour",
    "Registered",
    "create_oauth_app",
    "create_smart_app",
    "launch_address",
]
