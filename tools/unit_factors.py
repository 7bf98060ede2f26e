"""Write mappings/unit_factors.tsv anew from labs.yaml and units.tsv; takes no arguments."""

from __future__ import annotations

from pathlib import Path

from cds.content.mappings import load_terminology
from cds.fhir.unit_tables import write_factors

if __name__ == "__main__":
    content = Path(__file__).parent.parent
    write_factors(content, load_terminology([content]).analytes)
