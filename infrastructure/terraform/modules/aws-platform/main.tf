data "aws_caller_identity" "current" {}

locals {
  components = concat(
    ["argo-server", "argo-workflow", "aws-load-balancer-controller", "ebs-csi", "external-secrets", "kserve", "mlflow"],
    var.autoscaler == "cluster-autoscaler" ? ["autoscaler"] : [],
  )
}

module "labels" {
  source = "../labels"

  deployment_id = var.deployment_id
  environment   = var.environment
  owner         = var.owner
  product       = var.product
  scope         = "${data.aws_caller_identity.current.account_id}/${var.region}"
  tags          = var.tags
  tenant        = var.tenant

  resources = merge({
    argo           = { kind = "aws_s3" }
    budget         = { kind = "aws_budget", resource = "" }
    cluster        = { kind = "aws_eks", resource = "" }
    control-plane  = { kind = "aws_iam_role" }
    database       = { kind = "aws_db", resource = "mlflow" }
    karpenter      = { kind = "aws_iam_role" }
    karpenter-node = { kind = "aws_iam_role" }
    key            = { kind = "aws_kms_alias", resource = "" }
    mlflow         = { kind = "aws_s3" }
    network        = { kind = "aws_vpc", resource = "" }
    nodes          = { kind = "aws_iam_role" }
    queue          = { kind = "aws_sqs", resource = "karpenter" }
    registry       = { kind = "aws_ecr", resource = "" }
    rules          = { kind = "aws_event_rule", resource = "karpenter" }
  }, { for component in local.components : "role-${component}" => { kind = "aws_iam_role", resource = component } })
}

module "encryption" {
  source = "../aws-encryption"

  name                 = module.labels.names["key"]
  deletion_window_days = var.deletion_protection ? 30 : 7
  tags                 = module.labels.tags
}

module "network" {
  source = "../aws-network"

  name         = module.labels.names["network"]
  cidr         = local.network.cidr
  cluster_name = module.labels.names["cluster"]
  flow_logs    = local.network.flow_logs
  kms_key_arn  = module.encryption.key_arn
  nat          = local.network.nat
  tags         = module.labels.tags
  zones        = local.network.zones
}

module "budget" {
  source = "../aws-budget"
  count  = var.budget.monthly_usd > 0 ? 1 : 0

  name          = module.labels.names["budget"]
  alert_emails  = var.budget.alert_emails
  deployment_id = module.labels.deployment_id
  monthly_usd   = var.budget.monthly_usd
  tags          = module.labels.tags
}
