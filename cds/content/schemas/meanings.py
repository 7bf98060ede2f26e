"""What each key of a form, and of a fact in a case, means: shown by editors, and in the docs.

The empty key is the head of the form itself. A test compares these with docs/adding-a-trial.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OF_FORMS: Mapping[tuple[str, str], str] = {
    ("age", ""): "`age: completed years`",
    ("age", "at_least"): "completed years, the bound included",
    ("age", "at_most"): "completed years, the bound included",
    ("sex", ""): "`any`, `male` or `female`",
    (
        "sex",
        "unrecorded",
    ): "`no`: who is not recorded as male or female does not count; otherwise unknown",
    ("lab", ""): "a concept or a list of them; the newest usable result counts",
    (
        "lab",
        "at_least",
    ): "`1.5 10*9/L`, `1.5 ULN`, `ULN + 4 s`, or `{male: 450 ms, female: 470 ms}`",
    ("lab", "at_most"): "the same, from above, the bound included",
    ("lab", "above"): "the same, the bound left out",
    ("lab", "below"): "the same, the bound left out",
    ("lab", "is"): "`positive`: in place of a bound",
    ("lab", "look_back"): "`28 days`, `6 months` or `ever`; otherwise the trial's",
    ("lab", "any_result"): "`yes`: one such result at any time is enough",
    ("lab", "none"): "what no usable result means: `no` or `review`; otherwise unknown",
    ("lab", "undecided"): "`review`: a result that does not settle it is for a human",
    ("finding", ""): "a concept or a list of them",
    ("finding", "when"): "`active`, or `ever` for a history of it",
    ("finding", "resolved"): "how a resolved one weighs: `review` (so if left out) or `no`",
    ("finding", "within"): "the onset lies in this time; an entry without a date is unknown",
    ("finding", "older"): "how one before that weighs: `no` (so if left out) or `review`",
    ("finding", "ended_within"): "it is active, or ended in this time",
    ("finding", "except"): "entries that also meet one of these concepts do not count",
    ("procedure", ""): "a concept or a list of them",
    ("procedure", "within"): "done in this time, its last day included",
    ("procedure", "at_least_after"): "true when it was done at least so long ago, or never",
    ("procedure", "when"): "`ever`",
    ("procedure", "older"): "how one before `within` weighs: `no` or `review`",
    ("procedure", "except"): "entries that also meet one of these concepts do not count",
    ("medication", ""): "a concept or a list of them",
    ("medication", "washout"): 'taken in this time: "within 12 days", the twelfth day included',
    (
        "medication",
        "at_least_after",
    ): "true when the last use was at least so long ago: day 21 of 21 is enough",
    ("medication", "when"): "`ever` or `current`",
    ("medication", "distinct"): "so many different drugs at a time",
    ("medication", "planned"): "`counts`: an order for a later day counts too",
    ("medication", "except"): "entries that also meet one of these concepts do not count",
    ("review", ""): "the question for the human",
    ("review", "about"): "what it is about, where not the criterion itself",
    ("review", "show"): "forms whose evidence is shown with the question",
    ("all_of", ""): "a list of forms that must all hold",
    ("any_of", ""): "a list of forms of which one is enough",
    ("not", ""): "a form that must not hold",
}

OF_FACTS: Mapping[tuple[str, str], str] = {
    ("age", ""): "completed years, or `unknown`",
    ("born", ""): "a date, also in part: `2014`",
    ("sex", ""): "`female`, `male`, `other`, `unknown`",
    ("deceased", ""): "`yes`",
    ("lab", ""): "a lab, vital sign or score",
    (
        "lab",
        "value",
    ): (
        "`1.5 10*9/L`, `<0.5 10*9/L`, `positive`, `negative`, `indeterminate`, `2 "
        "{plus}`, `positive without grade`, `55 to 60 %`"
    ),
    ("lab", "taken"): "when; the day of the case if left out",
    ("lab", "issued"): "when it was issued",
    ("lab", "uln"): "its upper limit of normal, or a list of `{high, sex, age_from, age_to}`",
    ("lab", "gap"): "why it cannot be used: `unit`, `implausible`, `no-value`, `date`",
    ("lab", "skipped"): "why it is passed over: `preliminary`",
    ("finding", ""): "a condition",
    ("finding", "onset"): "when it began",
    ("finding", "recorded"): "when it was written down",
    (
        "finding",
        "status",
    ): (
        "`active`, `recurrence`, `relapse`, `resolved`, `inactive`, `remission`; not "
        "stated if left out"
    ),
    ("finding", "ended"): "when it ended",
    ("finding", "verification"): "`unconfirmed`, `provisional`, `differential`",
    ("finding", "verified"): "`no`: its code is not verified",
    ("finding", "history"): '`yes`: its code says "history of"',
    ("finding", "also"): "further concepts that the same entry meets",
    ("finding", "named"): "further concepts that the entry's words name and no code decides",
    ("finding", "display"): "its name as recorded",
    ("procedure", ""): "a procedure",
    ("procedure", "done"): "a day, or `[first, last]`",
    ("procedure", "status"): "`in-progress`, `unknown`",
    ("procedure", "verified"): "`no`: its code is not verified",
    ("procedure", "also"): "further concepts that the same entry meets",
    ("procedure", "display"): "its name as recorded",
    ("medication", ""): "a drug",
    ("medication", "drug"): "its ingredient",
    ("medication", "last_taken"): "the last day of use",
    ("medication", "from"): "the first day",
    ("medication", "to"): "the last day",
    ("medication", "status"): "`active`, `completed`, `stopped`, `on-hold`, `unknown`",
    ("medication", "supply_until"): "the last day that a stopped order without an end could cover",
    ("medication", "local"): "`yes`: for local use only",
    ("medication", "flush"): "`yes`: a flush or lock strength",
    ("medication", "route"): "`not recorded`",
    ("medication", "verified"): "`no`: that it belongs to the class is not verified",
    ("medication", "also"): "further concepts that the same entry meets",
    ("medication", "display"): "its name as recorded",
    ("unrecognised_drug", ""): "a drug entry that nobody could recognise",
    ("unrecognised_drug", "from"): "the first day",
    ("unrecognised_drug", "to"): "the last day",
    ("unrecognised_drug", "last_taken"): "the last day of use",
    ("unrecognised_drug", "status"): "as of a medication",
    ("unrecognised_drug", "local"): "`yes`: for local use only",
    ("not_read", ""): "a resource type that was not retrieved: `Condition`",
    ("partly_read", ""): "one that was retrieved in part",
    ("cut_off", ""): "one whose list was cut off: newer entries may exist that nobody saw",
    ("not_kept", ""): "one that is not kept there",
}
