# What outlives a pod: artifacts, the database, images and secrets, and the ways to them from inside.

module "storage" {
  source = "../azure-storage"

  name                       = module.labels.names["artifacts"]
  location                   = local.place.location
  resource_group_name        = local.place.resource_group_name
  containers                 = { argo = "argo", mlflow = "mlflow" }
  allowed_cidrs              = var.cluster_access.cidrs
  deletion_protection        = var.deletion_protection
  log_analytics_workspace_id = module.logs.id
  replication                = local.profile.storage_replication
  tags                       = module.labels.tags
}

module "secrets" {
  source = "../azure-secrets"

  name                       = module.labels.names["vault"]
  location                   = local.place.location
  resource_group_name        = local.place.resource_group_name
  tenant_id                  = data.azurerm_client_config.current.tenant_id
  writers                    = local.appliers
  entries                    = { for key, entry in local.secrets : key => merge(entry, { version = var.azure.secrets_version }) }
  allowed_cidrs              = var.cluster_access.cidrs
  deletion_protection        = var.deletion_protection
  log_analytics_workspace_id = module.logs.id
  tags                       = module.labels.tags
}

# Read back from the vault, so that server and vault agree however often an apply was cut short.
ephemeral "azurerm_key_vault_secret" "database" {
  for_each = local.postgres

  key_vault_id = module.secrets.id
  name         = module.secrets.readable_names["mlflow-database"]
}

module "database" {
  source   = "../azure-database"
  for_each = local.postgres

  name                       = module.labels.names["database"]
  location                   = local.place.location
  resource_group_name        = local.place.resource_group_name
  login                      = local.secrets["mlflow-database"].username
  instance_type              = each.value.instance_type
  storage_gb                 = each.value.storage_gb
  high_availability          = each.value.high_availability
  backup_days                = each.value.backup_days
  geo_redundant_backup       = local.profile.geo_redundant_backup
  deletion_protection        = var.deletion_protection
  log_analytics_workspace_id = module.logs.id
  tags                       = module.labels.tags

  # An entry that somebody replaced by hand may be the bare password.
  password         = try(jsondecode(ephemeral.azurerm_key_vault_secret.database[each.key].value).password, ephemeral.azurerm_key_vault_secret.database[each.key].value)
  password_version = var.azure.secrets_version
}

module "registry" {
  source = "../azure-registry"

  name                       = module.labels.names["registry"]
  location                   = local.place.location
  resource_group_name        = local.place.resource_group_name
  pullers                    = { nodes = module.cluster.kubelet_principal_id }
  quarantine                 = var.azure.registry_quarantine
  sku                        = local.profile.registry_sku
  log_analytics_workspace_id = module.logs.id
  tags                       = module.labels.tags
}

module "private_endpoints" {
  source = "../azure-private-endpoints"

  name                = module.labels.prefix
  location            = local.place.location
  resource_group_name = local.place.resource_group_name
  network_id          = module.network.id
  subnet_id           = module.network.endpoints_subnet_id
  tags                = module.labels.tags

  endpoints = merge(
    {
      storage = { resource_id = module.storage.id, subresource = "blob", zone = "privatelink.blob.core.windows.net" }
      vault   = { resource_id = module.secrets.id, subresource = "vault", zone = "privatelink.vaultcore.azure.net" }
    },
    {
      for key, database in module.database :
      "database" => { resource_id = database.id, subresource = "postgresqlServer", zone = "privatelink.postgres.database.azure.com" }
    },
    local.profile.registry_sku != "Premium" ? {} : {
      registry = { resource_id = module.registry.id, subresource = "registry", zone = "privatelink.azurecr.io" }
    },
  )
}

module "budget" {
  source   = "../azure-budget"
  for_each = var.budget.monthly_usd > 0 ? { monthly = var.budget.monthly_usd } : {}

  name           = module.labels.prefix
  monthly_amount = each.value
  alert_emails   = var.budget.alert_emails
  start_month    = var.azure.budget_start_month
  scopes         = { platform = azurerm_resource_group.this.id }
}
