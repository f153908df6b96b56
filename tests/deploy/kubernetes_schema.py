"""The schema of Kubernetes' objects that the manifests use, cut out of the whole one.

    python -m tests.deploy.kubernetes_schema WHEEL

writes `kubernetes.schema.json` from the wheel of the package kubernetes-validate (Apache-2.0), which carries what
Kubernetes publishes of its API. What nobody checks, such as descriptions, is left out; unknown names are refused.
"""

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("kubernetes.schema.json")
VERSION = "v1.31.0-local-strict"
# Files of the wheel, one for each kind.
KINDS = {
    "Deployment": "deployment-apps-v1",
    "Namespace": "namespace-v1",
    "NetworkPolicy": "networkpolicy-networking-v1",
    "PodDisruptionBudget": "poddisruptionbudget-policy-v1",
    "Secret": "secret-v1",
    "Service": "service-v1",
    "StatefulSet": "statefulset-apps-v1",
}
UNUSED = {"description", "status", "managedFields"}


def cut_out(wheel: Path) -> dict[str, Any]:
    """The schema of the kinds, as `{"kinds": {kind: schema}, "$defs": {name: schema}}`."""
    with zipfile.ZipFile(wheel) as packed:
        folder = f"kubernetes_validate/kubernetes-json-schema/{VERSION}"
        whole = json.loads(packed.read(f"{folder}/_definitions.json"))["$defs"]
        kinds = {kind: plain(json.loads(packed.read(f"{folder}/{name}.json"))) for kind, name in KINDS.items()}
    found: dict[str, Any] = {}
    waiting = list(references(kinds))
    while waiting:
        if (name := waiting.pop()) not in found:
            found[name] = plain(whole[name])
            waiting += references(found[name])
    return {"kinds": kinds, "$defs": dict(sorted(found.items()))}


def plain(schema: Any) -> Any:
    """A schema without what is not checked; references point into one document."""
    if isinstance(schema, list):
        return [plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: value for name, value in schema.items() if name not in UNUSED and not name.startswith(("x-", "$sch"))}
    return {
        name: f"#/$defs/{value.rpartition('/')[2]}" if name == "$ref" else plain(value) for name, value in kept.items()
    }


def references(schema: Any) -> Iterator[str]:
    """The names of the definitions that a schema refers to."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].rpartition("/")[2]
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from references(part)


def written(schema: dict[str, Any]) -> str:
    """The document with a line for each definition."""
    parts = [
        f'"{name}":{{\n'
        + ",\n".join(f'"{key}":{json.dumps(value, sort_keys=True)}' for key, value in part.items())
        + "\n}"
        for name, part in schema.items()
    ]
    return "{" + ",\n".join(parts) + "}\n"


if __name__ == "__main__":
    FILE.write_text(written(cut_out(Path(sys.argv[1]))), encoding="utf-8")
