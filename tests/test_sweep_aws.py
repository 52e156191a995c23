"""The search for what a deployment left on AWS: by tags, by the cluster's tags and by names, on the stand-in."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests
from terraform_fixtures import REGION, StandIn
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from platform_cli.clouds.aws.snapshot import drop_snapshots
from platform_cli.clouds.aws.sweep import sweep
from platform_cli.clouds.terraform import Deployment, Swept
from platform_cli.clouds.terraform.search import Probe, Search

OURS = Deployment(id="sweep-1", region=REGION, prefix="swept-core-dev", cluster="swept-core-dev")
MARK = {"deployment-id": OURS.id}
OWNED = {f"kubernetes.io/cluster/{OURS.cluster}": "owned"}
IMAGE = "ami-12c6146b"


@pytest.fixture
def account(aws: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    return aws


def tagged(kind: str, tags: dict[str, str]) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def search(deployment: Deployment = OURS) -> Swept:
    return sweep(deployment, None, patience_s=0.0)


def volume(aws: StandIn) -> tuple[str, Callable[[], object]]:
    """As the CSI driver makes it, known by the cluster's tag only."""
    ec2 = aws.client("ec2")
    made = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1, TagSpecifications=tagged("volume", OWNED))
    return f"volumes: {made['VolumeId']}", lambda: ec2.delete_volume(VolumeId=made["VolumeId"])


def snapshot(aws: StandIn) -> tuple[str, Callable[[], object]]:
    ec2 = aws.client("ec2")
    disk = ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"]
    made = ec2.create_snapshot(VolumeId=disk, TagSpecifications=tagged("snapshot", MARK))["SnapshotId"]
    ec2.delete_volume(VolumeId=disk)
    return f"volume snapshots: {made}", lambda: ec2.delete_snapshot(SnapshotId=made)


def group(aws: StandIn) -> tuple[str, Callable[[], object]]:
    ec2 = aws.client("ec2")
    tags = {"elbv2.k8s.aws/cluster": OURS.cluster}
    made = ec2.create_security_group(
        GroupName="k8s-traffic-1", Description="x", TagSpecifications=tagged("security-group", tags)
    )["GroupId"]
    return f"security groups: {made}", lambda: ec2.delete_security_group(GroupId=made)


def interface(aws: StandIn) -> tuple[str, Callable[[], object]]:
    """As the CNI leaves it."""
    ec2 = aws.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    tags = {"cluster.k8s.amazonaws.com/name": OURS.cluster}
    made = ec2.create_network_interface(SubnetId=subnet, TagSpecifications=tagged("network-interface", tags))
    name = made["NetworkInterface"]["NetworkInterfaceId"]
    return f"network interfaces: {name}", lambda: ec2.delete_network_interface(NetworkInterfaceId=name)


def template(aws: StandIn) -> tuple[str, Callable[[], object]]:
    """As Karpenter leaves it."""
    ec2 = aws.client("ec2")
    tags = {"karpenter.k8s.aws/cluster": OURS.cluster}
    made = ec2.create_launch_template(
        LaunchTemplateName="karpenter.k8s.aws/1",
        LaunchTemplateData={"ImageId": IMAGE},
        TagSpecifications=tagged("launch-template", tags),
    )["LaunchTemplate"]["LaunchTemplateId"]
    return f"launch templates: {made}", lambda: ec2.delete_launch_template(LaunchTemplateId=made)


def address(aws: StandIn) -> tuple[str, Callable[[], object]]:
    ec2 = aws.client("ec2")
    made = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", MARK))["AllocationId"]
    return f"addresses: {made}", lambda: ec2.release_address(AllocationId=made)


def balancer(aws: StandIn) -> tuple[str, Callable[[], object]]:
    elb, ec2 = aws.client("elbv2"), aws.client("ec2")
    subnets = [item["SubnetId"] for item in ec2.describe_subnets()["Subnets"]][:2]
    tags = [{"Key": "elbv2.k8s.aws/cluster", "Value": OURS.cluster}]
    made = elb.create_load_balancer(Name="k8s-one", Subnets=subnets, Tags=tags)["LoadBalancers"][0]["LoadBalancerArn"]
    return f"load balancers: {made}", lambda: elb.delete_load_balancer(LoadBalancerArn=made)


