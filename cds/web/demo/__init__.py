"""The demo EHR: charts of invented patients that fire the real hook and show its cards.

It is a client of the service like any EHR: it calls the service over HTTP from the browser and
knows nothing of criteria.
"""

from cds.web.demo.app import Demo, create_demo_app
from cds.web.demo.clock import DemoClock
from cds.web.demo.run import demo_running, run_demo

__all__ = ["Demo", "DemoClock", "create_demo_app", "demo_running", "run_demo"]
