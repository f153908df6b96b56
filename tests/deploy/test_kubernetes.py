"""The manifests for Kubernetes: its schema accepts them, every name in them exists, and what they start would run."""

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml

from plexsync.cli import program
from plexsync.store.files.provider_secrets import FILE as PROVIDER
from tests.deploy.kubernetes_schema import FILE, KINDS
from tests.journey.world import ROOT
from validation.sources import load

FOLDER = ROOT / "deploy" / "kubernetes"
CUSTOM = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
OBJECTS = [
    document
    for name in CUSTOM["resources"]
    for document in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8"))
]
SCHEMA = json.loads(FILE.read_text(encoding="utf-8"))
# Each secret with the names of its files.
SECRETS = {secret["name"]: {Path(file).name for file in secret["files"]} for secret in CUSTOM["secretGenerator"]}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def name_of(thing: dict[str, Any]) -> str:
    return f"{thing['kind']} {thing['metadata']['name']}"


objects = pytest.mark.parametrize("thing", OBJECTS, ids=name_of)


def faults(thing: dict[str, Any]) -> list[str]:
    """What the schema of its kind finds wrong with an object."""
    schema = {**SCHEMA["kinds"][thing["kind"]], "$defs": SCHEMA["$defs"]}
    return [
        f"{error.json_path}: {error.message}" for error in jsonschema.Draft202012Validator(schema).iter_errors(thing)
    ]


def the(kind: str, name: str) -> dict[str, Any]:
    (found,) = [thing for thing in OBJECTS if name_of(thing) == f"{kind} {name}"]
    return found


def templates() -> list[dict[str, Any]]:
    """The pod templates."""
    return [thing["spec"]["template"] for thing in OBJECTS if "template" in thing.get("spec", {})]


