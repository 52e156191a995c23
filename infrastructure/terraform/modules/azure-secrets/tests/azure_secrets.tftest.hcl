mock_provider "azurerm" {
  mock_resource "azurerm_key_vault_secret" {
    defaults = { versionless_id = "https://mlops-core-dev.vault.azure.net/secrets/grafana-admin" }
  }
  mock_resource "azurerm_key_vault" {
    defaults = {
      id        = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.KeyVault/vaults/mlops-core-dev"
      vault_uri = "https://mlops-core-dev.vault.azure.net/"
    }
  }
}

variables {
  name                       = "mlops-core-dev"
  location                   = "westeurope"
  resource_group_name        = "mlops-core-dev"
  tenant_id                  = "33333333-3333-4333-8333-333333333333"
  writers                    = { applier = "22222222-2222-4222-8222-222222222222" }
  log_analytics_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.OperationalInsights/workspaces/logs"
  entries                    = { grafana-admin = { username = "admin" }, mlflow-flask-key = {} }
}

run "the_vault_is_closed_and_cannot_be_purged" {
  assert {
    condition     = !azurerm_key_vault.this.public_network_access_enabled && azurerm_key_vault.this.rbac_authorization_enabled && azurerm_key_vault.this.purge_protection_enabled
    error_message = "The vault is open, knows access policies or can be purged."
  }
}

run "neither_state_nor_outputs_hold_a_value" {
  assert {
    condition     = alltrue([for secret in azurerm_key_vault_secret.this : secret.value == null && secret.value_wo == null])
    error_message = "A secret's value is kept."
  }
  assert {
    condition     = output.names == { grafana-admin = "grafana-admin", mlflow-flask-key = "mlflow-flask-key" }
    error_message = jsonencode(output.names)
  }
}

run "a_written_entry_is_read_back_by_its_name" {
  assert {
    condition     = output.readable_names["grafana-admin"] == "grafana-admin"
    error_message = jsonencode(output.readable_names)
  }
}

run "planning_again_makes_nothing_anew" {
  command = plan
  assert {
    condition     = alltrue([for secret in azurerm_key_vault_secret.this : secret.value_wo_version == 1])
    error_message = "A secret would change by itself."
  }
}

run "addresses_named_reach_the_vault_and_no_others" {
  variables {
    allowed_cidrs = ["203.0.113.0/24"]
  }
  assert {
    condition     = azurerm_key_vault.this.public_network_access_enabled && azurerm_key_vault.this.network_acls[0].default_action == "Deny" && azurerm_key_vault.this.network_acls[0].ip_rules == toset(["203.0.113.0/24"])
    error_message = jsonencode(azurerm_key_vault.this.network_acls)
  }
}

run "a_vault_for_a_trial_leaves_its_name_free" {
  variables {
    deletion_protection = false
  }
  assert {
    condition     = !azurerm_key_vault.this.purge_protection_enabled && azurerm_key_vault.this.soft_delete_retention_days == 7
    error_message = "The name stays taken."
  }
}

run "a_long_name_is_refused" {
  command = plan
  variables {
    name = "mlops-core-development-vault"
  }
  expect_failures = [var.name]
}

run "an_entry_with_an_underscore_is_refused" {
  command = plan
  variables {
    entries = { flask_key = {} }
  }
  expect_failures = [var.entries]
}

run "an_address_that_is_none_is_refused" {
  command = plan
  variables {
    allowed_cidrs = ["home"]
  }
  expect_failures = [var.allowed_cidrs]
}

run "a_vault_that_nobody_writes_is_refused" {
  command = plan
  variables {
    writers = {}
  }
  expect_failures = [var.writers]
}
