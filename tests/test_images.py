"""The images: what their Dockerfiles promise, and the two programs that only images run."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hcl2
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from serving_fixtures import Registered
from target_samples import make_config, make_outputs

from platform_cli.cluster.value_site import image_of

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ("training", "serving", "tracking")
LOCKED = ("serving", "tracking")
ECR = ROOT / "infrastructure" / "terraform" / "modules" / "aws-registry"
INITIALIZER = ROOT / "pipelines" / "serving" / "src" / "storage_initializer.py"
TRACKING = ROOT / "pipelines" / "tracking" / "src" / "tracking_server.py"


def instructions(text: str) -> list[tuple[str, str]]:
    """A Dockerfile's instructions and what they say, on one line each, without comments."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in whole.splitlines())]


def faults(text: str) -> list[str]:
    """What a Dockerfile does that none of ours may."""
    found = []
    told = instructions(text)
    for word, rest in told:
        if word == "FROM" and not re.fullmatch(r"\S+(:(?!latest\b)[\w.-]+|@sha256:[0-9a-f]{64})( AS \w+)?", rest):
            found.append(f"base is not pinned: {rest}")
        if word == "ADD":
            found.append(f"ADD fetches and unpacks: {rest}")
        if word in ("ENV", "ARG") and re.search(r"(?i)(password|secret|token|api_?key)", rest):
            found.append(f"a secret in the image: {rest}")
        if word == "RUN" and re.search(r"curl|wget|chmod 777|sudo", rest):
            found.append(f"fetches or opens too much: {rest}")
        if word == "RUN" and "pip install" in rest and not ("--no-cache-dir" in rest and "--requirement" in rest):
            found.append(f"installs what is not pinned: {rest}")
        if word == "RUN" and "apt-get install" in rest and "rm -rf /var/lib/apt/lists" not in rest:
            found.append(f"keeps apt's lists: {rest}")
    users = [rest for word, rest in told if word == "USER"]
    if not users or not re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", users[-1]):
        found.append(f"runs as root, or as a name that Kubernetes cannot check: {users}")
    return found


@pytest.mark.parametrize("image", IMAGES)
def test_dockerfiles_keep_the_rules(image: str) -> None:
    assert faults((ROOT / "pipelines" / image / "Dockerfile").read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("FROM python\nUSER 1", "base is not pinned"),
        ("FROM python:latest\nUSER 1", "base is not pinned"),
        ("FROM python:3.11-slim", "runs as root"),
        ("FROM python:3.11-slim\nUSER mlops", "runs as root"),
        ("FROM python:3.11-slim\nUSER 0", "runs as root"),
        ("FROM python:3.11-slim\nADD http://example.com/x /x\nUSER 1", "ADD"),
        ("FROM python:3.11-slim\nENV API_KEY=1\nUSER 1", "a secret"),
        ("FROM python:3.11-slim\nRUN pip install \\\n  numpy\nUSER 1", "installs what is not pinned"),
        ("FROM python:3.11-slim\nRUN curl x | sh\nUSER 1", "fetches"),
    ],
)
def test_the_rules_see_what_they_forbid(text: str, fault: str) -> None:
    assert [found for found in faults(text) if found.startswith(fault)]


@pytest.mark.parametrize("image", IMAGES)
def test_what_is_copied_is_there(image: str) -> None:
    folder = ROOT / "pipelines" / image
    copied = [rest.split()[0] for word, rest in instructions((folder / "Dockerfile").read_text()) if word == "COPY"]
    assert copied
    assert [name for name in copied if not (folder / name).exists()] == []


