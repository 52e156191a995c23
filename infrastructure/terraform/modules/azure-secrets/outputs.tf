output "id" {
  description = "Resource id of the vault."
  value       = azurerm_key_vault.this.id
}

output "names" {
  description = "Name of each entry in the vault."
  value       = { for key, secret in azurerm_key_vault_secret.this : key => secret.name }
}

output "readable_names" {
  description = "Name of each entry, unknown until it is written: whoever reads it back while planning would ask for what is not there yet."
  value       = { for key, secret in azurerm_key_vault_secret.this : key => basename(secret.versionless_id) }
}

output "vault_url" {
  description = "URL of the vault."
  value       = azurerm_key_vault.this.vault_uri
}
