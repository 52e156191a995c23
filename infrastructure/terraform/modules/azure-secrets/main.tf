locals {
  # bcrypt's salt is 128 bits from the operating system's random source, unknown while planning. As it goes into
  # write-only arguments only, neither plan nor state ever holds it, and a new one on the next run changes nothing.
  random = { for key, entry in var.entries : key => "Pw1-${sha256("${bcrypt(key, 4)}${bcrypt(key, 4)}")}" }

  values = {
    for key, entry in var.entries : key => jsonencode(
      entry.username == "" ? { key = local.random[key] } : { username = entry.username, password = local.random[key] }
    )
  }
}

resource "azurerm_key_vault" "this" {
  # checkov:skip=CKV_AZURE_42: purge protection follows deletion_protection; on by default and in prod
  # checkov:skip=CKV_AZURE_110: purge protection follows deletion_protection; on by default and in prod
  # checkov:skip=CKV_AZURE_189: open only to allowed_cidrs, and to nobody where that is empty
  # checkov:skip=CKV2_AZURE_32: the private endpoint is made in modules/azure-private-endpoints
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  tenant_id           = var.tenant_id
  sku_name            = "standard"
  tags                = var.tags

  rbac_authorization_enabled    = true
  purge_protection_enabled      = var.deletion_protection
  soft_delete_retention_days    = var.deletion_protection ? 90 : 7
  public_network_access_enabled = length(var.allowed_cidrs) > 0

  network_acls {
    default_action = "Deny"
    bypass         = "AzureServices"
    ip_rules       = var.allowed_cidrs
  }
}

# Owning a vault does not open it: whoever applies needs a role for its contents.
resource "azurerm_role_assignment" "writers" {
  for_each = var.writers

  scope                = azurerm_key_vault.this.id
  role_definition_name = "Key Vault Secrets Officer"
  principal_id         = each.value
}

resource "azurerm_key_vault_secret" "this" {
  # checkov:skip=CKV_AZURE_41: made once and renewed by raising secrets_version; a date would stop the platform, not renew it
  for_each = var.entries

  name             = each.key
  key_vault_id     = azurerm_key_vault.this.id
  content_type     = "application/json"
  value_wo         = local.values[each.key]
  value_wo_version = each.value.version
  tags             = var.tags

  depends_on = [azurerm_role_assignment.writers]
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  name                       = "audit"
  target_resource_id         = azurerm_key_vault.this.id
  log_analytics_workspace_id = var.log_analytics_workspace_id

  enabled_log {
    category = "AuditEvent"
  }
}
