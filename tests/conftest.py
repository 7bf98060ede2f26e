"""What holds for every test: no test is skipped, and hypothesis runs the same way for everybody.

The network outside loopback is closed by pytest-socket, and warnings are errors (pyproject.toml).
"""

import os
from collections.abc import Generator

import hypothesis
import pytest

hypothesis.settings.register_profile("house", deadline=None)
# The same examples on every run: a change is judged by the change, not by luck.
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "house")

_SKIPPED = "A skipped test proves nothing: make what it needs, or move it to a target of its own."


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{_SKIPPED} ({report.longrepr})"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a skipped file into a failed one."""
    report = yield
    if report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"{_SKIPPED} ({report.longrepr})"
    return report
