"""What stops a screening."""

from __future__ import annotations


class CohortFault(Exception):  # noqa: N818 - the word for the faults of content and settings too
    """The source or the output folder cannot be used; one sentence: what, where, what to do.

    The text names files and lines, never what stands in them.
    """
