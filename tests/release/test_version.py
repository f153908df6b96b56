"""A tag is released only if it names the version, and the changelog is written."""

from pathlib import Path

import pytest

from release import build, version


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in which version 0.3.0 is ready."""
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.3.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 0.3.0 (2026-12-01)\n\n## 0.2.0 (2026-11-27)\n")
    for name in version.MANIFESTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("name: PlexSync\nversion: 0.3.0\n")
    (tmp_path / "changelog.d").mkdir()
    for name in ("README.md", "template.md.jinja"):
        (tmp_path / "changelog.d" / name).write_text("")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    return tmp_path


def test_a_tag_that_names_the_version_is_released(
    ready: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["release.version", "v0.3.0"])
    version.main()
    assert capsys.readouterr().out == "number=0.3.0\nseries=0.3\n"


@pytest.mark.parametrize("tag", ["0.3.0", "v0.3", "v0.3.1", "v0.3.0rc1", "latest"])
def test_another_tag_is_not_released(ready: Path, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["release.version", tag])
    with pytest.raises(SystemExit, match=r"the tag must be v0\.3\.0"):
        version.main()


def test_a_version_of_another_form_is_not_released(ready: Path) -> None:
    (ready / "pyproject.toml").write_text('[project]\nversion = "0.3.0rc1"\n')
    assert "form 1.2.3" in next(version.obstacles("v0.3.0rc1"))


@pytest.mark.parametrize("name", version.MANIFESTS)
def test_a_plugin_of_another_version_is_not_released(ready: Path, name: str) -> None:
    (ready / name).write_text("name: PlexSync\nversion: 0.2.0\n")
    assert list(version.obstacles("v0.3.0")) == [f"{name} does not have version 0.3.0"]


def test_the_manifests_are_those_of_all_plugins() -> None:
    made = [one.manifest.encode() for one in build.packages()]
    assert [build.content(name) for name in version.MANIFESTS] == made


def test_a_version_that_the_changelog_does_not_name_is_not_released(ready: Path) -> None:
    (ready / "CHANGELOG.md").write_text("# Changelog\n\n## 0.2.0 (2026-11-27)\n")
    assert list(version.obstacles("v0.3.0")) == ["CHANGELOG.md has no section for 0.3.0: run `make changelog`"]


def test_a_fragment_that_is_not_in_the_changelog_holds_the_release(ready: Path) -> None:
    (ready / "changelog.d" / "pace.fixed.md").write_text("Faster.\n")
    assert list(version.obstacles("v0.3.0")) == ["changelog.d still has pace.fixed.md: run `make changelog`"]
