mock_provider "azurerm" {
  mock_resource "azurerm_postgresql_flexible_server" {
    defaults = {
      id   = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.DBforPostgreSQL/flexibleServers/mlops-core-dev-mlflow"
      fqdn = "mlops-core-dev-mlflow.postgres.database.azure.com"
    }
  }
}

variables {
  name                       = "mlops-core-dev-mlflow"
  location                   = "westeurope"
  resource_group_name        = "mlops-core-dev"
  log_analytics_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.OperationalInsights/workspaces/logs"
  password                   = "never-kept" # pragma: allowlist secret
}

run "the_server_is_private_backed_up_and_locked" {
  assert {
    condition     = !azurerm_postgresql_flexible_server.this.public_network_access_enabled && azurerm_postgresql_flexible_server.this.backup_retention_days == 7
    error_message = "Public, or without backups."
  }
  assert {
    condition     = azurerm_management_lock.this["server"].lock_level == "CanNotDelete"
    error_message = "No lock."
  }
}

run "connections_are_encrypted_and_logged" {
  assert {
    condition     = azurerm_postgresql_flexible_server_configuration.this["require_secure_transport"].value == "on" && azurerm_postgresql_flexible_server_configuration.this["log_connections"].value == "on"
    error_message = "A connection may be in clear or unseen."
  }
}

run "the_state_never_holds_the_password" {
  assert {
    condition     = azurerm_postgresql_flexible_server.this.administrator_password == null && azurerm_postgresql_flexible_server.this.administrator_password_wo == null
    error_message = "The password is kept."
  }
  assert {
    condition     = output.connection == { host = "mlops-core-dev-mlflow.postgres.database.azure.com", port = 5432, name = "mlflow", user = "mlflow" }
    error_message = jsonencode(output.connection)
  }
}

run "a_standby_is_in_another_zone" {
  variables {
    high_availability = true
  }
  assert {
    condition     = azurerm_postgresql_flexible_server.this.high_availability[0].mode == "ZoneRedundant"
    error_message = "No standby."
  }
}

run "a_burstable_server_with_a_standby_is_refused" {
  command = plan
  variables {
    high_availability = true
    instance_type     = "B_Standard_B2s"
  }
  expect_failures = [var.high_availability]
}

run "a_disk_that_azure_does_not_have_is_refused" {
  command = plan
  variables {
    storage_gb = 100
  }
  expect_failures = [var.storage_gb]
}

run "backups_for_a_day_are_refused" {
  command = plan
  variables {
    backup_days = 1
  }
  expect_failures = [var.backup_days]
}

run "an_instance_type_without_its_family_is_refused" {
  command = plan
  variables {
    instance_type = "Standard_D2ds_v5"
  }
  expect_failures = [var.instance_type]
}

run "a_login_of_azure_is_refused" {
  command = plan
  variables {
    login = "azure_superuser"
  }
  expect_failures = [var.login]
}
