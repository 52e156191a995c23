"""What is made of an account's answers, over the fake account and the real roots."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cloud_account_fakes.memory import FakeAccount

from platform_cli.clouds.aws.check import open_probe as open_aws
from platform_cli.clouds.aws.quota import list_needs as list_aws_needs
from platform_cli.clouds.azure.check import open_probe as open_azure
from platform_cli.clouds.gcp.check import open_probe as open_gcp
from platform_cli.clouds.terraform.account import Demand, Need, Offer, Pool, Probe, Quota, Use, Vital
from platform_cli.clouds.terraform.health import ask, inspect
from platform_cli.clouds.terraform.offline import Reading
from platform_cli.clouds.terraform.state import Record, Resource
from platform_cli.clouds.terraform.survey import Survey
from platform_cli.doctor import Check, Finding, run_checks
from platform_cli.errors import ToolError
from platform_cli.render.plan import status_lines
from platform_cli.status import Health, Layer

ENVIRONMENTS = Path(__file__).resolve().parent.parent / "infrastructure" / "terraform" / "environments"
PROBES = {"aws": open_aws(None), "azure": open_azure(None), "gcp": open_gcp(None)}
REGIONS = {"aws": "eu-west-1", "azure": "westeurope", "gcp": "europe-west4"}


def read(cloud: str, env: str = "dev", **variables: Any) -> Callable[[str], Reading]:
    probe, region = PROBES[cloud], REGIONS[cloud]
    return lambda account: Reading(ENVIRONMENTS / cloud / env, variables, probe.assume(region, account))


def offers_of(cloud: str, env: str = "dev") -> dict[str, Offer]:
    """Every type of the root's pools, with eight vCPUs, in three zones."""
    pools = PROBES[cloud].list_pools(read(cloud, env)("1"))
    return {
        kind: Offer(zones=frozenset("abc"), vcpus=8, family="standardF", gpus="gpu" in pool.name)
        for pool in pools
        for kind in pool.types
    }


def survey_of(
    account: FakeAccount, cloud: str = "aws", env: str = "dev", record: Record | None = None, **variables: Any
) -> Survey:
    account.offers = account.offers or offers_of(cloud, env)
    probe = replace(PROBES[cloud], open=lambda _region: account)
    return Survey(probe, REGIONS[cloud], read(cloud, env, **variables), lambda: record)


@pytest.mark.parametrize("cloud", PROBES)
@pytest.mark.parametrize("env", ["dev", "staging", "prod"])
def test_an_account_with_room_passes_every_check(cloud: str, env: str) -> None:
    account = FakeAccount(quotas={})
    survey = survey_of(account, cloud, env)
    needs = PROBES[cloud].list_needs(survey._demand, account.offers)
    account.quotas = {need.key: Quota(need.most + 3, 3) for need in needs}
    results = run_checks(survey.list_checks())
    assert {result.name: result.finding.found for result in results if not result.finding.ok} == {}
    assert [result.name for result in results] == [
        "credentials",
        "permissions",
        "kubernetes",
        "offers",
        "quotas",
        "networks",
        "names",
    ]
    assert sum(need.key not in account.quotas for need in needs) == 0
    assert len(needs) >= 3


def test_without_credentials_nothing_else_is_asked() -> None:
    account = FakeAccount(knows_nobody=True)
    results = run_checks(survey_of(account).list_checks())
    assert [result.name for result in results if result.failed] == ["credentials"]
    assert results[0].finding.fix == "log in"
    assert account.asked == ["identify"]


def test_a_missing_permission_fails_with_who_lacks_it() -> None:
    finding = survey_of(FakeAccount(denied={"eks:CreateCluster", "s3:CreateBucket"})).check_permissions()
    assert not finding.ok
    assert not finding.advises
    assert finding.found == "not allowed: eks:CreateCluster, s3:CreateBucket"
    assert "somebody" in finding.fix