def containers() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each container with the spec of its pod."""
    for template in templates():
        for container in template["spec"]["containers"]:
            yield template["spec"], container


def probes(container: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: value for name, value in container.items() if name.endswith("Probe")}


def command_named(name: str) -> click.Command:
    command = program.plexsync.get_command(click.Context(program.plexsync), name)
    assert command is not None, name
    return command


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container["env"]}


# --- shapes ----------------------------------------------------------------------------------------------------------


@objects
def test_the_schema_of_kubernetes_accepts_it(thing: dict[str, Any]) -> None:
    assert faults(thing) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "replica"), 2),
        (("spec", "replicas"), "two"),
        (("spec", "strategy"), {"type": 3}),
        (("spec", "template", "spec", "containers"), [{"image": "plexsync"}]),
    ],
)
def test_the_schema_refuses_what_is_wrong(path: tuple[str, ...], value: object) -> None:
    wrong = copy.deepcopy(the("Deployment", "plexsync"))
    *parents, last = path
    part = wrong
    for name in parents:
        part = part[name]
    part[last] = value
    assert faults(wrong)


def test_the_lines_for_the_secrets_of_the_provider_lead_to_where_it_reads_them() -> None:
    custom, deployment = (
        re.sub(r"(?m)^( +)# (- secrets/|- name: secrets$|  )", r"\1\2", (FOLDER / name).read_text(encoding="utf-8"))
        for name in ("kustomization.yaml", "plexsync.yaml")
    )
    assert f"secrets/{PROVIDER}" in yaml.safe_load(custom)["secretGenerator"][0]["files"]
    thing = next(yaml.safe_load_all(deployment))
    assert faults(thing) == []
    (container,) = thing["spec"]["template"]["spec"]["containers"]
    assert container["volumeMounts"][-1] == {
        "name": "secrets",
        "mountPath": f"/data/{PROVIDER}",
        "subPath": PROVIDER,
        "readOnly": True,
    }


def test_every_file_and_every_kind_is_used() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*CUSTOM["resources"], "kustomization.yaml"}
    assert {thing["kind"] for thing in OBJECTS} | {"Secret"} == set(KINDS)
    assert len({name_of(thing) for thing in OBJECTS}) == len(OBJECTS)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed: the folder is not put together")
def test_kubectl_puts_the_folder_together(tmp_path: Path) -> None:
    copied = shutil.copytree(FOLDER, tmp_path / "kubernetes")
    (copied / "secrets").mkdir()
    for file in {file for files in SECRETS.values() for file in files}:
        (copied / "secrets" / file).write_text("a secret", encoding="utf-8")
    done = subprocess.run(["kubectl", "kustomize", copied], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    made = list(yaml.safe_load_all(done.stdout))
    assert [fault for thing in made for fault in faults(thing)] == []
    assert {thing["metadata"].get("namespace", "plexsync") for thing in made} == {"plexsync"}
    secrets = {thing["metadata"]["name"] for thing in made if thing["kind"] == "Secret"}
    named = {
        volume["secret"]["secretName"]
        for thing in made
        if "template" in thing.get("spec", {})
        for volume in thing["spec"]["template"]["spec"]["volumes"]
        if "secret" in volume
    }
    assert secrets == named


# --- names -----------------------------------------------------------------------------------------------------------


def test_every_mount_has_its_volume_and_every_volume_its_secret() -> None:
    for thing in OBJECTS:
        if "template" not in thing.get("spec", {}):
            continue
        spec = thing["spec"]["template"]["spec"]
        volumes = {volume["name"] for volume in spec["volumes"]}
        volumes |= {claim["metadata"]["name"] for claim in thing["spec"].get("volumeClaimTemplates", ())}
        assert volumes == {mount["name"] for container in spec["containers"] for mount in container["volumeMounts"]}
        for volume in spec["volumes"]:
            assert volume.get("secret", {}).get("secretName", "plexsync") in SECRETS


def test_every_file_of_a_secret_is_one_that_is_made() -> None:
    read: dict[str, set[str]] = {}
    for spec, container in containers():
        secret_of = {volume["name"]: volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}
        folders = {mount["mountPath"]: secret_of.get(mount["name"]) for mount in container["volumeMounts"]}
        for variable, value in environment(container).items():
            if variable.endswith("_FILE"):
                folder, _, file = value.rpartition("/")
                read.setdefault(str(folders[folder]), set()).add(file)
    assert read == SECRETS


def test_selectors_choose_the_pods_that_are_meant() -> None:
    labels = [template["metadata"]["labels"] for template in templates()]
    for thing in OBJECTS:
        spec = thing.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector")
        if selector is None:
            continue
        wanted = selector.get("matchLabels", selector)
        assert wanted == {"app.kubernetes.io/name": thing["metadata"]["name"]}
        assert wanted in labels
        if "template" in spec:
            assert spec["template"]["metadata"]["labels"] == wanted
    (rule,) = the("NetworkPolicy", "postgresql")["spec"]["ingress"]
    assert [place["podSelector"]["matchLabels"] for place in rule["from"]] == [
        the("Deployment", "plexsync")["spec"]["selector"]["matchLabels"]
    ]


def test_every_port_that_is_named_is_a_containers() -> None:
    ports = {port["name"]: port["containerPort"] for _, container in containers() for port in container["ports"]}
    for thing in OBJECTS:
        if thing["kind"] == "Service":
            for port in thing["spec"]["ports"]:
                assert ports[port["targetPort"]] == port["port"]
    assert ports["provider"] == 9798, "where Plex asks: the pages about it say so"
    (rule,) = the("NetworkPolicy", "postgresql")["spec"]["ingress"]
    assert {port["port"] for port in rule["ports"]} < set(ports)
    assert the("StatefulSet", "postgresql")["spec"]["serviceName"] == the("Service", "postgresql")["metadata"]["name"]


def test_images_and_the_address_of_the_database_fit_each_other() -> None:
    given = {image["name"] for image in CUSTOM["images"]}
    assert given == {container["image"] for _, container in containers()} - {"postgres:17"}
    (host, database) = re.search(
        r"postgresql://plexsync:%s@(\w+)/(\w+)", (FOLDER / "kustomization.yaml").read_text(encoding="utf-8")
    ).groups()
    assert the("Service", host)
    (postgres,) = [container for _, container in containers() if container["name"] == "postgresql"]
    assert environment(postgres)["POSTGRES_DB"] == database
    assert environment(postgres)["POSTGRES_USER"] == "plexsync"


# --- what runs -------------------------------------------------------------------------------------------------------


def test_the_environment_is_a_whole_configuration(tmp_path: Path) -> None:
    (ours,) = [container for _, container in containers() if container["name"] == "plexsync"]
    given = environment(ours)
    secrets = {
        "database_url": "postgresql://plexsync:secret@postgresql/plexsync",
        "plex_token": "a-token-of-plex-0123",
        "stash_api_key": "",
        "web_password": "four or five words together",
    }
    for name, text in secrets.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        given[f"PLEXSYNC_{name.upper()}_FILE"] = str(tmp_path / name)
    loaded = load(environ=given, toml_path=None)
    assert not loaded.warnings
    assert loaded.config.database_url == secrets["database_url"]
    assert loaded.config.web_bind == "0.0.0.0:9797"


def test_every_command_exists_and_takes_its_words() -> None:
    (ours,) = [container for _, container in containers() if container["name"] == "plexsync"]
    command, *words = ours["args"]
    assert command_named(command).make_context(command, words).params
    script = (ROOT / "deploy" / "plexsync-health").read_text(encoding="utf-8")
    for probe in probes(ours).values():
        program, *words = probe["exec"]["command"]
        assert f"deploy/{program} /usr/local/bin/" in DOCKERFILE
        assert all(f"= {word} ]" in script for word in words)
    for path in (*FOLDER.iterdir(), ROOT / "deploy" / "compose-postgres.yaml"):
        for shown in re.findall(r"plexsync plexsync (\w+)|-- plexsync (\w+)", path.read_text(encoding="utf-8")):
            assert command_named("".join(shown))


def test_no_probe_restarts_a_standby_or_whoever_waits_for_the_database() -> None:
    (ours,) = [container for _, container in containers() if container["name"] == "plexsync"]
    assert {name: probe["exec"]["command"] for name, probe in probes(ours).items()} == {
        f"{name}Probe": ["plexsync-health", "live"] for name in ("startup", "liveness", "readiness")
    }


def test_one_works_one_stands_by_and_no_two_versions_meet() -> None:
    deployment = the("Deployment", "plexsync")["spec"]
    assert deployment["replicas"] == 2
    assert deployment["strategy"] == {"type": "Recreate"}
    assert the("PodDisruptionBudget", "plexsync")["spec"]["minAvailable"] == 1
    # Each dashboard knows its own sign-ins alone.
    assert the("Service", "plexsync")["spec"]["sessionAffinity"] == "ClientIP"


def test_no_container_has_rights_and_each_has_bounds() -> None:
    for spec, container in containers():
        assert spec["automountServiceAccountToken"] is spec["enableServiceLinks"] is False
        pod = spec["securityContext"]
        assert pod["runAsNonRoot"] is True
        assert pod["runAsUser"] > 0
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert set(container["resources"]["limits"]) == {"memory"}
        assert set(probes(container)) == {"startupProbe", "livenessProbe", "readinessProbe"}
        for volume in spec["volumes"]:
            assert volume.get("secret", {}).get("defaultMode", 0o440) == 0o440
    enforced = the("Namespace", "plexsync")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert enforced == "restricted"


def test_no_manifest_holds_a_secret() -> None:
    assert not [thing for thing in OBJECTS if thing["kind"] == "Secret"]
    for _, container in containers():
        for name, value in environment(container).items():
            assert not re.search("TOKEN|KEY|PASSWORD|DATABASE_URL", name) or (
                name.endswith("_FILE") and value.startswith("/run/secrets/")
            )
