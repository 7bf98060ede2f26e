"""What each story was written to show is what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cds.core.criterion import Status

if TYPE_CHECKING:
    from cds.core.assessment import Assessment
    from cds.core.criterion import Determination


def said(determination: Determination, expected: dict[str, Any]) -> dict[str, Any]:
    """What a determination says about everything that a story expects of it."""
    ids = {status: [d.criterion.id for d in determination.with_status(status)] for status in Status}
    dates = {d.criterion.id: str(d.clears_on) for d in determination.decisions}
    said: dict[str, Any] = {}
    for key, value in expected.items():
        if key == "overall":
            said[key] = determination.overall.value
        elif key == "clears_on":
            said[key] = None if determination.clears_on is None else str(determination.clears_on)
        elif key == "criterion_clears_on":
            said[key] = {one: dates.get(one) for one in value}
        elif key.endswith("_includes"):
            found = ids[Status(key.removesuffix("_includes"))]
            said[key] = [one for one in value if one in found]
        else:
            said[key] = sorted(ids[Status(key)])
    return said


def normal(expected: dict[str, Any]) -> dict[str, Any]:
    """The expectation with its lists of ids sorted."""
    return {
        key: sorted(value) if isinstance(value, list) and not key.endswith("_includes") else value
        for key, value in expected.items()
    }


def test_each_story_ends_as_it_was_written(story: Any, assessment: Assessment) -> None:
    """Overall, what fails, what is unknown, and until when."""
    expected = story.told["expect"]
    got = {d.trial.id: said(d, expected[d.trial.id]) for d in assessment.determinations}
    assert got == {trial: normal(one) for trial, one in expected.items() if trial in got}
    assert bool(got) == (not assessment.deceased)
