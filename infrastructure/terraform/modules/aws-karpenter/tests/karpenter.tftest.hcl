mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/karpenter" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::111122223333:policy/karpenter" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:111122223333:queue" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-west-1:111122223333:rule/one" }
  }
}

variables {
  cluster_arn  = "arn:aws:eks:eu-west-1:111122223333:cluster/mlops-core-dev"
  cluster_name = "mlops-core-dev"
  names = {
    controller_role = "mlops-core-dev-karpenter"
    node_role       = "mlops-core-dev-karpenter-node"
    queue           = "mlops-core-dev-karpenter"
    rules           = "mlops-core-dev-karpenter"
  }
}

run "five_kinds_of_events_reach_the_queue" {
  assert {
    condition     = length(aws_cloudwatch_event_rule.this) == 5 && alltrue([for target in aws_cloudwatch_event_target.this : target.arn == aws_sqs_queue.this.arn])
    error_message = "Health, spot, rebalance, state and capacity reservation."
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["spot"].event_pattern)["detail-type"][0] == "EC2 Spot Instance Interruption Warning"
    error_message = aws_cloudwatch_event_rule.this["spot"].event_pattern
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["health"].event_pattern).source[0] == "aws.health"
    error_message = aws_cloudwatch_event_rule.this["health"].event_pattern
  }
}

run "the_queue_is_encrypted_and_forgets_what_is_old" {
  assert {
    condition     = aws_sqs_queue.this.sqs_managed_sse_enabled && aws_sqs_queue.this.message_retention_seconds == 300
    error_message = "A warning older than five minutes is about an instance that is gone."
  }
}

run "only_karpenter_s_service_account_of_this_cluster_takes_the_role" {
  assert {
    condition = {
      for condition in data.aws_iam_policy_document.controller_trust.statement[0].condition : condition.variable => one(condition.values)
      } == {
      "aws:SourceAccount"                         = "111122223333"
      "aws:RequestTag/eks-cluster-arn"            = var.cluster_arn
      "aws:RequestTag/kubernetes-namespace"       = "kube-system"
      "aws:RequestTag/kubernetes-service-account" = "karpenter"
    }
    error_message = jsonencode(data.aws_iam_policy_document.controller_trust.statement)
  }
}

run "what_it_ends_must_carry_the_cluster_s_tag" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.nodes.statement : anytrue([
        for condition in statement.condition : condition.variable == "aws:ResourceTag/kubernetes.io/cluster/mlops-core-dev"
      ]) if contains(statement.actions, "ec2:TerminateInstances")
    ])
    error_message = "TerminateInstances without the tag's condition would end anyone's instances."
  }
}

run "every_call_that_karpenter_1_14_makes_is_allowed" {
  assert {
    condition = length(setsubtract([
      "ec2:CreateFleet", "ec2:CreateLaunchTemplate", "ec2:CreateTags", "ec2:DeleteLaunchTemplate", "ec2:DescribeCapacityReservations",
      "ec2:DescribeImages", "ec2:DescribeInstanceStatus", "ec2:DescribeInstanceTypeOfferings", "ec2:DescribeInstanceTypes",
      "ec2:DescribeInstances", "ec2:DescribeLaunchTemplates", "ec2:DescribePlacementGroups", "ec2:DescribeSecurityGroups",
      "ec2:DescribeSpotPriceHistory", "ec2:DescribeSubnets", "ec2:RunInstances", "ec2:TerminateInstances", "eks:DescribeCluster",
      "iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:GetInstanceProfile",
      "iam:ListInstanceProfiles", "iam:PassRole", "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "pricing:GetProducts",
      "sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage", "ssm:GetParameter", "arc-zonal-shift:GetManagedResource",
      ], flatten([for document in [data.aws_iam_policy_document.nodes, data.aws_iam_policy_document.profiles, data.aws_iam_policy_document.discovery] :
    [for statement in document.statement : statement.actions]]))) == 0
    error_message = "The policies allow less than Karpenter's own list."
  }
}

run "nodes_are_let_in_and_the_controller_is_bound" {
  assert {
    condition     = aws_eks_access_entry.node.type == "EC2_LINUX" && aws_eks_access_entry.node.principal_arn == aws_iam_role.node.arn
    error_message = "Without the entry a node never joins."
  }
  assert {
    condition     = output.identity.namespace == "kube-system" && output.identity.service_account == "karpenter"
    error_message = jsonencode(output.identity)
  }
}

run "a_rule_name_that_would_be_cut_is_refused" {
  command = plan
  variables {
    names = { controller_role = "a", node_role = "b", queue = "c", rules = "a-name-for-rules-that-has-far-more-than-forty-characters" }
  }
  expect_failures = [var.names]
}
