"""Where the trials, mappings and fixtures that come with the software lie.

A wheel carries them inside the package, in `cds/_content`. A checkout, and so an editable install,
keeps them as folders at its top. Nothing else is looked at: a folder that merely is called `trials`
beside the package, such as another distribution's in site-packages, is never read.
"""

import tomllib
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def bundled_content() -> Path:
    """The folder that holds the bundled `mappings/` and `trials/`.

    Raises FileNotFoundError, saying what is missing, where the installation is not whole.
    """
    return _home_of("mappings", "trials")


def bundled_fixtures() -> Path:
    """The folder `fixtures/`: the invented patients of the demo, one folder for each story.

    Raises FileNotFoundError, saying what is missing, where the installation is not whole.
    """
    return _home_of("fixtures") / "fixtures"


def _home_of(*folders: str) -> Path:
    """The folder that holds all of `folders`: package data, else the checkout."""
    carried = _PACKAGE / "_content"
    home = carried if carried.is_dir() else _PACKAGE.parent
    if home != carried and not _is_our_checkout(home):
        message = (
            f"Neither {carried} nor a checkout of trial-cds around the package exists; "
            "install trial-cds again."
        )
        raise FileNotFoundError(message)
    missing = [folder for folder in folders if not (home / folder).is_dir()]
    if missing:
        message = (
            f"{home} should hold {' and '.join(f'{name}/' for name in missing)}, "
            "which came with trial-cds; install it again."
        )
        raise FileNotFoundError(message)
    return home


def _is_our_checkout(folder: Path) -> bool:
    """Whether `folder` holds this project's own pyproject.toml."""
    project = folder / "pyproject.toml"
    if not project.is_file():
        return False
    named: object = tomllib.loads(project.read_text("utf-8")).get("project", {}).get("name")
    return named == "trial-cds"