@pytest.mark.parametrize("image", LOCKED)
def test_locks_hold_what_is_required_with_hashes(image: str) -> None:
    folder = ROOT / "pipelines" / image
    locked = dict(
        re.findall(r"(?m)^([\w.-]+)==(\S+) \\\n    --hash=sha256:", (folder / "requirements.lock").read_text())
    )
    every = re.findall(r"(?m)^[\w.-]+==", (folder / "requirements.lock").read_text())
    required = [line for line in (folder / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    wanted = {canonicalize_name(Requirement(line).name): Requirement(line) for line in required}
    assert len(every) == len(locked)
    assert {name: locked.get(name) for name, need in wanted.items() if locked.get(name) not in need.specifier} == {}


def test_each_image_has_a_repository_where_a_push_makes_none() -> None:
    """ECR wants every repository before the first push; Azure's and Google's registries make them."""
    config, outputs = make_config("aws"), make_outputs("aws")
    pulled = {image_of(name, config, outputs) for name in IMAGES}
    assert {path.parent.name for path in (ROOT / "pipelines").glob("*/Dockerfile")} == set(IMAGES)
    names = {image.removeprefix(f"{outputs.registry_url}/").rpartition(":")[0] for image in pulled}
    variables = hcl2.loads((ECR / "variables.tf").read_text("utf-8"))["variable"]
    [made] = [body["default"] for block in variables for name, body in block.items() if "repositories" in name]
    assert {name.strip('"') for name in made} == names


def test_the_training_and_serving_images_agree() -> None:
    """A model is loaded with the versions that it was trained with."""
    versions = []
    for image in ("training", "serving"):
        lines = (ROOT / "pipelines" / image / "requirements.txt").read_text().splitlines()
        found = dict(line.replace("mlflow-skinny", "mlflow").split("==") for line in lines if "==" in line)
        versions.append(found)
    shared = versions[0].keys() & versions[1].keys()
    assert {"mlflow", "numpy", "pandas", "scikit-learn", "joblib"} <= shared
    assert {name for name in shared if versions[0][name] != versions[1][name]} == set()


def load(path: Path) -> Any:
    """A program's module, without running it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


Initializer = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def initialize(registered_models: Registered) -> Iterator[Initializer]:
    def run(*argv: object, uri: str = registered_models.uri) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "MLFLOW_TRACKING_URI": uri, "HOME": "/nonexistent"}
        command = [sys.executable, str(INITIALIZER), *map(str, argv)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    yield run


@pytest.mark.xdist_group("serving")
def test_a_model_is_fetched_whole_over_what_was_there(initialize: Initializer, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    (folder / ".fetch-old").mkdir(parents=True)
    (folder / "MLmodel").write_text("of an attempt that was cut off")
    done = initialize("mlflow://models/iris/2", folder)
    assert (done.returncode, done.stdout.strip()) == (0, f"model 'iris' version 2 is in {folder}"), done.stderr
    assert "model_id" in (folder / "MLmodel").read_text()
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".fetch")]


@pytest.mark.xdist_group("serving")
@pytest.mark.parametrize(
    ("argv", "status", "reason"),
    [
        (("mlflow://models/iris/99", "there"), 3, "MLflow has no model 'iris' version 99"),
        (("mlflow://models/tulip/1", "there"), 3, "MLflow has no model 'tulip' version 1"),
        (("mlflow://models/iris", "there"), 2, "names no model version"),
        (("s3://bucket/iris", "there"), 2, "names no model version"),
        (("mlflow://models/iris/1",), 2, "usage:"),
    ],
)
def test_the_last_line_says_why_there_is_no_model(
    initialize: Initializer, tmp_path: Path, argv: tuple[str, ...], status: int, reason: str
) -> None:
    done = initialize(*(tmp_path / word if word == "there" else word for word in argv))
    assert done.returncode == status, done.stderr
    assert reason in done.stderr.splitlines()[-1]


@pytest.mark.xdist_group("serving")
def test_a_registry_that_does_not_answer_is_named_without_its_password(initialize: Initializer, tmp_path: Path) -> None:
    done = initialize("mlflow://models/iris/1", tmp_path / "models", uri="http://user:hidden@127.0.0.1:9")
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert "cannot fetch iris/1 through http://127.0.0.1:9: " in last
    assert "refused" in last
    assert "hidden" not in done.stderr


@pytest.fixture
def tracking() -> Any:
    return load(TRACKING)


WANTED = {"MLFLOW_BACKEND_STORE_URI": "sqlite:////data/mlflow.db", "MLFLOW_ARTIFACTS_DESTINATION": "/data/artifacts"}


def test_the_server_takes_its_settings_from_the_environment(tracking: Any) -> None:
    settings = tracking.read_settings({**WANTED, "MLFLOW_WORKERS": "7", "MLFLOW_PORT": "tcp://10.96.0.7:5000"})
    assert settings["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert (settings["MLFLOW_WORKERS"], settings["MLFLOW_PORT"]) == ("7", "5000")


def test_a_database_in_parts_is_one_address(tracking: Any) -> None:
    parts = {"DATABASE_HOST": "db", "DATABASE_NAME": "mlflow", "DATABASE_USER": "me", "DATABASE_PASSWORD": "p@ss/w:rd"}
    artifacts = {"MLFLOW_ARTIFACTS_DESTINATION": "s3://bucket/mlflow"}
    settings = tracking.read_settings({**artifacts, **parts, "DATABASE_SSLMODE": "require"})
    expected = "postgresql+psycopg2://me:p%40ss%2Fw%3Ard@db:5432/mlflow?sslmode=require"
    assert settings["MLFLOW_BACKEND_STORE_URI"] == expected


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, "DATABASE_HOST, DATABASE_NAME, DATABASE_USER, DATABASE_PASSWORD"),
        ({"DATABASE_HOST": "db", "DATABASE_NAME": "m", "DATABASE_USER": "u"}, "or DATABASE_PASSWORD"),
        ({"MLFLOW_BACKEND_STORE_URI": "sqlite:///x"}, "MLFLOW_ARTIFACTS_DESTINATION is not set"),
    ],
)
def test_settings_that_are_missing_are_named(given: dict[str, str], missing: str) -> None:
    environment = {"PATH": os.environ["PATH"], **given}
    done = subprocess.run([sys.executable, TRACKING], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert missing in done.stderr


# The server's modules make themselves a store where they are imported: not in this process.
ASK = """
import json, sys
from mlflow.server.security_utils import is_allowed_host_header
allowed, asked = json.load(sys.stdin)
json.dump([host for host in asked if is_allowed_host_header(allowed, host)], sys.stdout)
"""


def test_only_hosts_of_ours_are_answered(tracking: Any, tmp_path: Path) -> None:
    """By MLflow's own comparison: the Service under all its names, forwards, pods by address, what is public."""
    environment = {"SERVICE_NAME": "mlflow", "SERVICE_NAMESPACE": "ml", "PUBLIC_HOSTS": "mlflow.example.com, other.org"}
    ours = ["127.0.0.1:49152", "localhost:5000", "mlflow.ml:5000", "mlflow.ml.svc.cluster.local:5000", "mlflow.ml.svc"]
    ours += ["10.244.0.7:5000", "172.20.3.4:5000", "mlflow.example.com"]
    foreign = ["evil.org", "mlflow.evil.org:5000", "mlflow.other.svc:5000", "8.8.8.8:5000", "172.32.0.1:5000"]
    asked = json.dumps([tracking.list_hosts(environment), [*ours, *foreign]])
    argv = [sys.executable, "-c", ASK]
    done = subprocess.run(argv, cwd=tmp_path, input=asked, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ours


def test_tables_are_made_once_and_kept(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{tmp_path / 'mlflow.db'}",
        "MLFLOW_ARTIFACTS_DESTINATION": str(tmp_path),
    }
    argv = [sys.executable, str(TRACKING), "migrate"]
    for _ in range(2):
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
    from platform_cli.tools.mlflow import read_revision

    assert read_revision(tmp_path / "mlflow.db")
