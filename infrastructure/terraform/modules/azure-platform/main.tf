data "azurerm_client_config" "current" {}

module "labels" {
  source = "../labels"

  environment   = var.environment
  deployment_id = var.deployment_id
  owner         = var.owner
  product       = var.product
  scope         = "${data.azurerm_client_config.current.subscription_id}/${var.region}"
  tags          = var.tags
  tenant        = var.tenant

  resources = {
    artifacts = { kind = "azure_storage", resource = "artifacts" }
    cluster   = { kind = "azure_aks", resource = "" }
    database  = { kind = "azure_postgres", resource = "mlflow" }
    endpoints = { kind = "azure_subnet" }
    group     = { kind = "azure_resources", resource = "" }
    logs      = { kind = "azure_log" }
    nat       = { kind = "azure_nat" }
    network   = { kind = "azure_vnet", resource = "" }
    nodes     = { kind = "azure_subnet" }
    registry  = { kind = "azure_registry", resource = "" }
    vault     = { kind = "azure_key_vault", resource = "" }
  }
}

resource "azurerm_resource_group" "this" {
  name     = module.labels.names["group"]
  location = var.region
  tags     = module.labels.tags
}

locals {
  place = {
    location            = azurerm_resource_group.this.location
    resource_group_name = azurerm_resource_group.this.name
  }
}

module "logs" {
  source = "../azure-logs"

  name                = module.labels.names["logs"]
  location            = local.place.location
  resource_group_name = local.place.resource_group_name
  retention_days      = max(30, var.cluster_access.log_retention_days)
  tags                = module.labels.tags
}

module "network" {
  source = "../azure-network"

  location                   = local.place.location
  resource_group_name        = local.place.resource_group_name
  names                      = { for key in ["endpoints", "nat", "network", "nodes"] : key => module.labels.names[key] }
  cidr                       = local.network.cidr
  zones                      = local.zones
  nat                        = local.network.nat
  flow_logs                  = local.network.flow_logs
  log_analytics_workspace_id = module.logs.id
  tags                       = module.labels.tags
}

module "cluster" {
  source = "../aks"

  name                       = module.labels.names["cluster"]
  location                   = local.place.location
  resource_group_name        = local.place.resource_group_name
  tenant_id                  = data.azurerm_client_config.current.tenant_id
  subnet_id                  = module.network.nodes_subnet_id
  log_analytics_workspace_id = module.logs.id
  applier_principal_id       = data.azurerm_client_config.current.object_id
  access                     = var.cluster_access
  encryption                 = { disk_encryption_set_id = var.azure.disk_encryption_set_id, kms_key_id = var.azure.kms_key_id }
  flow_logs                  = local.network.flow_logs
  kubernetes_version         = var.kubernetes_version
  outbound_type              = module.network.outbound_type
  sku_tier                   = local.profile.sku_tier
  system_pool                = local.profile.system_pool
  zones                      = local.zones
  tags                       = module.labels.tags
}

module "node_pools" {
  source = "../azure-node-pools"

  cluster_id = module.cluster.id
  subnet_id  = module.network.nodes_subnet_id
  pools      = local.pools
  zones      = local.zones
  tags       = module.labels.tags
}
