mock_provider "azurerm" {
  mock_resource "azurerm_container_registry" {
    defaults = {
      id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.ContainerRegistry/registries/mlopscoredev"
      login_server = "mlopscoredev.azurecr.io"
    }
  }
}

variables {
  name                       = "mlopscoredev"
  location                   = "westeurope"
  resource_group_name        = "mlops-core-dev"
  pullers                    = { nodes = "22222222-2222-4222-8222-222222222222" }
  log_analytics_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.OperationalInsights/workspaces/logs"
}

run "images_need_an_identity_and_nodes_only_pull" {
  assert {
    condition     = !azurerm_container_registry.this.admin_enabled && !azurerm_container_registry.this.anonymous_pull_enabled && azurerm_role_assignment.pull["nodes"].role_definition_name == "AcrPull"
    error_message = "Somebody pulls without an identity or pushes with the nodes'."
  }
}

run "premium_is_private_spans_zones_and_forgets_untagged_images" {
  variables {
    sku = "Premium"
  }
  assert {
    condition     = !azurerm_container_registry.this.public_network_access_enabled && azurerm_container_registry.this.zone_redundancy_enabled && azurerm_container_registry.this.retention_policy_in_days == 30
    error_message = "Premium's features are not used."
  }
}

run "smaller_registries_ask_for_nothing_that_only_premium_has" {
  assert {
    condition     = azurerm_container_registry.this.retention_policy_in_days == null && !azurerm_container_registry.this.zone_redundancy_enabled && azurerm_container_registry.this.quarantine_policy_enabled == null
    error_message = "Azure would refuse it."
  }
}

run "a_name_with_dashes_is_refused" {
  command = plan
  variables {
    name = "mlops-core-dev"
  }
  expect_failures = [var.name]
}

run "an_unknown_sku_is_refused" {
  command = plan
  variables {
    sku = "Classic"
  }
  expect_failures = [var.sku]
}

run "untagged_images_gone_at_once_are_refused" {
  command = plan
  variables {
    untagged_days = 0
  }
  expect_failures = [var.untagged_days]
}
