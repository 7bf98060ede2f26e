"""Drafting a trial from a registry's text.

A sentence gets a computable form as a proposal only where the grammar accounts for every word of
it; everything else is put to a human with its words. See docs/drafting.md.
"""

from cds.content.draft.case_drafts import write_cases
from cds.content.draft.drafting import Draft, Drafted, Entry, draft
from cds.content.draft.folder import write_folder
from cds.content.draft.lexicon import lexicon
from cds.content.draft.study import Study, read_study, study_of_json

__all__ = [
    "Draft",
    "Drafted",
    "Entry",
    "Study",
    "draft",
    "lexicon",
    "read_study",
    "study_of_json",
    "write_cases",
    "write_folder",
]
