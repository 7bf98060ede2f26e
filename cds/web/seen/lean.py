"""structlog without its colours: it looks for rich when it is imported, and rich loads Pygments.

That is 6 MB in each worker, for tracebacks on a terminal that nobody prints. Import this before
structlog; who wants rich afterwards gets it.
"""

from __future__ import annotations

import sys

_ABSENT = "rich" not in sys.modules
if _ABSENT:
    sys.modules["rich"] = None  # type: ignore[assignment] # "not to be found", as import reads it

import structlog.dev  # noqa: E402 - that is the point

if _ABSENT:
    del sys.modules["rich"]

__all__ = ["structlog"]
