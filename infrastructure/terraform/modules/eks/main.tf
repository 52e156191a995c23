data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}

# An assumed role's session is not what EKS knows; its role is.
data "aws_iam_session_context" "current" {
  arn = data.aws_caller_identity.current.arn
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["eks.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "key" {
  statement {
    actions   = ["kms:DescribeKey", "kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:CreateGrant"]
    resources = [var.kms_key_arn]
  }
}

locals {
  admins = length(var.access.admins) > 0 ? var.access.admins : toset([data.aws_iam_session_context.current.issuer_arn])
}

resource "aws_iam_role" "this" {
  name               = var.role_name
  description        = "Control plane of ${var.name}"
  assume_role_policy = data.aws_iam_policy_document.trust.json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.this.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonEKSClusterPolicy"
}

resource "aws_iam_role_policy" "key" {
  name   = "encrypt-secrets"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.key.json
}

# EKS would make this group by itself, without an end to what it keeps and without the key.
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338: retention is the caller's choice
  name              = "/aws/eks/${var.name}/cluster"
  kms_key_id        = var.kms_key_arn
  retention_in_days = var.access.log_retention_days
  tags              = var.tags
}

resource "aws_eks_cluster" "this" {
  #checkov:skip=CKV_AWS_38: a public endpoint is off by default and open only for ranges that the caller writes out
  #checkov:skip=CKV_AWS_39: the same reason as the skip above
  name                          = var.name
  role_arn                      = aws_iam_role.this.arn
  version                       = var.kubernetes_version
  bootstrap_self_managed_addons = false
  enabled_cluster_log_types     = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
  tags                          = var.tags

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = var.kms_key_arn
    }
  }

  # Extended support is on by default and costs six times as much.
  upgrade_policy {
    support_type = "STANDARD"
  }

  vpc_config {
    endpoint_private_access = true
    endpoint_public_access  = var.access.public
    public_access_cidrs     = var.access.public ? var.access.cidrs : null
    subnet_ids              = var.subnet_ids
  }

  depends_on = [
    aws_cloudwatch_log_group.this,
    aws_iam_role_policy.key,
    aws_iam_role_policy_attachment.cluster,
  ]
}

# Karpenter finds the group of its nodes by this tag; EKS makes the group, so it cannot be given at birth.
resource "aws_ec2_tag" "discovery" {
  resource_id = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
  key         = "karpenter.sh/discovery"
  value       = var.name
}

resource "aws_eks_access_entry" "admin" {
  for_each = local.admins

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value
  tags          = var.tags
}

resource "aws_eks_access_policy_association" "admin" {
  for_each = local.admins

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_eks_access_entry.admin[each.key].principal_arn
  policy_arn    = "arn:${data.aws_partition.current.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

  access_scope {
    type = "cluster"
  }
}
