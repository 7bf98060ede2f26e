"""The results of a screening, opened for questions."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec

from cds.cohort.catalogue import Catalogue
from cds.cohort.fault import CohortFault
from cds.cohort.stage import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLES = ("determinations", "criteria", "possible", "unrecognised")


class Results:
    """One folder of results. Each table is a view of that name."""

    def __init__(
        self,
        base: duckdb.DuckDBPyConnection,
        folder: Path,
        manifest: dict[str, Any],
        catalogue: Catalogue,
    ) -> None:
        self._base = base
        self.folder = folder
        self.manifest = manifest
        self.catalogue = catalogue

    def rows(self, query: str, *given: object) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self._base.execute(query, list(given)).fetchall()

    def one(self, query: str, *given: object) -> Any:  # noqa: ANN401 - a number or a text
        """The single value of a query."""
        return self.rows(query, *given)[0][0]


@contextmanager
def open_results(folder: Path) -> Iterator[Results]:
    """Open the results in a folder.

    Raises:
        CohortFault: it holds no finished screening.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        catalogue = msgspec.json.decode((folder / "catalogue.json").read_bytes(), type=Catalogue)
    except (OSError, ValueError) as problem:
        message = (
            f"'{folder}' holds no finished screening; "
            "name the folder that 'trial-cds screen --out' wrote."
        )
        raise CohortFault(message) from problem
    with duckdb.connect(config={"memory_limit": "512MB"}) as base:
        for name in TABLES:
            path = folder / f"{name}.parquet"
            if not path.exists():
                message = f"'{folder}' lacks {path.name}; screen again into this folder."
                raise CohortFault(message)
            parts = path / "*.parquet" if path.is_dir() else path  # Spark writes folders
            base.execute(f"create view {name} as from read_parquet({quoted(str(parts))})")
        _complete(base)
        yield Results(base, folder, manifest, catalogue)


def _complete(base: duckdb.DuckDBPyConnection) -> None:
    """Screenings of earlier versions did not look for refusals."""
    columns = {name for name, *_ in base.execute("describe determinations").fetchall()}
    if "research" not in columns:
        base.execute("create view told as select *, '' as research from determinations")
    else:
        base.execute("create view told as from determinations")
