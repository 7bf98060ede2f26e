"""Letting the workers of one service count together: a folder, named before counting begins."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile


def share_counts() -> None:
    """Name a folder for the counts of all workers that are forked later.

    prometheus_client looks for it when it is first imported, so this comes before `cds.web.app`.
    A folder that the environment names already is used and kept; one of ours is removed at the end,
    by the process that made it and not by its workers.
    """
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="trial-cds-counts-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    atexit.register(_remove, folder, os.getpid())


def _remove(folder: str, made_by: int) -> None:
    if os.getpid() == made_by:
        shutil.rmtree(folder, ignore_errors=True)
