module "platform" {
  source = "../../../modules/aws-platform"

  environment         = var.environment
  region              = var.region
  autoscaler          = var.autoscaler
  budget              = var.budget
  cluster_access      = var.cluster_access
  database            = var.database
  database_snapshot   = var.database_snapshot
  deletion_protection = var.deletion_protection
  deployment_id       = var.deployment_id
  kubernetes_version  = var.kubernetes_version
  network             = var.network
  node_pools          = var.node_pools
  owner               = var.owner
  product             = var.product
  profile             = var.profile
  secrets_version     = var.secrets_version
  tags                = var.tags
  tenant              = var.tenant
}
