"""Where the bundled content is looked for."""

from pathlib import Path

import pytest

from cds.content import bundled

CHECKOUT = Path(__file__).resolve().parents[2]
OUR_PROJECT = '[project]\nname = "trial-cds"\n'


def installed(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package folder `cds` in `home`, which bundled then takes for its own."""
    package = home / "cds"
    package.mkdir()
    monkeypatch.setattr(bundled, "_PACKAGE", package)
    return package


def test_a_checkout_reads_its_own_top_level_folders() -> None:
    assert bundled.bundled_content() == CHECKOUT
    assert bundled.bundled_fixtures() == CHECKOUT / "fixtures"


def test_a_wheel_reads_what_lies_inside_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = installed(tmp_path, monkeypatch)
    for folder in ("mappings", "trials", "fixtures"):
        (package / "_content" / folder).mkdir(parents=True)
        (tmp_path / folder).mkdir()  # strays beside the package
    assert bundled.bundled_content() == package / "_content"
    assert bundled.bundled_fixtures() == package / "_content" / "fixtures"


@pytest.mark.parametrize("project", [None, '[project]\nname = "another"\n'])
def test_folders_beside_the_package_that_are_not_ours_are_never_read(
    project: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, monkeypatch)
    for folder in ("mappings", "trials"):
        (tmp_path / folder).mkdir()
    if project is not None:
        (tmp_path / "pyproject.toml").write_text(project, "utf-8")
    with pytest.raises(FileNotFoundError, match="install trial-cds again"):
        bundled.bundled_content()


def test_a_missing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch)
    (tmp_path / "pyproject.toml").write_text(OUR_PROJECT, "utf-8")
    (tmp_path / "mappings").mkdir()
    with pytest.raises(FileNotFoundError, match=r"should hold trials/, which came"):
        bundled.bundled_content()
