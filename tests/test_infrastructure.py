"""What lies in `infrastructure/` and `pipelines/`: known places, files that parse, containers that may do little."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
KNOWN_FOLDERS = {
    "infrastructure": {"helm", "prices", "terraform"},
    "infrastructure/terraform": {"environments", "modules"},
    "pipelines": {"batch", "serving", "tracking", "training"},
}
FIVE_STEPS = ["load-data", "validate-data", "feature-engineering", "train-model", "register-model"]


def committed(*patterns: str) -> list[Path]:
    """The files git knows below the two folders, so that a build's left-overs are not judged."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode == 0:
        return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()]


FILES = committed("infrastructure/**", "pipelines/**")
YAML = [path for path in FILES if path.suffix in {".yaml", ".yml"} and "/templates/" not in path.as_posix()]
DOCKERFILES = [path for path in FILES if path.name.startswith("Dockerfile")]
WORKFLOW = ROOT / "pipelines" / "training" / "ml-training-workflow.yaml"


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def documents(path: Path) -> list[Any]:
    return [document for document in yaml.safe_load_all(path.read_text("utf-8")) if document is not None]


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping inside a document."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(child)


# --- places ---


@pytest.mark.parametrize("folder", KNOWN_FOLDERS)
def test_only_known_folders(folder: str) -> None:
    below = {path.relative_to(ROOT / folder).parts for path in committed(f"{folder}/**")}
    assert {parts[0] for parts in below if len(parts) > 1} <= KNOWN_FOLDERS[folder]


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
def test_each_cloud_has_a_root_per_environment(cloud: str) -> None:
    roots = ROOT / "infrastructure" / "terraform" / "environments" / cloud
    for env in ("dev", "staging", "prod"):
        assert (roots / env / "main.tf").is_file(), f"{cloud}/{env}"


