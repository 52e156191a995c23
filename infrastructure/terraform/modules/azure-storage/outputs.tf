output "account_name" {
  description = "Name of the account."
  value       = azurerm_storage_account.this.name
}

output "container_ids" {
  description = "Resource id of each container, by key: scope of role assignments."
  value       = { for key, container in azurerm_storage_container.this : key => "${azurerm_storage_account.this.id}/blobServices/default/containers/${container.name}" }
}

output "id" {
  description = "Resource id of the account."
  value       = azurerm_storage_account.this.id
}

output "stores" {
  description = "Name and URI (as MLflow takes it) of each container, by key."
  value = {
    for key, container in azurerm_storage_container.this : key => {
      name = container.name
      uri  = "wasbs://${container.name}@${azurerm_storage_account.this.name}.blob.core.windows.net"
    }
  }
}