def test_what_may_not_be_asked_is_advice() -> None:
    results = {result.name: result for result in run_checks(survey_of(FakeAccount(forbids=True)).list_checks())}
    finding = results["permissions"].finding
    assert (finding.ok, finding.advises, finding.fix) == (False, True, "grant it")
    assert not results["permissions"].failed


def test_a_version_that_is_not_offered_fails_with_those_that_are() -> None:
    finding = survey_of(FakeAccount(versions=("1.30", "1.31"))).check_kubernetes()
    assert (finding.ok, finding.advises) == (False, False)
    assert finding.fix == "set infrastructure.kubernetes_version to one of 1.30, 1.31"
    assert survey_of(FakeAccount(versions=("1.35.2",))).check_kubernetes().ok


def test_a_pool_without_any_of_its_types_fails_and_few_zones_advise() -> None:
    offers = offers_of("aws")
    without = {kind: offer for kind, offer in offers.items() if not kind.startswith("g")}
    finding = survey_of(FakeAccount(offers=without)).check_offers()
    assert (finding.ok, finding.advises) == (False, False)
    assert "pool gpu: no g6.xlarge or g5.xlarge" in finding.found
    one = {kind: replace(offer, zones=frozenset("a")) for kind, offer in offers.items() if kind != "g5.xlarge"}
    finding = survey_of(FakeAccount(offers=one)).check_offers()
    assert finding.advises
    assert "gpu (1 of 3)" in finding.found


@pytest.mark.parametrize(
    ("limit", "ok", "advises"),
    [(15, False, False), (16, False, True), (23, False, True), (24, True, False)],
)
def test_a_quota_fails_below_what_must_run_and_advises_below_the_maximum(limit: float, ok: bool, advises: bool) -> None:
    """Pool general of aws/dev has two to three nodes, here of eight vCPUs each."""
    account = FakeAccount(quotas={"L-1216C47A": Quota(limit, 0)})
    finding = survey_of(account).check_quotas()
    assert (finding.ok, finding.advises) == (ok, advises)
    if not ok:
        assert "pool general need 16 to start and 24 at most" in finding.found
        assert "quota L-1216C47A in eu-west-1" in finding.fix


def test_what_is_used_counts_against_a_quota() -> None:
    finding = survey_of(FakeAccount(quotas={"L-F678F1CE": Quota(5, 5)})).check_quotas()
    assert (finding.ok, finding.advises) == (False, False)
    assert "VPCs: 5, 5 used" in finding.found
    assert "ask AWS for 6 of quota L-F678F1CE" in finding.fix


def test_an_overlap_advises_a_range_that_is_free() -> None:
    networks = [("old", "10.10.128.0/17"), ("other", "10.0.0.0/13")]
    finding = survey_of(FakeAccount(networks=networks)).check_networks()
    assert (finding.ok, finding.advises) == (False, True)
    assert "10.10.0.0/16 and old (10.10.128.0/17)" in finding.found
    assert finding.fix.endswith("such as 10.8.0.0/16")


def test_names_that_are_taken_or_left_behind_fail() -> None:
    account = FakeAccount()
    names = [item.values["bucket"] for item in survey_of(account)._demand.new if item.type == "aws_s3_bucket"]
    account.uses = {names[0]: Use.TAKEN, names[1]: Use.OURS}
    assert "taken by another customer" in survey_of(account).check_names().found
    account.uses = {names[1]: Use.OURS}
    finding = survey_of(account).check_names()
    assert f"in this account already, but not in the state: {names[1]}" in finding.found
    assert "terraform import" in finding.fix


def test_the_names_are_those_of_the_account() -> None:
    names = {
        account: survey_of(FakeAccount(identity=replace(FakeAccount().identity, account=account)))._demand.list_values(
            "aws_s3_bucket", "bucket"
        )
        for account in ("111111111111", "222222222222")
    }
    assert len({*names["111111111111"], *names["222222222222"]}) == 4


