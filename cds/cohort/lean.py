"""A process that does nothing but screen: what it need not load, and need not look for."""

from __future__ import annotations

import gc
import os
import sys

_OTHERS = frozenset({"numpy", "pandas"})


class _Hidden:
    """Lets nobody find the packages that Arrow could do without."""

    def find_spec(self, name: str, *_: object) -> None:
        """Say of them that they are not installed; leave all others to the usual finders."""
        if name in _OTHERS:
            raise ModuleNotFoundError(name=name)


def load_lean_arrow() -> None:
    """Load pyarrow without numpy and pandas, though they may be installed for the sake of others.

    For a process that does nothing but screen: it begins half a second of CPU earlier, and each of
    its workers takes 55 MB less. Where one of them is loaded already there is nothing to save.
    """
    if not _OTHERS.isdisjoint(sys.modules):
        return
    # Arrow's own allocator keeps 30 MB in each process for tables of a few kB.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    try:
        import pyarrow as pa  # noqa: PLC0415 - here, while they are hidden

        pa.array([], pa.string())  # it looks for pandas when it makes its first array
    finally:
        sys.meta_path.remove(hidden)


def collect_seldom() -> None:
    """Look for circles among objects seldom: a chart leaves next to none behind.

    Python looks after every 700 objects that it has made and kept; a chart makes several thousand.
    """
    gc.set_threshold(20_000, 20, 20)
