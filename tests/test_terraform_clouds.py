"""Terraform for Azure, Google Cloud and Kind: rules of the house, and every root applied on the providers' own schemas.

The cluster roots of all clouds are compared with `infrastructure/terraform/CONTRACT.md`. What is marked `terraform`
needs Terraform, Go and the schema provider beside the project; without them it is skipped.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
TERRAFORM = ROOT / "infrastructure" / "terraform"
MODULES = TERRAFORM / "modules"
ENVIRONMENTS = TERRAFORM / "environments"
SHARED = ROOT.parent / "shared"
PROVIDER_SOURCE = SHARED / "tfschema" / "build"

CLUSTERS = {"aws": "eks", "azure": "aks", "gcp": "gke", "kind": "kind"}
PLATFORMS = [
    name for name in (f"{cloud}-platform" for cloud in CLUSTERS) if (MODULES / name / "variables.tf").is_file()
]
ROOTS = sorted(path.parent for path in ENVIRONMENTS.glob("*/*/main.tf"))
OUR_CLOUDS = ("azure", "gcp", "local")
OUR_ROOTS = [path for path in ROOTS if path.parent.name in OUR_CLOUDS]
OUR_MODULES = sorted(
    path
    for path in MODULES.iterdir()
    if re.match(r"(azure|gcp|kind)-|(aks|gke|kind)$", path.name) and any(path.glob("*.tf"))
)


def relative(path: Path) -> str:
    return path.relative_to(TERRAFORM).as_posix()


# --- reading HCL ---


def unquoted(value: Any) -> Any:
    return value.strip('"') if isinstance(value, str) else value


@cache
def parsed(path: Path) -> dict[str, Any]:
    return dict(hcl2.loads(path.read_text("utf-8")))


def blocks(folder: Path, kind: str) -> dict[str, dict[str, Any]]:
    """All blocks `kind "name" {…}` of a folder, in the order of their files and lines."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.tf")):
        for block in parsed(path).get(kind, []):
            found |= {unquoted(name): body for name, body in block.items() if name != "__is_block__"}
    return found


def shape(expression: Any) -> str:
    """A type without what `optional(…)` says of defaults, so that only the shape is compared."""
    text = re.sub(r"\s+", "", str(expression).removeprefix("${").removesuffix("}"))
    while (start := text.find("optional(")) >= 0:
        end = closing(text, start + len("optional("))
        inner = text[start + len("optional(") : end]
        text = text[:start] + inner[: first_comma(inner)] + text[end + 1 :]
    return text


def closing(text: str, start: int) -> int:
    depth = 1
    for index in range(start, len(text)):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    raise AssertionError(f"no end in {text!r}")


def first_comma(text: str) -> int:
    depth = 0
    for index, character in enumerate(text):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(character, 0)
        if depth == 0 and character == ",":
            return index
    return len(text)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("${string}", "string"),
        ('${object({ a = optional(string, "x,y"), b = optional(map(string)) })}', "object({a=string,b=map(string)})"),
        (
            "${object({ a = optional(object({ b = optional(list(string), []) }), {}) })}",
            "object({a=object({b=list(string)})})",
        ),
    ],
)
def test_shape_keeps_types_and_drops_defaults(written: str, expected: str) -> None:
    assert shape(written) == expected


# --- the contract ---


@dataclass(frozen=True)
class Contract:
    variables: dict[str, str]
    outputs: dict[str, str]
    cluster_variables: frozenset[str]
    cluster_outputs: frozenset[str]
    bounds: dict[str, str]


