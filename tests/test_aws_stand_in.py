"""The stand-in for AWS, by AWS' own SDK: what it adds to moto answers as AWS documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from terraform_fixtures import StandIn

ROLE = "arn:aws:iam::123456789012:role/control-plane"
ADMIN = "arn:aws:iam::123456789012:role/admin"
CLUSTER_ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
CLUSTER = {"clusterName": "one"}


@pytest.fixture
def subnets(aws: StandIn) -> Iterator[list[str]]:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"] for number in range(2)]
    yield made
    for subnet in made:
        ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


@pytest.fixture
def eks(aws: StandIn, subnets: list[str]) -> Iterator[Any]:
    """A client, with a cluster named `one`."""
    client = aws.client("eks")
    client.create_cluster(
        name="one",
        roleArn=ROLE,
        version="1.35",
        resourcesVpcConfig={"subnetIds": subnets},
        accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
        upgradePolicy={"supportType": "STANDARD"},
    )
    yield client
    for group in client.list_nodegroups(clusterName="one")["nodegroups"]:
        client.delete_nodegroup(clusterName="one", nodegroupName=group)
    client.delete_cluster(name="one")


def test_a_cluster_says_what_it_was_asked_for_and_has_a_group_of_its_own(eks: Any, aws: StandIn) -> None:
    cluster = eks.describe_cluster(name="one")["cluster"]
    assert cluster["accessConfig"]["authenticationMode"] == "API"
    assert cluster["upgradePolicy"] == {"supportType": "STANDARD"}
    group = cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]
    (found,) = aws.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert found["VpcId"] == cluster["resourcesVpcConfig"]["vpcId"]


def test_a_cluster_is_upgraded_one_minor_version_at_a_time(eks: Any) -> None:
    update = eks.update_cluster_version(name="one", version="1.36")["update"]
    assert update["status"] == "InProgress"
    assert eks.describe_update(name="one", updateId=update["id"])["update"]["status"] == "Successful"
    assert eks.describe_cluster(name="one")["cluster"]["version"] == "1.36"
    with pytest.raises(eks.exceptions.InvalidParameterException, match="Unsupported Kubernetes minor version"):
        eks.update_cluster_version(name="one", version="1.38")


def test_a_cluster_is_configured_anew(eks: Any) -> None:
    eks.update_cluster_config(name="one", resourcesVpcConfig={"endpointPublicAccess": False})
    assert eks.describe_cluster(name="one")["cluster"]["resourcesVpcConfig"]["endpointPublicAccess"] is False


def test_an_addon_lives_from_creation_to_deletion(eks: Any) -> None:
    addon = eks.create_addon(**CLUSTER, addonName="vpc-cni", tags={"a": "b"})["addon"]
    assert addon["status"] == "CREATING"
    assert eks.describe_addon(**CLUSTER, addonName="vpc-cni")["addon"]["status"] == "ACTIVE"
    assert eks.list_addons(**CLUSTER)["addons"] == ["vpc-cni"]
    eks.update_addon(**CLUSTER, addonName="vpc-cni", configurationValues="{}")
    assert eks.describe_addon(**CLUSTER, addonName="vpc-cni")["addon"]["configurationValues"] == "{}"
    with pytest.raises(eks.exceptions.ResourceInUseException):
        eks.create_addon(**CLUSTER, addonName="vpc-cni")
    eks.delete_addon(**CLUSTER, addonName="vpc-cni")
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.describe_addon(**CLUSTER, addonName="vpc-cni")


def test_an_entry_lets_a_principal_in_and_a_policy_says_how_far(eks: Any) -> None:
    entry = eks.create_access_entry(**CLUSTER, principalArn=ADMIN)["accessEntry"]
    assert (entry["type"], entry["username"]) == (
        "STANDARD",
        "arn:aws:sts::123456789012:assumed-role/admin/{{SessionName}}",
    )
    eks.associate_access_policy(**CLUSTER, principalArn=ADMIN, policyArn=CLUSTER_ADMIN, accessScope={"type": "cluster"})
    listed = eks.list_associated_access_policies(**CLUSTER, principalArn=ADMIN)["associatedAccessPolicies"]
    assert [policy["policyArn"] for policy in listed] == [CLUSTER_ADMIN]
    eks.disassociate_access_policy(**CLUSTER, principalArn=ADMIN, policyArn=CLUSTER_ADMIN)
    assert eks.list_associated_access_policies(**CLUSTER, principalArn=ADMIN)["associatedAccessPolicies"] == []
    eks.delete_access_entry(**CLUSTER, principalArn=ADMIN)
    assert eks.list_access_entries(**CLUSTER)["accessEntries"] == []


def test_a_node_s_entry_takes_no_policy(eks: Any) -> None:
    entry = eks.create_access_entry(**CLUSTER, principalArn=ROLE, type="EC2_LINUX")["accessEntry"]
    assert entry["kubernetesGroups"] == ["system:nodes"]
    with pytest.raises(eks.exceptions.InvalidRequestException):
        eks.associate_access_policy(
            **CLUSTER, principalArn=ROLE, policyArn=CLUSTER_ADMIN, accessScope={"type": "cluster"}
        )
    eks.update_access_entry(**CLUSTER, principalArn=ROLE, username="system:node:x")
    assert eks.describe_access_entry(**CLUSTER, principalArn=ROLE)["accessEntry"]["username"] == "system:node:x"


def test_a_managed_group_is_tagged_anew(eks: Any, subnets: list[str]) -> None:
    made = eks.create_nodegroup(**CLUSTER, nodegroupName="general", subnets=subnets, nodeRole=ROLE, tags={"a": "1"})
    arn = made["nodegroup"]["nodegroupArn"]
    eks.tag_resource(resourceArn=arn, tags={"b": "2"})
    eks.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert eks.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
    assert eks.describe_nodegroup(**CLUSTER, nodegroupName="general")["nodegroup"]["tags"] == {"b": "2"}


def test_a_managed_group_lets_its_nodes_in_and_follows_the_cluster(eks: Any, subnets: list[str]) -> None:
    eks.create_nodegroup(**CLUSTER, nodegroupName="general", subnets=subnets, nodeRole=ROLE)
    assert eks.list_access_entries(**CLUSTER)["accessEntries"] == [ROLE]
    with pytest.raises(eks.exceptions.ResourceInUseException):
        eks.create_access_entry(**CLUSTER, principalArn=ROLE, type="EC2_LINUX")
    group = eks.describe_nodegroup(**CLUSTER, nodegroupName="general")["nodegroup"]
    assert group["version"] == "1.35"
    eks.update_cluster_version(name="one", version="1.36")
    eks.update_nodegroup_version(**CLUSTER, nodegroupName="general", version="1.36")
    assert eks.describe_nodegroup(**CLUSTER, nodegroupName="general")["nodegroup"]["version"] == "1.36"


def test_a_service_account_has_one_role(eks: Any) -> None:
    wanted = {**CLUSTER, "namespace": "mlflow", "serviceAccount": "mlflow"}
    identity = eks.create_pod_identity_association(**wanted, roleArn=ROLE)["association"]["associationId"]
    with pytest.raises(eks.exceptions.ResourceInUseException, match=identity):
        eks.create_pod_identity_association(**wanted, roleArn=ADMIN)
    eks.update_pod_identity_association(**CLUSTER, associationId=identity, roleArn=ADMIN)
    found = eks.describe_pod_identity_association(**CLUSTER, associationId=identity)["association"]
    assert found["roleArn"] == ADMIN
    assert len(eks.list_pod_identity_associations(**wanted)["associations"]) == 1
    assert eks.list_pod_identity_associations(**{**wanted, "namespace": "argo"})["associations"] == []
    eks.delete_pod_identity_association(**CLUSTER, associationId=identity)
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.describe_pod_identity_association(**CLUSTER, associationId=identity)


def test_a_request_sent_twice_is_answered_twice_and_done_once(eks: Any) -> None:
    wanted = {**CLUSTER, "namespace": "argo", "serviceAccount": "argo", "roleArn": ROLE, "clientRequestToken": "t"}
    first, again = (eks.create_pod_identity_association(**wanted)["association"] for _ in range(2))
    assert first["associationId"] == again["associationId"]
    assert len(eks.list_pod_identity_associations(**CLUSTER)["associations"]) == 1


def test_tags_come_and_go_on_ours_and_on_moto_s(eks: Any) -> None:
    addon = eks.create_addon(**CLUSTER, addonName="coredns")["addon"]["addonArn"]
    cluster = eks.describe_cluster(name="one")["cluster"]["arn"]
    for arn in (addon, cluster):
        eks.tag_resource(resourceArn=arn, tags={"team": "a", "env": "dev"})
        eks.untag_resource(resourceArn=arn, tagKeys=["env"])
        assert eks.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "a"}


def test_with_the_cluster_goes_everything_in_it(aws: StandIn, subnets: list[str]) -> None:
    before = aws.inventory()
    eks = aws.client("eks")
    for _ in range(2):
        eks.create_cluster(name="two", roleArn=ROLE, resourcesVpcConfig={"subnetIds": subnets})
        assert eks.list_addons(clusterName="two")["addons"] == []
        eks.create_addon(clusterName="two", addonName="coredns")
        eks.delete_cluster(name="two")
    assert aws.inventory() == before


def test_nothing_can_be_in_a_cluster_that_is_not_there(aws: StandIn) -> None:
    eks = aws.client("eks")
    with pytest.raises(eks.exceptions.ResourceNotFoundException, match="No cluster found for name: none"):
        eks.create_addon(clusterName="none", addonName="coredns")


def test_a_budget_has_tags_subscribers_and_a_limit_that_changes(aws: StandIn) -> None:
    budgets = aws.client("budgets")
    account = aws.client("sts").get_caller_identity()["Account"]
    budget = {"BudgetName": "b", "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit("10")}
    alert = {"ComparisonOperator": "GREATER_THAN", "NotificationType": "ACTUAL", "Threshold": 80.0}
    mail = {"SubscriptionType": "EMAIL", "Address": "a@example.com"}
    budgets.create_budget(
        AccountId=account,
        Budget=budget,
        NotificationsWithSubscribers=[{"Notification": alert, "Subscribers": [mail]}],
        ResourceTags=[{"Key": "team", "Value": "a"}],
    )
    arn = f"arn:aws:budgets::{account}:budget/b"
    assert budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == [{"Key": "team", "Value": "a"}]
    budgets.tag_resource(ResourceARN=arn, ResourceTags=[{"Key": "env", "Value": "dev"}])
    budgets.untag_resource(ResourceARN=arn, ResourceTagKeys=["team"])
    assert budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == [{"Key": "env", "Value": "dev"}]
    listed = budgets.describe_subscribers_for_notification(AccountId=account, BudgetName="b", Notification=alert)
    assert listed["Subscribers"] == [mail]
    budgets.update_budget(AccountId=account, NewBudget={**budget, "BudgetLimit": limit("20")})
    assert budgets.describe_budget(AccountId=account, BudgetName="b")["Budget"]["BudgetLimit"]["Amount"] == "20"
    budgets.delete_budget(AccountId=account, BudgetName="b")
    with pytest.raises(budgets.exceptions.NotFoundException):
        budgets.list_tags_for_resource(ResourceARN=arn)


def limit(amount: str) -> dict[str, str]:
    return {"Amount": amount, "Unit": "USD"}


def test_a_launch_template_s_own_tags_are_not_its_instances(aws: StandIn) -> None:
    ec2 = aws.client("ec2")
    tags = [{"Key": "team", "Value": "a"}]
    ec2.create_launch_template(
        LaunchTemplateName="template",
        LaunchTemplateData={"TagSpecifications": [{"ResourceType": "instance", "Tags": tags}]},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
    )
    (version,) = ec2.describe_launch_template_versions(LaunchTemplateName="template")["LaunchTemplateVersions"]
    kinds = [specification["ResourceType"] for specification in version["LaunchTemplateData"]["TagSpecifications"]]
    assert kinds == ["instance"]
    ec2.delete_launch_template(LaunchTemplateName="template")


def test_with_a_nat_gateway_goes_its_interface(aws: StandIn, subnets: list[str]) -> None:
    ec2 = aws.client("ec2")
    before = aws.inventory()
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    assert len(aws.inventory()["ec2.describe_network_interfaces"]) == 1
    ec2.delete_nat_gateway(NatGatewayId=gateway)
    ec2.release_address(AllocationId=address)
    assert aws.inventory() == before


def test_a_rule_for_a_group_has_its_description(aws: StandIn, subnets: list[str]) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.describe_subnets(SubnetIds=subnets)["Subnets"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    pair = {"GroupId": group, "Description": "from the cluster"}
    permission = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [pair]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    filters = [{"Name": "group-id", "Values": [group]}]
    rules = ec2.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
    assert [rule["Description"] for rule in rules if not rule["IsEgress"]] == ["from the cluster"]
    ec2.delete_security_group(GroupId=group)


def test_database_instances_are_told_apart_and_say_what_they_were_asked_for(aws: StandIn) -> None:
    rds = aws.client("rds")
    wanted = {"Engine": "postgres", "DBInstanceClass": "db.t4g.small", "AllocatedStorage": 20}
    owner = {"MasterUsername": "mlflow", "MasterUserPassword": "not-a-real-one"}
    ids = set()
    for name in ("first", "second"):
        made = rds.create_db_instance(DBInstanceIdentifier=name, **wanted, **owner, EnablePerformanceInsights=True)
        identity = [{"Name": "dbi-resource-id", "Values": [made["DBInstance"]["DbiResourceId"]]}]
        (found,) = rds.describe_db_instances(Filters=identity)["DBInstances"]
        assert (found["DBInstanceIdentifier"], found["PerformanceInsightsEnabled"]) == (name, True)
        ids.add(found["DbiResourceId"])
    assert len(ids) == 2
    for name in ("first", "second"):
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def test_a_restored_database_is_another_one_and_gets_its_insights_later(aws: StandIn) -> None:
    rds = aws.client("rds")
    wanted = {"Engine": "postgres", "DBInstanceClass": "db.t4g.small", "AllocatedStorage": 20}
    first = rds.create_db_instance(DBInstanceIdentifier="origin", **wanted)["DBInstance"]
    rds.delete_db_instance(DBInstanceIdentifier="origin", FinalDBSnapshotIdentifier="last")
    second = rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="again", DBSnapshotIdentifier="last")
    assert second["DBInstance"]["DbiResourceId"] != first["DbiResourceId"]
    rds.modify_db_instance(DBInstanceIdentifier="again", EnablePerformanceInsights=True)
    (found,) = rds.describe_db_instances(DBInstanceIdentifier="again")["DBInstances"]
    assert found["PerformanceInsightsEnabled"] is True
    rds.delete_db_instance(DBInstanceIdentifier="again", SkipFinalSnapshot=True)
    rds.delete_db_snapshot(DBSnapshotIdentifier="last")


def test_a_parameter_that_a_user_set_is_the_user_s(aws: StandIn) -> None:
    rds = aws.client("rds")
    group = {"DBParameterGroupName": "group"}
    rds.create_db_parameter_group(**group, DBParameterGroupFamily="postgres17", Description="d")
    setting = {"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "immediate"}
    rds.modify_db_parameter_group(**group, Parameters=[setting])
    (parameter,) = rds.describe_db_parameters(**group)["Parameters"]
    assert parameter["Source"] == "user"
    rds.delete_db_parameter_group(**group)


def test_a_bucket_that_takes_tls_only_can_be_read_over_loopback(aws: StandIn) -> None:
    s3 = aws.client("s3")
    refused = {"Bool": {"aws:SecureTransport": "false"}}
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": refused}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.create_bucket(Bucket="tls-only", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_policy(Bucket="tls-only", Policy=policy)
    s3.put_object(Bucket="tls-only", Key="a", Body=b"1")
    assert s3.get_object(Bucket="tls-only", Key="a")["Body"].read() == b"1"
    assert s3.get_bucket_policy(Bucket="tls-only")["Policy"] == policy
    s3.delete_object(Bucket="tls-only", Key="a")
    s3.delete_bucket(Bucket="tls-only")