def test_a_deploy_that_makes_nothing_new_asks_for_credentials_alone() -> None:
    account = FakeAccount(denied={"eks:CreateCluster"})
    made = read("aws")("1").resources
    addresses = [(item.address.replace("[?]", '["arn:of:who:applied"]'), item.type) for item in made]
    record = Record(1, 0.0, tuple(Resource(address, kind, tainted=False) for address, kind in addresses), {})
    checks = survey_of(account, record=record).list_checks()
    assert not any(result.failed for result in run_checks(checks, thorough=False))
    assert account.asked == ["identify"]
    assert {result.name for result in run_checks(checks)} == {check.name for check in checks}
    assert "list_versions" in account.asked


def test_needs_are_added_up_by_quota_and_types_by_the_largest() -> None:
    pools = (
        Pool(name="a", types=("m7i.large", "m7i.xlarge"), least=1, most=3, is_spot=False, is_flexible=True),
        Pool(name="b", types=("m6i.large",), least=2, most=4, is_spot=False),
        Pool(name="c", types=("g6.xlarge",), least=0, most=2, is_spot=True),
    )
    offers = {
        "m7i.large": Offer(zones=frozenset("a"), vcpus=2),
        "m7i.xlarge": Offer(zones=frozenset("a"), vcpus=4),
        "m6i.large": Offer(zones=frozenset("a"), vcpus=2),
        "g6.xlarge": Offer(zones=frozenset("a"), vcpus=4, gpus=1),
    }
    demand = Demand(region="r", kubernetes_version="1.35", zones=1, pools=pools, new=())
    needs = {need.key: need for need in list_aws_needs(demand, offers)}
    assert needs["L-1216C47A"] == Need(
        key="L-1216C47A",
        title="vCPUs of On-Demand Standard instances",
        least=1 * 2 + 2 * 2,
        most=3 * 4 + 4 * 2,
        because="pool a and b",
    )
    assert (needs["L-3819A6DF"].least, needs["L-3819A6DF"].most) == (0, 8)


@pytest.mark.parametrize(
    ("cloud", "keys"),
    [
        ("aws", {"L-1216C47A", "L-DB2E81BA", "L-34B43A08", "L-0263D0A3", "L-F678F1CE", "L-1194D53C"}),
        ("azure", {"standardF", "cores", "StandardSkuPublicIpAddresses", "VirtualNetworks"}),
        ("gcp", {"CPUS", "N2_CPUS", "CPUS_ALL_REGIONS", "STANDARDF_GPUS", "GPUS_ALL_REGIONS", "NETWORKS"}),
    ],
)
def test_every_pool_and_address_of_staging_falls_under_a_quota(cloud: str, keys: set[str]) -> None:
    survey = survey_of(FakeAccount(), cloud, "staging")
    needs = PROBES[cloud].list_needs(survey._demand, survey._offers)
    assert {need.key for need in needs} == keys


def test_a_profile_changes_what_is_needed() -> None:
    def most(profile: str) -> float:
        survey = survey_of(FakeAccount(offers=offers_of("aws", "prod")), "aws", "dev", profile=profile)
        return sum(pool.most for pool in survey._demand.pools)

    assert most("production") > most("standard") > most("minimal")


# --- checks in threads ---


def test_checks_that_ask_run_at_the_same_time_and_keep_their_order() -> None:
    both = threading.Barrier(2)

    def meet() -> Finding:
        both.wait(timeout=30)
        return Finding(ok=True, found="met")

    checks = (
        Check("a", meet, asks=True),
        Check("local", lambda: Finding(ok=True, found="here")),
        Check("b", meet, asks=True),
    )
    assert [(result.name, result.finding.ok) for result in run_checks(checks)] == [
        ("a", True),
        ("local", True),
        ("b", True),
    ]


