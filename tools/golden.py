"""Write the golden cards of every invented patient anew: fixtures/<story>/cards.md.

    python tools/golden.py

Read the difference afterwards: these words are what clinicians see.
"""

from __future__ import annotations

from datetime import date

import yaml

from cds.assess import assess, load_content
from cds.cards.card import CardSettings, cards_for
from cds.cards.prose import cards_as_prose
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.core.when import Evaluation
from cds.fhir.record import record_from_bundle


def main() -> None:
    """Evaluate each story on its day and write its cards."""
    content = load_content([bundled_content()])
    settings = CardSettings(labels=content.labels, orderable=content.orderable())
    for path in sorted(bundled_fixtures().glob("*/story.yaml")):
        day = date.fromisoformat(yaml.safe_load(path.read_text("utf-8"))["day"])
        record = record_from_bundle((path.parent / "bundle.json").read_bytes())
        cards = cards_for(assess(record, content, Evaluation.of(day)), settings)
        (path.parent / "cards.md").write_text(cards_as_prose(cards), "utf-8")


if __name__ == "__main__":
    main()
