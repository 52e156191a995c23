"""What credentials must be allowed so that Terraform can make, read, change and remove each resource type on AWS."""

from __future__ import annotations

from collections.abc import Mapping


def _all(service: str, *actions: str) -> tuple[str, ...]:
    return tuple(f"{service}:{action}" for action in actions)


_TAG_EC2 = ("CreateTags", "DeleteTags", "DescribeTags")
_ROLE = _all("iam", "CreateRole", "DeleteRole", "GetRole", "ListRolePolicies", "TagRole", "UpdateAssumeRolePolicy")
_RULES = ("DescribeSecurityGroupRules", "DescribeSecurityGroups", *_TAG_EC2)
_BUCKET = _all("s3", "CreateBucket", "DeleteBucket", "GetBucketTagging", "ListBucket", "PutBucketTagging")
_SECRET = ("CreateSecret", "DeleteSecret", "DescribeSecret", "GetResourcePolicy", "TagResource", "UpdateSecret")
_QUEUE = _all("sqs", "CreateQueue", "DeleteQueue", "GetQueueAttributes", "ListQueueTags", "TagQueue")

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "aws_budgets_budget": _all("budgets", "ModifyBudget", "ViewBudget"),
    "aws_cloudwatch_event_rule": _all("events", "DeleteRule", "DescribeRule", "PutRule", "TagResource"),
    "aws_cloudwatch_event_target": _all("events", "ListTargetsByRule", "PutTargets", "RemoveTargets"),
    "aws_cloudwatch_log_group": _all(
        "logs", "CreateLogGroup", "DeleteLogGroup", "DescribeLogGroups", "PutRetentionPolicy", "TagResource"
    ),
    "aws_db_instance": (
        *_all("rds", "AddTagsToResource", "CreateDBInstance", "DeleteDBInstance", "DescribeDBInstances"),
        *_all("rds", "ModifyDBInstance", "CreateDBSnapshot", "RestoreDBInstanceFromDBSnapshot"),
        "iam:CreateServiceLinkedRole",
    ),
    "aws_db_parameter_group": _all(
        "rds", "CreateDBParameterGroup", "DeleteDBParameterGroup", "DescribeDBParameters", "ModifyDBParameterGroup"
    ),
    "aws_db_subnet_group": _all("rds", "CreateDBSubnetGroup", "DeleteDBSubnetGroup", "DescribeDBSubnetGroups"),
    "aws_default_security_group": _all("ec2", "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress", *_RULES),
    "aws_ec2_tag": _all("ec2", *_TAG_EC2),
    "aws_ecr_lifecycle_policy": _all("ecr", "DeleteLifecyclePolicy", "GetLifecyclePolicy", "PutLifecyclePolicy"),
    "aws_ecr_repository": _all(
        "ecr", "CreateRepository", "DeleteRepository", "DescribeRepositories", "ListTagsForResource", "TagResource"
    ),
    "aws_eip": _all("ec2", "AllocateAddress", "DescribeAddresses", "ReleaseAddress", *_TAG_EC2),
    "aws_eks_access_entry": _all("eks", "CreateAccessEntry", "DeleteAccessEntry", "DescribeAccessEntry", "TagResource"),
    "aws_eks_access_policy_association": _all(
        "eks", "AssociateAccessPolicy", "DisassociateAccessPolicy", "ListAssociatedAccessPolicies"
    ),
    "aws_eks_addon": (
        *_all("eks", "CreateAddon", "DeleteAddon", "DescribeAddon", "DescribeAddonVersions", "UpdateAddon"),
        "iam:PassRole",
    ),
    "aws_eks_cluster": (
        *_all("eks", "CreateCluster", "DeleteCluster", "DescribeCluster", "TagResource", "UpdateClusterConfig"),
        *_all("eks", "UpdateClusterVersion", "DescribeUpdate"),
        *_all("iam", "CreateServiceLinkedRole", "PassRole"),
        *_all("kms", "CreateGrant", "DescribeKey"),
    ),
    "aws_eks_node_group": (
        *_all("eks", "CreateNodegroup", "DeleteNodegroup", "DescribeNodegroup", "UpdateNodegroupConfig"),
        *_all("ec2", "DescribeLaunchTemplateVersions", "RunInstances"),
        *_all("iam", "CreateServiceLinkedRole", "PassRole"),
    ),
    "aws_eks_pod_identity_association": (
        *_all("eks", "CreatePodIdentityAssociation", "DeletePodIdentityAssociation", "DescribePodIdentityAssociation"),
        "iam:PassRole",
    ),
    "aws_flow_log": (*_all("ec2", "CreateFlowLogs", "DeleteFlowLogs", "DescribeFlowLogs"), "iam:PassRole"),
    "aws_iam_policy": _all(
        "iam", "CreatePolicy", "DeletePolicy", "GetPolicy", "GetPolicyVersion", "ListPolicyVersions", "TagPolicy"
    ),
    "aws_iam_role": (*_ROLE, "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole"),
    "aws_iam_role_policy": _all("iam", "DeleteRolePolicy", "GetRolePolicy", "PutRolePolicy"),
    "aws_iam_role_policy_attachment": _all("iam", "AttachRolePolicy", "DetachRolePolicy", "ListAttachedRolePolicies"),
    "aws_internet_gateway": _all(
        "ec2",
        "AttachInternetGateway",
        "CreateInternetGateway",
        "DeleteInternetGateway",
        "DescribeInternetGateways",
        "DetachInternetGateway",
    ),
    "aws_kms_alias": _all("kms", "CreateAlias", "DeleteAlias", "ListAliases"),
    "aws_kms_key": _all(
        "kms",
        "CreateKey",
        "DescribeKey",
        "EnableKeyRotation",
        "GetKeyPolicy",
        "GetKeyRotationStatus",
        "PutKeyPolicy",
        "ScheduleKeyDeletion",
        "TagResource",
    ),
    "aws_launch_template": _all(
        "ec2",
        "CreateLaunchTemplate",
        "DeleteLaunchTemplate",
        "DescribeLaunchTemplates",
        "DescribeLaunchTemplateVersions",
    ),
    "aws_nat_gateway": _all("ec2", "CreateNatGateway", "DeleteNatGateway", "DescribeNatGateways"),
    "aws_route": _all("ec2", "CreateRoute", "DeleteRoute", "DescribeRouteTables"),
    "aws_route_table": _all("ec2", "CreateRouteTable", "DeleteRouteTable", "DescribeRouteTables"),
    "aws_route_table_association": _all("ec2", "AssociateRouteTable", "DisassociateRouteTable"),
    "aws_s3_bucket": (*_BUCKET, "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ListBucketVersions"),
    "aws_s3_bucket_lifecycle_configuration": _all("s3", "GetLifecycleConfiguration", "PutLifecycleConfiguration"),
    "aws_s3_bucket_ownership_controls": _all("s3", "GetBucketOwnershipControls", "PutBucketOwnershipControls"),
    "aws_s3_bucket_policy": _all("s3", "DeleteBucketPolicy", "GetBucketPolicy", "PutBucketPolicy"),
    "aws_s3_bucket_public_access_block": _all("s3", "GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock"),
    "aws_s3_bucket_server_side_encryption_configuration": _all(
        "s3", "GetEncryptionConfiguration", "PutEncryptionConfiguration"
    ),
    "aws_s3_bucket_versioning": _all("s3", "GetBucketVersioning", "PutBucketVersioning"),
    "aws_secretsmanager_secret": _all("secretsmanager", *_SECRET),
    "aws_secretsmanager_secret_version": _all("secretsmanager", "GetSecretValue", "PutSecretValue"),
    "aws_security_group": _all(
        "ec2", "CreateSecurityGroup", "DeleteSecurityGroup", "RevokeSecurityGroupEgress", *_RULES
    ),
    "aws_sqs_queue": _QUEUE,
    "aws_sqs_queue_policy": _all("sqs", "GetQueueAttributes", "SetQueueAttributes"),
    "aws_subnet": _all("ec2", "CreateSubnet", "DeleteSubnet", "DescribeSubnets", "DescribeNetworkInterfaces"),
    "aws_vpc": _all("ec2", "CreateVpc", "DeleteVpc", "DescribeVpcAttribute", "DescribeVpcs", "ModifyVpcAttribute"),
    "aws_vpc_endpoint": _all("ec2", "CreateVpcEndpoint", "DeleteVpcEndpoints", "DescribeVpcEndpoints"),
    "aws_vpc_security_group_ingress_rule": _all(
        "ec2", "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress", *_RULES
    ),
}
