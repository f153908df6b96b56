"""The workflows keep to the facts of this repository, to few rights, and to actions that nobody can change."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from release import build

FOLDER = build.ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.iterdir())
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in FILES}
# What a job may ask for, and why; every other job only reads.
WRITES = {
    "attest": {"id-token", "attestations"},
    "pypi": {"id-token"},
    "image": {"packages", "id-token", "attestations"},
    "pages": {"pages", "id-token"},
}


def workflow(name: str) -> dict[Any, Any]:
    """A workflow; `on` is read as True, as YAML 1.1 has it."""
    return yaml.safe_load(TEXTS[name])


def jobs(name: str) -> dict[str, dict[str, Any]]:
    return workflow(name)["jobs"]


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Every step, with its file and job."""
    return [
        (f"{name}: {job}", step)
        for name in TEXTS
        for job, facts in jobs(name).items()
        for step in facts.get("steps", ())
    ]


def project() -> dict[str, Any]:
    return tomllib.loads((build.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_there_are_two_and_they_end_in_yaml() -> None:
    assert set(TEXTS) == {"release.yaml", "tests.yaml"}


def test_the_tests_run_on_every_python_that_is_promised_and_on_three_systems() -> None:
    promised = [one.rpartition(" ")[2] for one in project()["classifiers"] if re.search(r":: 3\.\d+$", one)]
    tests = jobs("tests.yaml")["tests"]
    assert tests["strategy"]["matrix"]["python"] == promised
    assert [one.partition("-")[0] for one in tests["strategy"]["matrix"]["system"]] == ["ubuntu", "macos", "windows"]
    assert tests["strategy"]["fail-fast"] is False


def test_no_job_but_the_tests_elsewhere_than_on_linux_may_fail() -> None:
    lenient = {(name, job) for name in TEXTS for job, facts in jobs(name).items() if "continue-on-error" in facts}
    assert lenient == {("tests.yaml", "tests")}
    linux = jobs("tests.yaml")["tests"]["strategy"]["matrix"]["system"][0]
    assert jobs("tests.yaml")["tests"]["continue-on-error"] == f"${{{{ matrix.system != '{linux}' }}}}"
    assert not [where for where, step in steps() if "continue-on-error" in step]


def test_every_target_that_is_made_is_one_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (build.ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    made = {target for _, step in steps() for target in re.findall(r"\bmake ([a-z-]+)", str(step.get("run", "")))}
    assert made == {"test", "test-all", "check", "dist", "docs"}
    assert made <= targets


def test_every_file_that_a_step_names_is_there() -> None:
    named = {
        word
        for _, step in steps()
        for word in re.findall(r"requirements/\w+\.txt|release\.\w+", str(step.get("run", "")))
    }
    assert named == {"requirements/dev.txt", "release.version"}
    assert (build.ROOT / "requirements" / "dev.txt").exists()
    assert (build.ROOT / "release" / "version.py").exists()
    assert (build.ROOT / "Dockerfile").exists()


@pytest.mark.parametrize("name", TEXTS)
def test_every_action_is_pinned_to_a_commit_and_named_by_its_version(name: str) -> None:
    used = re.findall(r"uses: (.+)$", TEXTS[name], re.MULTILINE)
    ours = [one for one in used if one.startswith("./")]
    pinned = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert len(used) > 0
    assert [one for one in ours if not (build.ROOT / one).is_file()] == []
    assert [one for one in used if one not in ours and not pinned.fullmatch(one)] == []


def test_an_action_has_one_version_in_all_workflows() -> None:
    used = {one for text in TEXTS.values() for one in re.findall(r"uses: (\S+@.+)$", text, re.MULTILINE)}
    assert len({one.partition("@")[0] for one in used}) == len(used)


def test_each_job_has_the_rights_that_it_needs_and_no_more() -> None:
    for name in TEXTS:
        whole = workflow(name)["permissions"]
        assert whole in ({}, {"contents": "read"})
        for job, facts in jobs(name).items():
            rights = facts.get("permissions", whole)
            writes = {right for right, level in rights.items() if level == "write"}
            assert writes == (WRITES.get(job, set()) if name == "release.yaml" else set()), f"{name}: {job}"
            assert rights.keys() - writes <= {"contents"}, f"{name}: {job}"


def test_no_secret_is_used() -> None:
    assert not [
        name for name, text in TEXTS.items() if re.search(r"secrets\b|password: (?!\$\{\{ github\.token \}\})", text)
    ]


def test_a_clone_keeps_no_credentials_and_every_job_ends() -> None:
    clones = [step for _, step in steps() if str(step.get("uses", "")).startswith("actions/checkout@")]
    assert clones
    assert all(step["with"] == {"persist-credentials": False} for step in clones)
    assert all("timeout-minutes" in facts for name in TEXTS for facts in jobs(name).values() if "steps" in facts)


def test_no_text_from_outside_becomes_part_of_a_command() -> None:
    assert len(steps()) > 10
    assert not [where for where, step in steps() if "${{" in str(step.get("run", ""))]


def test_pull_requests_run_the_tests_and_tags_of_versions_the_release() -> None:
    assert set(workflow("tests.yaml")[True]) == {"push", "pull_request", "workflow_call"}
    assert workflow("release.yaml")[True] == {"push": {"tags": ["v*"]}}


def test_nothing_is_published_before_everything_was_tested() -> None:
    release = jobs("release.yaml")
    assert release["tests"]["uses"] == "./.github/workflows/tests.yaml"
    assert release["tests"]["needs"] == "version"
    for job in WRITES:
        assert "tests" in release[job]["needs"], job


def test_the_owner_is_one_variable_at_the_top_of_the_release() -> None:
    text = TEXTS["release.yaml"]
    assert workflow("release.yaml")["env"] == {"OWNER": "${{ github.repository_owner }}"}
    assert text.count("repository_owner") == 1
    assert text.index("OWNER:") < text.index("jobs:")
    assert [where for where, step in steps() if "OWNER" in str(step)] == ["release.yaml: image"]
    assert "OWNER" not in TEXTS["tests.yaml"]


def test_what_is_published_was_built_by_the_tests() -> None:
    kept = {
        step["with"]["name"]: str(step["with"]["path"]).split()
        for _, step in steps()
        if str(step.get("uses", "")).startswith("actions/upload-artifact@")
    }
    assert kept["python"] == ["dist/*.whl", "dist/*.tar.gz"]
    assert kept["plugins"] == ["dist/*.zip", f"dist/{build.INDEX}"]
    fetched = {
        (where.rpartition(" ")[2], step["with"]["name"])
        for where, step in steps()
        if str(step.get("uses", "")).startswith("actions/download-artifact@")
    }
    assert fetched == {
        ("attest", "python"),
        ("attest", "plugins"),
        ("pypi", "python"),
        ("pages", "docs"),
        ("pages", "plugins"),
    }
    assert {name for _, name in fetched} == set(kept)


def test_the_image_is_for_both_machines_with_sbom_provenance_and_attestation() -> None:
    used = {
        str(step.get("uses", "")).partition("@")[0]: step.get("with", {})
        for step in jobs("release.yaml")["image"]["steps"]
    }
    made = used["docker/build-push-action"]
    assert made["platforms"] == "linux/amd64,linux/arm64"
    assert (made["sbom"], made["provenance"], made["push"]) == (True, "mode=max", True)
    assert used["actions/attest"]["push-to-registry"] is True
    tags = [one.rpartition(":")[2] for one in made["tags"].split("\n") if one]
    assert tags == ["${{ needs.version.outputs.number }}", "${{ needs.version.outputs.series }}", "latest"]


def test_the_package_is_published_without_a_password_and_with_attestations() -> None:
    pypi = jobs("release.yaml")["pypi"]
    assert pypi["environment"] == {"name": "pypi"}
    assert pypi["steps"][-1]["with"] == {"packages-dir": "dist", "attestations": True}


NAMES = ("ghcr.io/OWNER/plexsync", "https://OWNER.github.io/plexsync/index.yml")


@pytest.mark.parametrize("page", ["README.md", "docs/install.md"])
def test_the_pages_name_what_the_release_publishes(page: str) -> None:
    text = (build.ROOT / page).read_text(encoding="utf-8")
    assert all(name in text for name in NAMES)
    assert re.search(r"OWNER\s+is\s+the\s+account\s+of\s+this\s+repository", text)
    (step,) = [step for _, step in steps() if step.get("id") == "name"]
    assert f"ghcr.io/${{OWNER,,}}/{project()['name']}" in step["run"]


def test_the_install_page_names_every_plugin_of_the_source() -> None:
    text = (build.ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \(`(\w+)`\) \|", text, re.MULTILINE)
    made = [(re.search(r"^name: (.*)$", one.manifest, re.MULTILINE)[1], one.id) for one in build.packages()]
    assert rows == made


def test_no_page_names_an_account() -> None:
    found = re.compile(
        r"ghcr\.io/(?!OWNER/|\$)|//(?!OWNER\.)[\w-]+\.github\.io|github\.com/[\w-]+/plexsync", re.IGNORECASE
    )
    pages = [
        build.ROOT / name for name in build.known_files() if Path(name).suffix in (".md", ".yaml", ".yml", ".json")
    ]
    assert len(pages) > 80
    assert not [
        (path.name, found.findall(text)) for path in pages if found.search(text := path.read_text(encoding="utf-8"))
    ]


# --- issues and updates ----------------------------------------------------------------------------------------------

TEMPLATES = sorted((build.ROOT / ".github" / "ISSUE_TEMPLATE").iterdir())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_asks_for_what_holds_no_secret(path: Path) -> None:
    _, head, body = path.read_text(encoding="utf-8").split("---\n", 2)
    facts = yaml.safe_load(head)
    assert path.suffix == ".md"
    assert {"name", "about", "title", "labels"} == set(facts)
    asked = ("`plexsync report`",) if path.stem == "bug" else ("`plexsync doctor`", "`plexsync status --json`")
    assert all(command in body for command in asked)
    assert "plexsync.toml" not in body


def test_there_are_templates_for_a_fault_a_wish_and_a_question() -> None:
    assert [path.stem for path in TEMPLATES] == ["bug", "feature", "question"]


def test_updates_come_once_a_week_for_all_requirement_files_actions_and_the_image() -> None:
    renovate = json.loads((build.ROOT / "renovate.json").read_text(encoding="utf-8"))
    assert renovate["schedule"] == ["before 6am on monday"]
    (pattern,) = renovate["pip_requirements"]["managerFilePatterns"]
    pinned = [f"requirements/{path.name}" for path in (build.ROOT / "requirements").glob("*.txt")]
    assert pinned
    assert all(re.search(pattern.strip("/"), name) for name in pinned)
    groups = {rule["matchManagers"][0]: rule["groupName"] for rule in renovate["packageRules"]}
    assert list(groups) == renovate["enabledManagers"] == ["pip_requirements", "github-actions", "dockerfile"]
    assert len(set(groups.values())) == len(groups)