def target_group(aws: StandIn) -> tuple[str, Callable[[], object]]:
    elb, ec2 = aws.client("elbv2"), aws.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    tags = [{"Key": "elbv2.k8s.aws/cluster", "Value": OURS.cluster}]
    made = elb.create_target_group(Name="k8s-one", Protocol="TCP", Port=80, VpcId=vpc, Tags=tags)
    arn = made["TargetGroups"][0]["TargetGroupArn"]
    return f"target groups: {arn}", lambda: elb.delete_target_group(TargetGroupArn=arn)


def log_group(aws: StandIn) -> tuple[str, Callable[[], object]]:
    """EKS makes it again after its deletion."""
    logs, name = aws.client("logs"), f"/aws/eks/{OURS.cluster}/cluster"
    logs.create_log_group(logGroupName=name)
    return f"log groups: {name}", lambda: logs.delete_log_group(logGroupName=name)


def bucket(aws: StandIn) -> tuple[str, Callable[[], object]]:
    s3, name = aws.client("s3"), f"{OURS.prefix}-mlflow-1"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return f"buckets: {name}", lambda: s3.delete_bucket(Bucket=name)


def role(aws: StandIn) -> tuple[str, Callable[[], object]]:
    iam, name = aws.client("iam"), f"{OURS.prefix}-role-mlflow"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    return f"roles: {name}", lambda: iam.delete_role(RoleName=name)


def profile(aws: StandIn) -> tuple[str, Callable[[], object]]:
    """As Karpenter names it."""
    iam, name = aws.client("iam"), f"{OURS.cluster}_123"
    iam.create_instance_profile(InstanceProfileName=name)
    return f"instance profiles: {name}", lambda: iam.delete_instance_profile(InstanceProfileName=name)


def provider(aws: StandIn) -> tuple[str, Callable[[], object]]:
    iam = aws.client("iam")
    made = iam.create_open_id_connect_provider(
        Url="https://oidc.example/id/SWEPT", Tags=[{"Key": "deployment-id", "Value": OURS.id}], ThumbprintList=[]
    )["OpenIDConnectProviderArn"]
    return f"OIDC providers: {made}", lambda: iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=made)


def queue(aws: StandIn) -> tuple[str, Callable[[], object]]:
    """Anything else that carries our tag."""
    sqs = aws.client("sqs")
    made = sqs.create_queue(QueueName="any-name", tags=MARK)["QueueUrl"]
    title = f"resources with the tag deployment-id={OURS.id} in {REGION}"
    return f"{title}: arn:aws:sqs:{REGION}:123456789012:any-name", lambda: sqs.delete_queue(QueueUrl=made)


MADE = [
    volume,
    snapshot,
    group,
    interface,
    template,
    address,
    balancer,
    target_group,
    log_group,
    bucket,
    role,
    profile,
    provider,
    queue,
]


def test_each_kind_of_leftover_is_found_once_and_only_as_ours(account: StandIn) -> None:
    made = [make(account) for make in MADE]
    try:
        assert sorted(search().leftovers) == sorted(line for line, _ in made)
        other = Deployment(id="another", region=REGION, prefix="swept-core-de", cluster="swept-core-de")
        assert search(other).leftovers == ()
    finally:
        for _, remove in reversed(made):
            remove()
    found = search()
    assert (found.leftovers, found.unchecked, found.kept) == ((), (), ())
    assert {"volumes", "roles"} <= set(found.checked[0].removeprefix("no ").split(", "))


def test_an_instance_is_found_until_it_ends(account: StandIn) -> None:
    ec2 = account.client("ec2")
    made = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, TagSpecifications=tagged("instance", MARK))
    name = made["Instances"][0]["InstanceId"]
    assert f"instances: {name}" in search().leftovers
    ec2.terminate_instances(InstanceIds=[name])
    assert search().leftovers == ()


