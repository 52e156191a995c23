"""`mlops` as it is installed, but with a Terraform root of a few resources, on a stand-in for AWS that can fail."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from aws_proxy import Proxy, serving
from botocore.exceptions import ClientError
from terraform_fixtures import MIRROR, REGION, StandIn

from platform_cli.clouds.aws.state_bucket import S3Store
from platform_cli.config import Config

ROOT = Path(__file__).resolve().parent.parent
SMALL = ROOT / "tests" / "fixtures" / "terraform"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.splitlines()]

    def document(self, kind: str) -> dict[str, Any]:
        return next(found for found in self.documents if found["type"] == kind)


@dataclass
class Project:
    """A user's folder and the `mlops` in it, on AWS as the proxy shows it; `output` is all that was ever written."""

    folder: Path
    package: Path
    proxy: Proxy
    stand_in: StandIn
    name: str
    environment: dict[str, str] = field(default_factory=dict)
    output: list[str] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / ".mlops" / "aws-dev"

    @property
    def state_file(self) -> Path:
        return self.home / "terraform" / "state" / "terraform.tfstate"

    def command(self, *words: str) -> list[str]:
        program = "from platform_cli.cli.start import main; main()"
        return [sys.executable, "-c", program, *words, "--cloud", "aws", "--env", "dev"]

    def env(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "MLOPS_"))}
        ours = {
            "PYTHONPATH": str(self.package),
            "AWS_ENDPOINT_URL": self.proxy.url,
            "TF_CLI_CONFIG_FILE": os.devnull,
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "NO_COLOR": "1",
        }
        return {**kept, **self.stand_in.environment, **ours, **self.environment}

    def run(self, *words: str, code: int | None = 0, **extra: str) -> Ended:
        done = subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env={**self.env(), **extra},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.output += [done.stdout, done.stderr]
        assert code is None or done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A command that goes on while the test does something."""
        return subprocess.Popen(
            self.command(*words),
            cwd=self.folder,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str], code: int) -> Ended:
        out, err = process.communicate(timeout=110)
        self.output += [out, err]
        assert process.returncode == code, f"{process.args}: {process.returncode}\n{out}{err}"
        return Ended(process.returncode, out, err)

    def queues(self) -> list[str]:
        urls = self.stand_in.client("sqs").list_queues(QueueNamePrefix=self.name).get("QueueUrls", [])
        return sorted(url.rpartition("/")[2].removeprefix(f"{self.name}-") for url in urls)

    def repositories(self) -> list[str]:
        found = self.stand_in.client("ecr").describe_repositories()["repositories"]
        return [item["repositoryName"] for item in found if item["repositoryName"].startswith(f"{self.name}-")]

    def secret(self) -> str:
        """The generated value, which must be nowhere but in the cloud."""
        manager = self.stand_in.client("secretsmanager")
        return str(manager.get_secret_value(SecretId=f"{self.name}-secret")["SecretString"])

    def keep_state_in_the_cloud(self, **terraform: Any) -> str:
        """A bucket as bootstrap makes it, named in platform.yaml; returns its name."""
        bucket = f"{self.name}-states"
        S3Store(bucket, REGION, self.stand_in.client("s3")).ensure()
        self.tell(aws={"state_bucket": bucket, "state_region": REGION}, terraform=terraform)
        return bucket

    def state_resources(self) -> list[str]:
        """What the remote state lists that is in the cloud; empty while there is no state."""
        s3 = self.stand_in.client("s3")
        try:
            found = s3.get_object(Bucket=f"{self.name}-states", Key="aws/dev/terraform.tfstate")
        except ClientError:
            return []
        blocks = json.loads(found["Body"].read())["resources"]
        return sorted(f"{block['type']}.{block['name']}" for block in blocks if block["instances"])

    def list_terraforms(self) -> list[psutil.Process]:
        """What works in the target's folder, Terraform before its plugins."""
        below = str(self.home)
        found = [process for process in psutil.process_iter() if cwd_of(process).startswith(below)]
        return sorted(found, key=lambda process: process.create_time())

    def tell(self, **sections: dict[str, Any]) -> None:
        """Write platform.yaml."""
        config: dict[str, Any] = {"version": 1, "name": self.name, "aws": {"region": REGION}}
        config["terraform"] = {"plugin_dirs": [str(MIRROR)]}
        if "components" in Config.model_fields:
            config["components"] = {"install": False}
        for name, values in sections.items():
            config[name] = {**config.get(name, {}), **values}
        (self.folder / "platform.yaml").write_text(json.dumps(config))


def cwd_of(process: psutil.Process) -> str:
    try:
        return process.cwd()
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return ""


@pytest.fixture(scope="session")
def small_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package beside a root of its own: what an installation is, but for the size of the root."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(ROOT / "platform_cli", folder / "platform_cli")
    shutil.copytree(SMALL, folder / "infrastructure" / "terraform")
    shutil.copytree(ROOT / "infrastructure" / "prices", folder / "infrastructure" / "prices")
    (folder / "pipelines" / "training").mkdir(parents=True)
    return folder


@pytest.fixture
def proxy(aws: StandIn) -> Iterator[Proxy]:
    with serving(aws.url) as served:
        yield served


@pytest.fixture
def project(tmp_path: Path, small_package: Path, proxy: Proxy, aws: StandIn) -> Iterator[Project]:
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    if not MIRROR.is_dir():
        pytest.skip(f"no mirror with the AWS provider in {MIRROR}: TERRAFORM_MIRROR names another")
    made = Project(tmp_path / "project", small_package, proxy, aws, f"t{uuid.uuid4().hex[:8]}")
    made.folder.mkdir()
    made.tell()
    yield made
    proxy.heal()
    assert secrets_in(made) == []
    for process in made.list_terraforms():
        process.kill()


def secrets_in(project: Project) -> list[str]:
    """Where the generated value is written, though it may be in the cloud only: outputs, logs, plans, states."""
    try:
        secret = project.secret().encode()
    except ClientError:
        return []
    assert len(secret) == 32
    found = ["output of a command"] if secret.decode() in "".join(project.output) else []
    if not project.home.exists():  # all files went with the platform, or with their disk
        return found
    files = [path for path in project.folder.rglob("*") if path.is_file() and "providers" not in path.parts]
    assert [path for path in files if path.name == "terraform.log"]
    return found + [str(path) for path in files if any(secret in content for content in contents_of(path))]


def contents_of(path: Path) -> Iterator[bytes]:
    """A file, and what is packed in it: a saved plan is an archive."""
    yield path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())
