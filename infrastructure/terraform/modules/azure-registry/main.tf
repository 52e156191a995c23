locals {
  premium = var.sku == "Premium"
}

resource "azurerm_container_registry" "this" {
  # checkov:skip=CKV_AZURE_139: only Premium can close its public endpoint; images need an identity either way
  # checkov:skip=CKV_AZURE_163: scanning is Defender for Containers, a setting of the subscription
  # checkov:skip=CKV_AZURE_164: content trust is deprecated and gone in azurerm 5; sign images with cosign or notation
  # checkov:skip=CKV_AZURE_165: one region; a second one is a deployment of its own
  # checkov:skip=CKV_AZURE_233: zone redundancy needs Premium
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  sku                 = var.sku
  tags                = var.tags

  admin_enabled          = false
  anonymous_pull_enabled = false

  public_network_access_enabled = !local.premium
  network_rule_bypass_option    = "AzureServices"
  data_endpoint_enabled         = local.premium
  zone_redundancy_enabled       = local.premium
  retention_policy_in_days      = local.premium ? var.untagged_days : null
  quarantine_policy_enabled     = local.premium ? var.quarantine : null
}

resource "azurerm_role_assignment" "pull" {
  for_each = var.pullers

  scope                = azurerm_container_registry.this.id
  role_definition_name = "AcrPull"
  principal_id         = each.value
  principal_type       = "ServicePrincipal"
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  name                       = "audit"
  target_resource_id         = azurerm_container_registry.this.id
  log_analytics_workspace_id = var.log_analytics_workspace_id

  enabled_log {
    category = "ContainerRegistryLoginEvents"
  }
  enabled_log {
    category = "ContainerRegistryRepositoryEvents"
  }
}