def test_what_was_kept_on_purpose_or_is_another_s_is_no_leftover(account: StandIn) -> None:
    line, remove = bucket(account)
    name = line.removeprefix("buckets: ")
    try:
        assert search(dataclasses.replace(OURS, kept=frozenset({name}))).leftovers == ()
        tags = {"TagSet": [{"Key": "deployment-id", "Value": "another"}]}
        account.client("s3").put_bucket_tagging(Bucket=name, Tagging=tags)
        assert search().leftovers == ()
    finally:
        remove()


def test_without_a_prefix_it_is_told_that_names_were_not_searched(account: StandIn) -> None:
    assert search(Deployment(id="x", region=REGION)).unchecked == ("names: what all begin with is not known",)


def test_snapshots_that_were_kept_are_deleted_and_absent_ones_are_fine(account: StandIn) -> None:
    rds = account.client("rds")
    rds.create_db_instance(
        DBInstanceIdentifier="swept", DBInstanceClass="db.t4g.micro", Engine="postgres", AllocatedStorage=20
    )
    rds.create_db_snapshot(
        DBSnapshotIdentifier="kept-1",
        DBInstanceIdentifier="swept",
        Tags=[{"Key": "deployment-id", "Value": OURS.id}],
    )
    rds.delete_db_instance(DBInstanceIdentifier="swept", SkipFinalSnapshot=True)
    assert search().leftovers == ("database snapshots: kept-1",)
    drop_snapshots(OURS, ("kept-0", "kept-1"), None)
    assert search().leftovers == ()


# --- what is refused, throttled or slow ---


def test_without_good_credentials_an_account_is_not_taken_for_clean(
    account: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "absent"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "absent"))
    (told,) = search().unchecked
    assert told == "AWS: Unable to locate credentials"


@dataclasses.dataclass(frozen=True)
class Refusals:
    """AWS that refuses some calls by name and passes the rest on to the stand-in: missing permissions, throttling."""

    behind: str
    refused: dict[str, tuple[int, str]]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        found = next((answer for call, answer in self.refused.items() if call.encode() in request.get_data()), None)
        return (refusal(*found) if found else self.forward(request))(environ, start_response)

    def forward(self, request: Request) -> Response:
        got = requests.request(
            request.method,
            self.behind + request.environ["REQUEST_URI"],
            data=request.get_data(),
            headers=dict(request.headers),
            timeout=60,
        )
        return Response(got.content, status=got.status_code, content_type=got.headers.get("Content-Type"))


def refusal(status: int, code: str) -> Response:
    text = f"<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>"
    return Response(text, status=status, content_type="text/xml")


@pytest.fixture
def refusing(account: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    refused = {"DescribeVolumes": (403, "UnauthorizedOperation"), "DescribeAddresses": (503, "RequestLimitExceeded")}
    server = make_server("127.0.0.1", 0, Refusals(account.url, refused), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_may_not_be_asked_is_told_and_the_rest_is_asked(refusing: None, account: StandIn) -> None:
    line, remove = role(account)
    try:
        found = search()
    finally:
        remove()
    assert found.leftovers == (line,)
    refused = dict(entry.split(": ", 1) for entry in found.unchecked)
    assert set(refused) == {"volumes", "addresses"}
    assert "UnauthorizedOperation" in refused["volumes"]
    assert "RequestLimitExceeded" in refused["addresses"]
    assert "volumes" not in "".join(found.checked).replace("volume snapshots", "").split(", ")


class Lingering:
    """Something that is still listed for a while after it is gone."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> list[str]:
        self.left -= 1
        return ["eni-1"] if self.left >= 0 else []


def test_what_lingers_is_waited_for_and_not_for_ever() -> None:
    patient = Search(errors=(OSError,), patience_s=3600, poll_s=0.0)
    assert patient.run([Probe("interfaces", Lingering(5)), Probe("disks", list)]).leftovers == ()
    hasty = Search(errors=(OSError,), patience_s=0.0)
    assert hasty.run([Probe("interfaces", Lingering(5))]).leftovers == ("interfaces: eni-1",)


def test_a_mistake_of_ours_is_no_answer_of_the_cloud() -> None:
    def broken() -> list[str]:
        raise KeyError("x")

    with pytest.raises(KeyError):
        Search(errors=(OSError,)).run([Probe("disks", broken)])
