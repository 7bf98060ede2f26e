"""Bring the page's words up to date in every language, and compile them.

    python tools/catalogs.py

Words that are new come out untranslated: fill them in the .po files, then run this again.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from cds.content.bundled import bundled_content
from cds.content.mappings import load_terminology
from cds.web.report.sentences import SENTENCES, SPANS, STATES, WORDS
from cds.web.report.words import DOMAIN, LOCALES

_TEMPLATES = Path(__file__).resolve().parent.parent / "cds" / "web" / "report" / "templates"
_NOTE = "Words of the determination page. Not yet reviewed by a clinician."


def main() -> None:
    """Extract the words, then update and compile each language that has a catalog."""
    template = extracted()
    (LOCALES / f"{DOMAIN}.pot").write_bytes(as_po(template))
    for path in sorted(LOCALES.glob(f"*/LC_MESSAGES/{DOMAIN}.po")):
        catalog = updated(path.read_bytes(), path.parent.parent.name, template)
        path.write_bytes(as_po(catalog))
        path.with_suffix(".mo").write_bytes(compiled(catalog))
        missing = [message.id for message in catalog if message.id and not message.string]
        print(f"{path.parent.parent.name}: {len(catalog)} words, {len(missing)} untranslated")


def extracted() -> Catalog:
    """Every word of the templates, in their order; sentences of the engine; names of concepts."""
    catalog = Catalog(domain=DOMAIN, project="trial-cds", header_comment=f"# {_NOTE}")
    found = extract_from_dir(
        _TEMPLATES,
        method_map=[("**.html", "jinja2")],
        options_map={"**.html": {"trimmed": "true"}},
    )
    for _, _, message, _, _ in sorted(found, key=lambda one: (one[0], one[1])):
        catalog.add(message)
    for message in (*SENTENCES, *STATES, *SPANS, *WORDS):
        catalog.add(message)
    for label in sorted(load_terminology([bundled_content()]).labels.values()):
        catalog.add(label)
    return catalog


def updated(po: bytes, locale: str, template: Catalog) -> Catalog:
    """A language's catalog with the words of the template; what is gone is dropped."""
    catalog = read_po(BytesIO(po), locale=locale)
    catalog.update(template, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    return catalog


def as_po(catalog: Catalog) -> bytes:
    """The catalog as people edit it, without dates that change by themselves."""
    out = BytesIO()
    write_po(out, catalog, width=100, omit_header=False, ignore_obsolete=True)
    lines = out.getvalue().decode().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(_PASSING)]
    return "".join(kept).encode()


_PASSING = (
    '"POT-Creation-Date',
    '"PO-Revision-Date',
    '"Last-Translator',
    '"Report-Msgid-Bugs-To',
    '"Generated-By',
    '"Language-Team',
)


def compiled(catalog: Catalog) -> bytes:
    """The catalog as gettext reads it, the same bytes for the same words."""
    plain = read_po(BytesIO(as_po(catalog)), locale=catalog.locale)
    out = BytesIO()
    write_mo(out, plain)
    return out.getvalue()


if __name__ == "__main__":
    main()
