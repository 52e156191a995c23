locals {
  # Azure takes single addresses only without their /32.
  addresses = [for cidr in var.allowed_cidrs : trimsuffix(cidr, "/32")]
}

resource "azurerm_storage_account" "this" {
  # checkov:skip=CKV_AZURE_33: no queues here; azurerm 5 has no queue logging in this resource
  # checkov:skip=CKV_AZURE_206: replication is a size of the profile: LRS in dev, ZRS or GZRS above
  # checkov:skip=CKV2_AZURE_1: Azure's own keys; a customer's key is the tenant's decision
  # checkov:skip=CKV2_AZURE_33: the private endpoint is made in modules/azure-private-endpoints
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags

  account_kind             = "StorageV2"
  account_tier             = "Standard"
  account_replication_type = var.replication

  https_traffic_only_enabled        = true
  min_tls_version                   = "TLS1_2"
  infrastructure_encryption_enabled = true

  # Identities only: account keys cannot be told apart nor taken back one by one.
  shared_access_key_enabled       = false
  default_to_oauth_authentication = true
  local_user_enabled              = false

  allow_nested_items_to_be_public  = false
  cross_tenant_replication_enabled = false
  public_network_access_enabled    = length(var.allowed_cidrs) > 0

  network_rules {
    default_action = "Deny"
    bypass         = ["AzureServices"]
    ip_rules       = local.addresses
  }

  sas_policy {
    expiration_period = "00.01:00:00"
    expiration_action = "Block"
  }

  blob_properties {
    versioning_enabled = true

    delete_retention_policy {
      days = var.retention.deleted_days
    }
    container_delete_retention_policy {
      days = var.retention.deleted_days
    }
  }
}

resource "azurerm_storage_container" "this" {
  # checkov:skip=CKV2_AZURE_21: reads are in the account's diagnostic setting below
  for_each = var.containers

  name                  = each.value
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"
}

resource "azurerm_storage_management_policy" "this" {
  storage_account_id = azurerm_storage_account.this.id

  rule {
    name    = "old-versions"
    enabled = true

    filters {
      blob_types = ["blockBlob"]
    }
    actions {
      base_blob {
        tier_to_cool_after_days_since_modification_greater_than = var.retention.cool_after_days
      }
      version {
        delete_after_days_since_creation = var.retention.version_days
      }
      snapshot {
        delete_after_days_since_creation_greater_than = var.retention.version_days
      }
    }
  }
}

resource "azurerm_monitor_diagnostic_setting" "blobs" {
  name                       = "audit"
  target_resource_id         = "${azurerm_storage_account.this.id}/blobServices/default"
  log_analytics_workspace_id = var.log_analytics_workspace_id

  enabled_log {
    category = "StorageRead"
  }
  enabled_log {
    category = "StorageWrite"
  }
  enabled_log {
    category = "StorageDelete"
  }
}

resource "azurerm_management_lock" "this" {
  for_each = var.deletion_protection ? { account = azurerm_storage_account.this.id } : {}

  name       = "keep"
  scope      = each.value
  lock_level = "CanNotDelete"
  notes      = "deletion_protection is on: turn it off and apply before destroy."
}
