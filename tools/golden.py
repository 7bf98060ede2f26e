"""Write the golden cards of every invented patient anew: fixtures/<story>/cards.md, and README's.

    python tools/golden.py

Read the difference afterwards: these words are what clinicians see.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

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
    readme = Path(__file__).parent.parent / "README.md"
    readme.write_text(with_card(readme.read_text("utf-8")), "utf-8")


def with_card(readme: str) -> str:
    """README with the golden card of the story that it names, as a quotation."""
    begin, story, end = re.split(
        r"(?s)(?<=<!-- card: )([\w-]+) -->.*?(?=<!-- end of card -->)", readme, maxsplit=1
    )
    card = (bundled_fixtures() / story / "cards.md").read_text("utf-8").strip()
    quoted = "\n".join(f"> {line}".rstrip() for line in card.replace("# ", "**", 1).split("\n"))
    first, rest = quoted.split("\n", 1)
    return f"{begin}{story} -->\n\n{first}**\n{rest}\n\n{end}"


if __name__ == "__main__":
    main()