@pytest.mark.parametrize(
    ("target", "lock"),
    [
        ("deploy-embedded", "demo"),
        *[(f"{verb}-{cloud}", "dev") for verb in ("deploy", "destroy") for cloud in ("local", "aws")],
    ],
)
def test_a_cloud_gets_the_environment_that_it_needs(target: str, lock: str, tmp_path: Path) -> None:
    words = ["make", "--dry-run", target, f"VENV={tmp_path}/venv"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"requirements/{lock}.lock" in done.stdout
    assert f"bin/mlops {target.partition('-')[0]} --cloud {target.partition('-')[2]} --env dev" in done.stdout


def test_no_state_plan_or_key_is_committed() -> None:
    forbidden = re.compile(r"\.(tfstate|tfplan|pem|key|p12|kubeconfig)(\.|$)|(^|/)\.env$|/\.terraform/")
    assert [name_of(path) for path in committed() if forbidden.search(name_of(path))] == []


# --- YAML ---


@pytest.mark.parametrize("path", YAML, ids=name_of)
def test_yaml_parses(path: Path) -> None:
    assert documents(path), "an empty file"


@pytest.mark.parametrize("path", YAML, ids=name_of)
def test_no_secret_value_in_yaml(path: Path) -> None:
    for document in documents(path):
        for mapping in walk(document):
            is_secret = mapping.get("kind") == "Secret" and "apiVersion" in mapping
            assert not (is_secret and (mapping.get("data") or mapping.get("stringData"))), "only names of Secrets"


def test_secret_scan_finds_nothing() -> None:
    scan = [BIN / "detect-secrets-hook", "--baseline", ROOT / ".secrets.baseline", *FILES]
    done = subprocess.run(scan, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", YAML, ids=name_of)
def test_images_are_pinned(path: Path) -> None:
    for document in documents(path):
        for mapping in walk(document):
            image = mapping.get("image")
            if isinstance(image, str) and image and "{{" not in image:
                assert re.search(r"(:[^:/@]*\d[^:/@]*|@sha256:[0-9a-f]{64})$", image), image
                assert not image.endswith(":latest")


# --- images of ours ---


def instructions(path: Path) -> list[tuple[str, str]]:
    """(INSTRUCTION, rest) of each line, with continued lines joined and comments left out."""
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", path.read_text("utf-8"), flags=re.MULTILINE))
    split = [line.strip().partition(" ") for line in text.splitlines() if line.strip()]
    return [(word.upper(), rest.strip()) for word, _, rest in split]


def test_training_image_is_here() -> None:
    assert ROOT / "pipelines" / "training" / "Dockerfile" in DOCKERFILES


@pytest.mark.parametrize("path", DOCKERFILES, ids=name_of)
def test_base_image_is_pinned(path: Path) -> None:
    stages: set[str] = set()
    arguments = dict(rest.partition("=")[::2] for word, rest in instructions(path) if word == "ARG")
    bases = [rest for word, rest in instructions(path) if word == "FROM"]
    assert bases
    for rest in bases:
        image, *alias = re.split(r"\s+AS\s+", re.sub(r"^--platform=\S+\s+", "", rest), flags=re.IGNORECASE)
        image = re.sub(r"\$\{?(\w+)\}?", lambda found: arguments[found[1]], image)
        assert image in stages or re.search(r":\d+\.\d+[^:/]*$|@sha256:[0-9a-f]{64}$", image), image
        stages.update(alias)


@pytest.mark.parametrize("path", DOCKERFILES, ids=name_of)
def test_image_runs_as_a_numbered_user_other_than_root(path: Path) -> None:
    users = [rest for word, rest in instructions(path) if word == "USER"]
    assert users, "runs as root"
    uid = users[-1].partition(":")[0]
    assert uid.isdigit(), "the kubelet checks runAsNonRoot by number"
    assert int(uid) > 0


@pytest.mark.parametrize("path", DOCKERFILES, ids=name_of)
def test_image_holds_no_secret_and_fetches_nothing_unpinned(path: Path) -> None:
    for word, rest in instructions(path):
        assert word != "ADD", "use COPY"
        assert not (word in {"ENV", "ARG"} and re.search(r"(?i)(password|secret|token|api_?key)\s*=\s*\S", rest))
        if word == "RUN" and "pip install" in rest:
            assert "--requirement" in rest, rest


@pytest.mark.parametrize("path", [path for path in FILES if path.name == "requirements.txt"], ids=name_of)
def test_libraries_of_an_image_are_pinned(path: Path) -> None:
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+(\[[\w,]+\])?==[\w.]+", line)] == []


# --- the training pipeline ---


def training() -> dict[str, Any]:
    return documents(WORKFLOW)[0]


def test_training_pipeline_has_the_five_steps_in_order() -> None:
    templates = {template["name"]: template for template in training()["spec"]["templates"]}
    tasks = {task["name"]: task for task in templates[training()["spec"]["entrypoint"]]["dag"]["tasks"]}
    assert list(tasks) == FIVE_STEPS
    for earlier, later in itertools.pairwise(FIVE_STEPS):
        assert earlier in tasks[later]["dependencies"]


def test_training_pipeline_runs_as_nobody_in_particular() -> None:
    pod = training()["spec"]["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert pod["runAsUser"] > 0
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}


def containers() -> dict[str, dict[str, Any]]:
    kinds = ("container", "script")
    templates = training()["spec"]["templates"]
    return {item["name"]: item[kind] for item in templates for kind in kinds if kind in item}


@pytest.mark.parametrize("step", containers() if WORKFLOW.is_file() else [])
def test_each_container_may_do_little(step: str) -> None:
    container = containers()[step]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("step", FIVE_STEPS)
def test_each_step_has_a_deadline_and_code_that_exists(step: str) -> None:
    template = next(item for item in training()["spec"]["templates"] if item["name"] == step)
    assert template["activeDeadlineSeconds"] <= training()["spec"]["activeDeadlineSeconds"]
    program = Path(template["container"]["command"][-1])
    assert (ROOT / "pipelines" / "training" / "src" / program.name).is_file()


def test_user_of_the_image_is_the_user_of_the_pod() -> None:
    users = [rest for word, rest in instructions(WORKFLOW.with_name("Dockerfile")) if word == "USER"]
    assert int(users[-1].partition(":")[0]) == training()["spec"]["securityContext"]["runAsUser"]
