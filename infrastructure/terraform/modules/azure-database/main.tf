resource "azurerm_postgresql_flexible_server" "this" {
  # checkov:skip=CKV_AZURE_136: geo-redundant backup is a size of the profile, on in production
  # checkov:skip=CKV2_AZURE_57: the private endpoint is made in modules/azure-private-endpoints
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  version             = var.postgres_version
  tags                = var.tags

  administrator_login               = var.login
  administrator_password_wo         = var.password
  administrator_password_wo_version = var.password_version

  sku_name                     = var.instance_type
  storage_mb                   = var.storage_gb * 1024
  auto_grow_enabled            = true
  backup_retention_days        = var.backup_days
  geo_redundant_backup_enabled = var.geo_redundant_backup

  # Reached through its private endpoint only.
  public_network_access_enabled = false

  authentication {
    password_auth_enabled         = true
    active_directory_auth_enabled = false
  }

  dynamic "high_availability" {
    for_each = var.high_availability ? { mode = "ZoneRedundant" } : {}

    content {
      mode = high_availability.value
    }
  }

  maintenance_window {
    day_of_week  = 0
    start_hour   = 3
    start_minute = 0
  }

  lifecycle {
    # Azure picks them, and a fail-over swaps them.
    ignore_changes = [zone, high_availability[0].standby_availability_zone]
  }
}

resource "azurerm_postgresql_flexible_server_database" "this" {
  name      = var.database_name
  server_id = azurerm_postgresql_flexible_server.this.id
  charset   = "UTF8"
  collation = "en_US.utf8"
}

resource "azurerm_postgresql_flexible_server_configuration" "this" {
  for_each = {
    "connection_throttle.enable" = "on"
    log_connections              = "on"
    log_disconnections           = "on"
    require_secure_transport     = "on"
  }

  name      = each.key
  server_id = azurerm_postgresql_flexible_server.this.id
  value     = each.value
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  name                       = "audit"
  target_resource_id         = azurerm_postgresql_flexible_server.this.id
  log_analytics_workspace_id = var.log_analytics_workspace_id

  enabled_log {
    category = "PostgreSQLLogs"
  }
}

resource "azurerm_management_lock" "this" {
  for_each = var.deletion_protection ? { server = azurerm_postgresql_flexible_server.this.id } : {}

  name       = "keep"
  scope      = each.value
  lock_level = "CanNotDelete"
  notes      = "deletion_protection is on: turn it off and apply before destroy."
}