def test_a_check_that_does_not_answer_is_advice() -> None:
    never = threading.Event()

    def hang() -> Finding:
        never.wait()
        return Finding(ok=True, found="late")

    result = run_checks((Check("slow", hang, asks=True),), timeout_s=0.05)[0]
    never.set()
    assert (result.failed, result.finding.found) == (False, "no answer within 0.05 s")


def test_a_check_that_breaks_is_told_and_hides_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def break_down() -> Finding:
        raise ToolError("the API broke", hint="wait")

    result = run_checks((Check("broken", break_down, asks=True),))[0]
    assert result.finding == Finding(ok=False, found="not checked: the API broke", fix="wait", advises=True)


# --- status as the cloud has it ---


def layers() -> tuple[Layer, ...]:
    return tuple(Layer(name, Health.OK, "as of the last deploy") for name in ("state", "cluster", "nodes", "database"))


def test_layers_are_as_the_cloud_has_them() -> None:
    account = FakeAccount(
        vitals={
            "cluster": (Vital("c", "ACTIVE", True),),
            "nodes": (Vital("general", "DEGRADED", False), Vital("gpu", "ACTIVE", True)),
        }
    )
    record = Record(1, 0.0, (), {"database": {"engine": "postgres"}})
    asked = {layer.name: layer for layer in ask(account, record, layers())}
    assert asked["state"].reason == "as of the last deploy"
    assert (asked["cluster"].health, asked["cluster"].reason) == (Health.OK, "c is ACTIVE")
    assert (asked["nodes"].health, asked["nodes"].reason) == (Health.DEGRADED, "general is DEGRADED, gpu is ACTIVE")
    assert (asked["database"].health, asked["database"].reason.startswith("the cloud has none")) == (Health.DOWN, True)


def test_where_images_are_pushed_is_told_whoever_is_asked() -> None:
    bucket = Resource("module.a.aws_s3_bucket.b", "aws_s3_bucket", tainted=False)
    cluster = Resource("module.a.aws_eks_cluster.c", "aws_eks_cluster", tainted=False)
    record = Record(1, 0.0, (bucket, cluster), {"registry_url": "1.dkr.example/mlops"})
    types = {"storage": frozenset({"aws_s3_bucket"}), "cluster": frozenset({"aws_eks_cluster"})}
    shown = ("images: make images REGISTRY=1.dkr.example/mlops PUSH=yes",)
    found = inspect(record, types, interrupted=False)
    assert {layer.name: layer.items for layer in found} == {"state": (), "storage": shown, "cluster": ()}
    assert f"    {shown[0]}" in status_lines("aws/dev", found)
    for account in (FakeAccount(is_silent=True), FakeAccount(vitals={"storage": (Vital("b", "ours", True),)})):
        assert {layer.name: layer.items for layer in ask(account, record, found)}["storage"] == shown
    without_storage = inspect(record, {"cluster": frozenset({"aws_eks_cluster"})}, interrupted=False)
    assert without_storage[-1].items == shown
    assert inspect(Record(1, 0.0, (bucket,), {"registry_url": ""}), types, interrupted=False)[1].items == ()


def test_a_layer_that_cannot_be_asked_is_unknown() -> None:
    record = Record(1, 0.0, (), {"database": {"engine": "sqlite"}})
    asked = {layer.name: layer for layer in ask(FakeAccount(is_silent=True), record, layers())}
    assert (asked["cluster"].health, asked["cluster"].reason) == (Health.UNKNOWN, "not asked: no answer")
    assert asked["database"].health is Health.OK


def test_the_probes_name_types_and_attributes_that_the_modules_have() -> None:
    for cloud, probe in PROBES.items():
        made = {item.type: item for item in read(cloud, "staging")("1").resources}
        named: dict[str, str] = {**probe.unique, **probe.networks}
        assert {kind: name for kind, name in named.items() if name not in made[kind].values} == {}
        assert isinstance(probe, Probe)
