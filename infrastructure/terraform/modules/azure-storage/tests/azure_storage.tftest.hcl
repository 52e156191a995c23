mock_provider "azurerm" {
  mock_resource "azurerm_storage_account" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.Storage/storageAccounts/mlopsartifacts" }
  }
}

variables {
  name                       = "mlopsartifacts"
  location                   = "westeurope"
  resource_group_name        = "mlops-core-dev"
  containers                 = { argo = "argo", mlflow = "mlflow" }
  log_analytics_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.OperationalInsights/workspaces/logs"
}

run "no_key_and_nobody_from_outside_opens_the_account" {
  assert {
    condition     = !azurerm_storage_account.this.shared_access_key_enabled && !azurerm_storage_account.this.public_network_access_enabled && !azurerm_storage_account.this.allow_nested_items_to_be_public
    error_message = "The account is open."
  }
}

run "objects_are_versioned_encrypted_twice_and_kept_after_deletion" {
  assert {
    condition     = azurerm_storage_account.this.blob_properties[0].versioning_enabled && azurerm_storage_account.this.infrastructure_encryption_enabled && azurerm_storage_account.this.blob_properties[0].delete_retention_policy[0].days == 14
    error_message = "Versioning, encryption or retention is missing."
  }
}

run "old_versions_go" {
  assert {
    condition     = azurerm_storage_management_policy.this.rule[0].actions[0].version[0].delete_after_days_since_creation == 90
    error_message = "Old versions stay for ever."
  }
}

run "the_account_is_locked_by_default" {
  assert {
    condition     = azurerm_management_lock.this["account"].lock_level == "CanNotDelete"
    error_message = "No lock."
  }
}

run "without_protection_there_is_no_lock" {
  variables {
    deletion_protection = false
  }
  assert {
    condition     = length(azurerm_management_lock.this) == 0
    error_message = "A lock is left."
  }
}

run "stores_are_uris_that_mlflow_takes" {
  assert {
    condition     = output.stores["mlflow"].uri == "wasbs://mlflow@mlopsartifacts.blob.core.windows.net"
    error_message = output.stores["mlflow"].uri
  }
}

run "single_addresses_lose_their_mask" {
  variables {
    allowed_cidrs = ["203.0.113.7/32", "198.51.100.0/24"]
  }
  assert {
    condition     = azurerm_storage_account.this.network_rules[0].ip_rules == toset(["203.0.113.7", "198.51.100.0/24"]) && azurerm_storage_account.this.network_rules[0].default_action == "Deny"
    error_message = jsonencode(azurerm_storage_account.this.network_rules)
  }
}

run "a_range_that_azure_does_not_take_is_refused" {
  command = plan
  variables {
    allowed_cidrs = ["203.0.113.6/31"]
  }
  expect_failures = [var.allowed_cidrs]
}

run "a_name_with_dashes_is_refused" {
  command = plan
  variables {
    name = "mlops-artifacts"
  }
  expect_failures = [var.name]
}

run "a_container_with_capitals_is_refused" {
  command = plan
  variables {
    containers = { argo = "Argo" }
  }
  expect_failures = [var.containers]
}

run "an_unknown_replication_is_refused" {
  command = plan
  variables {
    replication = "RAGRS"
  }
  expect_failures = [var.replication]
}

run "a_retention_of_years_is_refused" {
  command = plan
  variables {
    retention = { version_days = 1000 }
  }
  expect_failures = [var.retention]
}
