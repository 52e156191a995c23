"""Terraform through `mlops` beside Terraform alone: the same root, the same state, on a stand-in for AWS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.figure import Figure
from benchmarks.ground import CACHE, MLOPS, ROOT, clean_environment
from benchmarks.race import Contender, race

MIRROR = Path(os.environ.get("TERRAFORM_MIRROR", "/opt/tf-plugins"))
TARGET = ("--cloud", "aws", "--env", "dev")
BY_HAND = "terraform init -input=false {} && terraform plan -input=false -out=plan && terraform apply -input=false plan"


def compare_terraform(rounds: int) -> list[Figure]:
    """What the command adds to Terraform on a root of about a hundred resources that is up to date."""
    folder = CACHE / "clouds"
    with _stand_in() as environment:
        _deploy(folder, environment)
        root = folder / ".mlops" / "aws-dev" / "terraform" / "environments" / "aws" / "dev"
        plan = ("terraform", "plan", "-input=false", "-no-color", "-detailed-exitcode")
        contenders = (
            Contender(name="terraform", argv=plan, cwd=root, env=environment),
            Contender(name="plan", argv=(MLOPS, "plan", *TARGET), cwd=folder, env=environment),
            Contender(name="deploy", argv=(MLOPS, "deploy", "--yes", *TARGET), cwd=folder, env=environment),
            Contender(name="status", argv=(MLOPS, "status", *TARGET), cwd=folder, env=environment),
            Contender(name="offline", argv=(MLOPS, "plan", "--offline", "--all"), cwd=folder, env=environment),
        )
        times = race(contenders, rounds=rounds)
    bare = times["terraform"].median
    beside = {"beside": bare, "beside_name": "bare `terraform plan`"}
    return [
        Figure(what="`mlops plan`, aws/dev up to date", ours=times["plan"].median, **beside),
        Figure(what="`mlops deploy`, nothing to do", ours=times["deploy"].median, **beside),
        Figure(
            what="`mlops deploy`, nothing to do, over the bare plan",
            ours=times["deploy"].median - bare,
            limit=2,
            absolute=True,
        ),
        Figure(what="`mlops status`, recorded state", ours=times["status"].median, limit=2, absolute=True),
        Figure(what="`mlops plan --offline --all`", ours=times["offline"].median, limit=3, absolute=True),
    ]


def compare_first_deploy(rounds: int) -> list[Figure]:
    """What the command adds to Terraform when everything is made; each run on an account of its own.

    Terraform alone asks the account nothing beforehand: with what is promised goes a deploy that does not either.
    """
    seconds: dict[str, list[float]] = {"deploy": [], "unasked": [], "terraform": []}
    for turn in range(rounds):
        with _stand_in("deploy") as first, _stand_in("unasked") as second, _stand_in("bare") as third:
            runners = (
                _deploy_by_us("deploy", first),
                _deploy_by_us("unasked", {**second, "MLOPS_PREFLIGHT_ACCOUNT": "false"}),
                _deploy_by_hand(third),
            )
            for name, times in race(runners if turn % 2 else runners[::-1], rounds=1, warmups=0).items():
                seconds[name].append(times.median)
    middle = {name: median(taken) for name, taken in seconds.items()}
    beside = {"beside": middle["terraform"], "beside_name": "`terraform init`, `plan`, `apply`"}
    return [
        Figure(
            what="`mlops deploy`, aws/dev from nothing, account not asked", ours=middle["unasked"], limit=1.05, **beside
        ),
        Figure(what="`mlops deploy`, aws/dev from nothing", ours=middle["deploy"], **beside),
    ]


def _deploy_by_us(name: str, environment: dict[str, str]) -> Contender:
    folder = _make_project(CACHE / f"clouds-{name}")
    return Contender(name=name, argv=(MLOPS, "deploy", "--yes", *TARGET), cwd=folder, env=environment)


def _deploy_by_hand(environment: dict[str, str]) -> Contender:
    folder = CACHE / "clouds-by-hand"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "infrastructure" / "terraform", folder, ignore=shutil.ignore_patterns(".terraform*"))
    mirror = f"-plugin-dir={MIRROR}" if MIRROR.is_dir() else ""
    root = folder / "environments" / "aws" / "dev"
    return Contender(name="terraform", argv=("sh", "-c", BY_HAND.format(mirror)), cwd=root, env=environment)


@contextmanager
def _stand_in(name: str = "stand-in") -> Iterator[dict[str, str]]:
    """The tests' stand-in for AWS in a process of its own; yields the environment that leads to it."""
    command = [sys.executable, "-m", "aws_stand_in"]
    with (
        (CACHE / f"{name}.log").open("w") as log,
        subprocess.Popen(command, cwd=ROOT / "tests", stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout
        try:
            yield clean_environment(
                AWS_ACCESS_KEY_ID="test",
                AWS_SECRET_ACCESS_KEY="test",
                AWS_ENDPOINT_URL=process.stdout.readline().strip(),
                AWS_EC2_METADATA_DISABLED="true",
                AWS_MAX_ATTEMPTS="2",
                MLOPS_COMPONENTS_INSTALL="false",
                TF_CLI_CONFIG_FILE=os.devnull,
            )
        finally:
            process.terminate()


def _make_project(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mirror = {"terraform": {"plugin_dirs": [str(MIRROR)]}} if MIRROR.is_dir() else {}
    (folder / "platform.yaml").write_text(json.dumps({"version": 1, "name": "bench", **mirror}), "utf-8")
    return folder


def _deploy(folder: Path, environment: dict[str, str]) -> None:
    _make_project(folder)
    argv = [str(MLOPS), "deploy", "--yes", *TARGET]
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
