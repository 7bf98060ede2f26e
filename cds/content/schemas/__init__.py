"""JSON Schemas (2020-12) of our files, made from what the readers read; for editors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cds.content.infos import concept_infos
from cds.content.schemas.of_cases import cases_schema
from cds.content.schemas.of_criteria import criteria_schema
from cds.content.schemas.of_mappings import labs_schema, tables_schema
from cds.content.schemas.of_trial import trial_schema

if TYPE_CHECKING:
    from pathlib import Path

    from cds.content.schemas.parts import Schema
    from cds.core.terminology import Terminology

__all__ = ["schemas", "write_schemas"]


def schemas(terminology: Terminology) -> dict[str, Schema]:
    """Every schema by file name, with the concepts and units of this terminology."""
    concepts = concept_infos(terminology)
    return {
        "trial.schema.json": trial_schema(),
        "criteria.schema.json": criteria_schema(concepts),
        "cases.schema.json": cases_schema(concepts),
        "labs.schema.json": labs_schema(),
        "tables.schema.json": tables_schema(terminology),
    }


def write_schemas(terminology: Terminology, folder: Path) -> list[Path]:
    """Write them into a folder, which is made; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, schema in schemas(terminology).items():
        path = folder / name
        path.write_text(as_file(schema), "utf-8")
        written.append(path)
    return written


def as_file(schema: Schema) -> str:
    """The text of a schema file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
