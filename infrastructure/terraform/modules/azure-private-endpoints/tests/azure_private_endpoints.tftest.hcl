mock_provider "azurerm" {
  mock_resource "azurerm_private_dns_zone" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net" }
  }
}

variables {
  name                = "mlops-core-dev"
  location            = "westeurope"
  resource_group_name = "mlops-core-dev"
  network_id          = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.Network/virtualNetworks/mlops"
  subnet_id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.Network/virtualNetworks/mlops/subnets/endpoints"
  endpoints = {
    first  = { resource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.Storage/storageAccounts/first", subresource = "blob", zone = "privatelink.blob.core.windows.net" }
    second = { resource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.Storage/storageAccounts/second", subresource = "blob", zone = "privatelink.blob.core.windows.net" }
    vault  = { resource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.KeyVault/vaults/vault", subresource = "vault", zone = "privatelink.vaultcore.azure.net" }
  }
}

run "services_of_a_kind_share_one_zone_that_the_network_resolves" {
  assert {
    condition     = length(azurerm_private_dns_zone.this) == 2 && keys(azurerm_private_dns_zone_virtual_network_link.this) == keys(azurerm_private_dns_zone.this)
    error_message = "Zones: ${jsonencode(keys(azurerm_private_dns_zone.this))}"
  }
}

run "every_service_has_an_endpoint_without_manual_approval" {
  assert {
    condition     = length(azurerm_private_endpoint.this) == 3 && alltrue([for endpoint in azurerm_private_endpoint.this : !endpoint.private_service_connection[0].is_manual_connection])
    error_message = "An endpoint is missing or waits for approval."
  }
}

run "a_public_zone_is_refused" {
  command = plan
  variables {
    endpoints = { vault = { resource_id = "x", subresource = "vault", zone = "vault.azure.net" } }
  }
  expect_failures = [var.endpoints]
}
