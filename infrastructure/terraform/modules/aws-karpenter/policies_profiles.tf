# Instance profiles: Karpenter makes one for each node class and hands it the nodes' role.

locals {
  profiles = ["arn:${local.partition}:iam::${local.account}:instance-profile/*"]
  profile_tags = {
    (local.owned)                   = "owned"
    "eks:eks-cluster-name"          = var.cluster_name
    "topology.kubernetes.io/region" = local.region
  }
}

data "aws_iam_policy_document" "profiles" {
  statement {
    sid       = "HandTheNodeRoleToEc2"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.node.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]
    }
  }

  statement {
    sid       = "MakeProfilesWithOurTags"
    actions   = ["iam:CreateInstanceProfile"]
    resources = local.profiles

    dynamic "condition" {
      for_each = local.profile_tags

      content {
        test     = "StringEquals"
        variable = "aws:RequestTag/${condition.key}"
        values   = [condition.value]
      }
    }
    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/karpenter.k8s.aws/ec2nodeclass"
      values   = ["*"]
    }
  }

  statement {
    sid       = "TagProfilesOfThisCluster"
    actions   = ["iam:TagInstanceProfile"]
    resources = local.profiles

    dynamic "condition" {
      for_each = merge(
        { for key, value in local.profile_tags : "aws:RequestTag/${key}" => value },
        { for key in [local.owned, "topology.kubernetes.io/region"] : "aws:ResourceTag/${key}" => local.profile_tags[key] },
      )

      content {
        test     = "StringEquals"
        variable = condition.key
        values   = [condition.value]
      }
    }
    dynamic "condition" {
      for_each = toset(["aws:RequestTag", "aws:ResourceTag"])

      content {
        test     = "StringLike"
        variable = "${condition.value}/karpenter.k8s.aws/ec2nodeclass"
        values   = ["*"]
      }
    }
  }

  statement {
    sid       = "ChangeProfilesOfThisCluster"
    actions   = ["iam:AddRoleToInstanceProfile", "iam:DeleteInstanceProfile", "iam:RemoveRoleFromInstanceProfile"]
    resources = local.profiles

    dynamic "condition" {
      for_each = toset([local.owned, "topology.kubernetes.io/region"])

      content {
        test     = "StringEquals"
        variable = "aws:ResourceTag/${condition.value}"
        values   = [local.profile_tags[condition.value]]
      }
    }
    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/karpenter.k8s.aws/ec2nodeclass"
      values   = ["*"]
    }
  }

  statement {
    sid       = "ReadProfiles"
    actions   = ["iam:GetInstanceProfile"]
    resources = local.profiles
  }
}
