output "id" {
  description = "Resource id of the registry."
  value       = azurerm_container_registry.this.id
}

output "url" {
  description = "Prefix for image names."
  value       = azurerm_container_registry.this.login_server
}