def table(text: str, heading: str) -> dict[str, str]:
    """First column to second column of the first table below a heading."""
    section = text.split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `?([^`|]+?)`? \| `?([^`|]+)", section, flags=re.MULTILINE)
    return {name.strip(): re.sub(r"\s+", "", value) for name, value in rows[1:]}


@pytest.fixture(scope="module")
def contract() -> Contract:
    text = (TERRAFORM / "CONTRACT.md").read_text("utf-8")
    core = text.split("## Core of the cluster modules", 1)[1].split("\n## ", 1)[0]
    names = [
        frozenset(re.findall(r"`(\w+)`", line))
        for line in re.findall(r"^(?:Variables|Outputs): .*", core, flags=re.MULTILINE)
    ]
    return Contract(
        variables=table(text, "Core variables of a root"),
        outputs=table(text, "Core outputs of a root"),
        cluster_variables=names[0] - {"cluster_access"},
        cluster_outputs=names[1],
        bounds=dict(re.findall(r"^\| ([\w/]+) \| `([^`]+)` \|", text, flags=re.MULTILINE)),
    )


def test_contract_is_read_whole(contract: Contract) -> None:
    assert len(contract.variables) >= 15
    assert len(contract.outputs) >= 17
    assert {"name", "access"} <= contract.cluster_variables
    assert {"endpoint", "oidc_issuer_url"} <= contract.cluster_outputs
    assert "hashicorp/azurerm" in contract.bounds


@pytest.mark.parametrize("folder", [*[MODULES / name for name in PLATFORMS], *ROOTS], ids=relative)
def test_core_variables_are_the_contracts(folder: Path, contract: Contract) -> None:
    declared = blocks(folder, "variable")
    assert {
        name: shape(declared[name]["type"]) for name in contract.variables if name in declared
    } == contract.variables


@pytest.mark.parametrize("folder", [*[MODULES / name for name in PLATFORMS], *ROOTS], ids=relative)
def test_core_outputs_are_the_contracts_and_none_is_secret(folder: Path, contract: Contract) -> None:
    declared = blocks(folder, "output")
    assert set(contract.outputs) <= set(declared)
    assert not [name for name, body in declared.items() if body.get("sensitive") or not body.get("description")]


@pytest.mark.parametrize("module", [name for name in CLUSTERS.values() if (MODULES / name / "outputs.tf").is_file()])
def test_cluster_modules_share_their_core(module: str, contract: Contract) -> None:
    variables = blocks(MODULES / module, "variable")
    assert contract.cluster_variables <= set(variables)
    assert contract.cluster_outputs <= set(blocks(MODULES / module, "output"))
    assert shape(variables["access"]["type"]) == contract.variables["cluster_access"]


@pytest.mark.parametrize("root", ROOTS, ids=relative)
def test_roots_pass_every_variable_on(root: Path) -> None:
    platform = blocks(root, "module")["platform"]
    passed = {name: value for name, value in platform.items() if name not in {"source", "__is_block__"}}
    assert passed == {name: f"${{var.{name}}}" for name in passed}
    assert set(passed) == set(blocks(root / unquoted(platform["source"]), "variable"))


@pytest.mark.parametrize("root", ROOTS, ids=relative)
def test_environments_of_a_cloud_differ_in_values_only(root: Path) -> None:
    first = next(other for other in ROOTS if other.parent == root.parent)
    for name in ("main.tf", "variables.tf", "outputs.tf", "versions.tf"):
        assert (root / name).read_text("utf-8") == (first / name).read_text("utf-8"), name
    assert {path.name for path in root.iterdir() if not path.name.startswith(".")} >= {
        "terraform.tfvars",
        "state.tfbackend",
    }
    assert len((root / "main.tf").read_text("utf-8").splitlines()) <= 25


@pytest.mark.parametrize("root", [path for path in ROOTS if path.name == "prod"], ids=relative)
def test_production_is_protected_and_private(root: Path) -> None:
    values = parsed(root / "terraform.tfvars")
    assert values["deletion_protection"] is True
    assert unquoted(values["profile"]) == "production"
    assert not values.get("cluster_access", {}).get("public", False)


def test_networks_of_a_cloud_do_not_overlap() -> None:
    for cloud in ("azure", "gcp"):
        ranges = re.findall(
            r'cidr = "([^"]+)"',
            "".join(p.read_text("utf-8") for p in (ENVIRONMENTS / cloud).glob("*/terraform.tfvars")),
        )
        assert len(set(ranges)) == len(ranges) == 3


# --- rules of the house ---


@pytest.mark.parametrize("folder", [*OUR_MODULES, *OUR_ROOTS], ids=relative)
def test_variables_are_few_typed_described_and_in_order(folder: Path) -> None:
    variables = blocks(folder, "variable")
    assert len(variables) <= 20
    assert not [name for name, body in variables.items() if not body.get("type") or not body.get("description")]
    assert not [name for name, body in variables.items() if body.get("nullable") is not False]
    required = [name for name, body in variables.items() if "default" not in body]
    optional = [name for name, body in variables.items() if "default" in body]
    assert list(variables) == sorted(required) + sorted(optional)
    secrets = [
        name for name, body in variables.items() if "default" in body and re.search("password|token|secret_value", name)
    ]
    assert [name for name in secrets if not name.endswith("_version")] == []


@pytest.mark.parametrize("folder", OUR_MODULES, ids=relative)
def test_modules_are_small_and_keep_the_rules(folder: Path) -> None:
    forbidden = r'null_resource|local-exec|remote-exec|\btimestamp\(|\buuid\(|^provider "|"helm_release"|^  count\s+='
    for path in folder.glob("*.tf"):
        text = path.read_text("utf-8")
        assert not re.findall(forbidden, text, flags=re.MULTILINE), path
        assert len(text.splitlines()) <= 220, path
    assert {"main.tf", "variables.tf", "outputs.tf", "versions.tf"} <= {path.name for path in folder.glob("*.tf")}


@pytest.mark.parametrize("folder", OUR_MODULES, ids=relative)
def test_modules_make_claims_and_every_validation_is_seen_to_refuse(folder: Path) -> None:
    text = "".join(path.read_text("utf-8") for path in folder.glob("tests/*.tftest.hcl"))
    assert all(name.count("_") >= 2 for name in re.findall(r'^run "([^"]+)"', text, flags=re.MULTILINE)) and text
    validated = {name for name, body in blocks(folder, "variable").items() if body.get("validation")}
    refused = set(re.findall(r"expect_failures = \[var\.(\w+)\]", text))
    # The words shared by all platforms are refused once, where the cloud's own are.
    shared = {"environment", "profile", "budget", "kubernetes_version"} if folder.name.endswith("-platform") else set()
    assert validated - refused - shared - KNOWN_UNREFUSED.get(folder.name, set()) == set()


KNOWN_UNREFUSED = {"kind-platform": {"database", "network", "node_pools"}, "gcp-platform": {"database", "network"}}


@pytest.mark.parametrize("folder", [*OUR_MODULES, *OUR_ROOTS], ids=relative)
def test_provider_versions_are_bounded_as_the_contract_says(folder: Path, contract: Contract) -> None:
    (versions,) = parsed(folder / "versions.tf")["terraform"]
    assert unquoted(versions["required_version"]) == contract.bounds["terraform"]
    for providers in versions["required_providers"]:
        for name, settings in providers.items():
            if name != "__is_block__":
                wanted = {unquoted(key): unquoted(value) for key, value in settings.items()}
                assert wanted["version"] == contract.bounds[wanted["source"]]


def test_every_skipped_check_says_why() -> None:
    skips = [
        (path, line)
        for folder in OUR_MODULES
        for path in folder.glob("**/*.tf")
        for line in path.read_text("utf-8").splitlines()
        if "checkov:skip" in line
    ]
    assert skips
    assert not [(path, line) for path, line in skips if not re.search(r"checkov:skip=CKV\d?_\w+: \S.{10,}", line)]


# --- the next major version of azurerm ---

META = {
    "__comments__",
    "__inline_comments__",
    "__is_block__",
    "depends_on",
    "for_each",
    "lifecycle",
    "provider",
    "timeouts",
}
# azurerm 5 links a private DNS zone by its id, azurerm 4 by name and group: no text holds for both, so that the bound
# ends before 5. Everything else is ready.
ONLY_IN_FOUR = {"private_dns_zone_virtual_network_link": {"private_dns_zone_name", "resource_group_name"}}


def used_arguments(body: dict[str, Any], block: str = "_top") -> Iterator[tuple[str, str]]:
    for name, value in body.items():
        if name in META:
            continue
        if name == "dynamic":
            for dynamic in value:
                for label, settings in dynamic.items():
                    if label != "__is_block__":
                        yield block, unquoted(label)
                        yield from used_arguments(settings["content"][0], unquoted(label))
            continue
        yield block, name
        if isinstance(value, list) and value and isinstance(value[0], dict) and value[0].get("__is_block__"):
            for nested in value:
                yield from used_arguments(nested, name)


@pytest.mark.skipif(not (SHARED / "schemas").is_dir(), reason="needs the providers' arguments in ../shared/schemas")
def test_azure_is_ready_for_azurerm_5() -> None:
    known = json.loads((SHARED / "schemas" / "azurerm-v5.2.0-docs-arguments.json").read_text("utf-8"))
    unknown: dict[str, set[str]] = {}
    for folder in OUR_MODULES:
        for path in sorted(folder.glob("*.tf")):
            for block in parsed(path).get("resource", []):
                for kind, named in block.items():
                    resource = unquoted(kind).removeprefix("azurerm_")
                    for body in named.values() if unquoted(kind).startswith("azurerm_") and resource in known else ():
                        arguments = set(used_arguments(body))
                        wrong = {
                            name
                            for part, name in arguments
                            if part in known[resource] and name not in known[resource][part]
                        }
                        if wrong:
                            unknown[resource] = unknown.get(resource, set()) | wrong
    assert unknown == ONLY_IN_FOUR


# --- Terraform on the providers' schemas ---


def schema_mirror() -> Path:
    """The mirror of schema providers, built once for each state of its sources."""
    for tool in ("terraform", "go"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    if not PROVIDER_SOURCE.is_file():
        pytest.skip("the schema provider is not here: ../shared/tfschema")
    sources = [*sorted(PROVIDER_SOURCE.parent.iterdir()), *sorted((SHARED / "schemas").glob("*.json"))]
    digest = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in sources if path.is_file()))
    target = ROOT / ".cache" / "tfschema" / digest.hexdigest()[:16]
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(dir=target.parent))
        subprocess.run([PROVIDER_SOURCE, building], check=True, capture_output=True, env=environment())
        try:
            building.rename(target)
        except OSError:  # another session was faster
            shutil.rmtree(building)
    return target


def environment() -> dict[str, str]:
    return os.environ | {
        "ARM_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000000",
        "CHECKPOINT_DISABLE": "1",
        "GOOGLE_PROJECT": "mlops-test",
        "TF_CLI_CONFIG_FILE": os.devnull,
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
    }


@pytest.fixture(scope="session")
def mirror() -> Path:
    return schema_mirror()


@dataclass(frozen=True)
class Workspace:
    """A copy of the tree, so that no lock file, state or plugin folder is left in the repository."""

    folder: Path
    mirror: Path

    def run(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        command = ["terraform", f"-chdir={self.folder}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
        assert done.returncode in codes, f"{' '.join(arguments)}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done

    def init(self) -> None:
        self.run("init", "-no-color", "-backend=false", f"-plugin-dir={self.mirror}")

    def plan(self, *arguments: str) -> dict[str, Any]:
        self.run("plan", "-no-color", "-out=plan", *arguments)
        return dict(json.loads(self.run("show", "-json", "plan").stdout))

    def state(self) -> list[str]:
        return self.run("state", "list").stdout.split()


def changes(plan: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    found = {change["address"]: tuple(change["change"]["actions"]) for change in plan.get("resource_changes", [])}
    return {address: actions for address, actions in found.items() if actions not in {("no-op",), ("read",)}}


@pytest.fixture
def workspace(request: pytest.FixtureRequest, tmp_path: Path, mirror: Path) -> Workspace:
    folder: Path = request.param
    ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*")
    shutil.copytree(MODULES, tmp_path / "modules", ignore=ignored)
    shutil.copytree(ENVIRONMENTS, tmp_path / "environments", ignore=ignored)
    copy = Workspace(tmp_path / folder.relative_to(TERRAFORM), mirror)
    copy.init()
    return copy


def test_everything_is_formatted() -> None:
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    command = ["terraform", "fmt", "-check", "-recursive", *OUR_MODULES, *OUR_ROOTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.terraform
@pytest.mark.parametrize("workspace", OUR_MODULES, ids=relative, indirect=True)
def test_modules_keep_their_claims(workspace: Workspace) -> None:
    done = workspace.run("test", "-no-color")
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", done.stdout), done.stdout


@pytest.mark.terraform
@pytest.mark.parametrize("workspace", OUR_ROOTS, ids=relative, indirect=True)
def test_root_is_applied_changed_and_destroyed(workspace: Workspace, contract: Contract) -> None:
    cloud = workspace.folder.parent.name
    workspace.run("validate", "-no-color")

    plan = workspace.plan()
    assert set(changes(plan).values()) == {("create",)}
    assert_marked(plan)

    workspace.run("apply", "-no-color", "plan")
    assert len(workspace.state()) >= len(changes(plan))
    workspace.run("plan", "-no-color", "-detailed-exitcode")
    assert_no_secret(workspace)
    assert_outputs(workspace, contract)

    assert_change_is_seen(workspace, cloud)
    workspace.run("destroy", "-no-color", "-auto-approve")
    assert workspace.state() == []


LABEL_FIELDS = {"azurerm": ("tags",), "google": ("labels", "resource_labels", "user_labels")}


def planned_resources(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from planned_resources(child)


def assert_marked(plan: dict[str, Any]) -> None:
    """Whatever can carry tags carries the deployment's id: sweeps search for it."""
    unmarked = [
        resource["address"]
        for resource in planned_resources(plan["planned_values"]["root_module"])
        for field in LABEL_FIELDS.get(resource["type"].split("_")[0], ())
        if field in resource["values"] and "deployment-id" not in (resource["values"][field] or {})
    ]
    assert unmarked == []


def assert_no_secret(workspace: Workspace) -> None:
    """No generated value is in plan, state or their neighbours. Each of ours starts alike."""
    for path in workspace.folder.iterdir():
        if path.is_file() and path.suffix != ".tf":
            assert b"Pw1-" not in path.read_bytes(), path
    shown = workspace.run("show", "-json", "plan").stdout
    assert "Pw1-" not in shown


def assert_outputs(workspace: Workspace, contract: Contract) -> None:
    outputs = json.loads(workspace.run("output", "-json").stdout)
    assert set(contract.outputs) <= set(outputs)
    assert not [
        name for name, output in outputs.items() if output["sensitive"] or "null" in json.dumps(output["value"])
    ]
    assert set(outputs["artifact_stores"]["value"]) == {"argo", "mlflow"}
    assert {"argo-cd-admin", "grafana-admin", "mlflow-flask-key"} <= set(outputs["secrets"]["value"])
    for component, identity in outputs["identities"]["value"].items():
        assert set(identity) == {"namespace", "service_account", "principal", "annotations", "pod_labels"}, component
    for pool in outputs["node_pools"]["value"].values():
        assert pool["labels"]["mlops.io/pool"] == pool["name"]


def assert_change_is_seen(workspace: Workspace, cloud: str) -> None:
    """A size is changed in place; what the cloud cannot change is announced as a replacement."""
    changed = changes(workspace.plan("-var=node_pools={general={max=5,desired=3}}"))
    replaced = changes(workspace.plan(*REPLACING[cloud]))
    cluster = f"module.platform.module.cluster.{CLUSTER_TYPES[cloud]}.this"
    assert replaced[cluster] in {("delete", "create"), ("create", "delete")}
    if cloud == "local":
        assert changed == {cluster: ("delete", "create")}, "Kind configures nodes at birth only"
    else:
        assert set(changed.values()) == {("update",)}
        assert all(".module.node_pools." in address for address in changed)


CLUSTER_TYPES = {"azure": "azurerm_kubernetes_cluster", "gcp": "google_container_cluster", "local": "kind_cluster"}
REPLACING = {
    "azure": ["-var=region=northeurope"],
    "gcp": ["-var=region=europe-west1"],
    "local": ["-var=kubernetes_version=1.36"],
}


@pytest.mark.terraform
@pytest.mark.parametrize("workspace", [path for path in OUR_ROOTS if path.name == "prod"], ids=relative, indirect=True)
def test_a_new_version_of_the_secrets_changes_them_and_the_database(workspace: Workspace) -> None:
    cloud = workspace.folder.parent.name
    workspace.plan()
    workspace.run("apply", "-no-color", "plan")
    changed = changes(workspace.plan(f"-var={cloud}={{secrets_version=2}}"))
    assert any(".module.secrets." in address for address in changed)
    assert any(".module.database" in address for address in changed)
    assert not [
        address for address in changed if ".module.secrets." not in address and ".module.database" not in address
    ]


@pytest.mark.terraform
def test_checkov_finds_nothing_unexplained(tmp_path: Path) -> None:
    checkov = os.environ.get("CHECKOV") or shutil.which("checkov")
    if checkov is None:
        pytest.skip("checkov is not installed (it cannot share our environment): set CHECKOV to its path")
    for folder in (*OUR_MODULES, *OUR_ROOTS, MODULES / "labels"):
        shutil.copytree(
            folder, tmp_path / folder.relative_to(TERRAFORM), ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*")
        )
    command = [checkov, "-d", tmp_path, "--quiet", "--compact", "--skip-download", "-o", "json"]
    command += ["--framework", "terraform", "secrets"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    reports = json.loads(done.stdout)
    reports = reports if isinstance(reports, list) else [reports]
    assert sum(report["summary"]["passed"] for report in reports) > 100
    failed = [check for report in reports for check in report["results"]["failed_checks"]]
    assert [(check["check_id"], check["file_path"]) for check in failed] == []


# --- prices ---


@pytest.mark.parametrize(
    "path", sorted((ROOT / "infrastructure" / "prices").glob("*.yaml")), ids=lambda path: path.name
)
def test_price_tables_say_of_when_and_whence_they_are(path: Path) -> None:
    table_of_prices = yaml.safe_load(path.read_text("utf-8"))
    assert path.stem == f"{table_of_prices['cloud']}-{table_of_prices['region']}"
    assert table_of_prices["currency"] == "USD"
    assert table_of_prices["source"]
    assert isinstance(table_of_prices["date"], date)
    assert isinstance(table_of_prices["verified"], bool)


@pytest.mark.parametrize("name", ["azure-westeurope", "gcp-europe-west4"])
def test_prices_are_of_resources_that_the_modules_make(name: str) -> None:
    table_of_prices = yaml.safe_load((ROOT / "infrastructure" / "prices" / f"{name}.yaml").read_text("utf-8"))
    made = {unquoted(kind) for folder in OUR_MODULES for kind in blocks(folder, "resource")}
    assert set(table_of_prices["prices"]) | set(table_of_prices["usage"]) <= made
    for entries in table_of_prices["prices"].values():
        for entry in entries:
            assert entry["per"] in {"hour", "day", "month", "gb_month"}
            assert all(price >= 0 for price in entry.get("values", {"": entry.get("value", -1)}).values())


@pytest.mark.parametrize("cloud", ["azure", "gcp"])
def test_every_regular_size_of_a_profile_has_a_price(cloud: str) -> None:
    (path,) = (ROOT / "infrastructure" / "prices").glob(f"{cloud}-*.yaml")
    known = set(re.findall(r"\b[\w-]+(?=: [0-9])", path.read_text("utf-8")))
    profiles = (MODULES / f"{cloud}-platform" / "profiles.tf").read_text("utf-8")
    sizes = set(re.findall(r'instance_types? += \[?"([^"]+)"', profiles))
    assert sizes
    assert sizes - known == set()
