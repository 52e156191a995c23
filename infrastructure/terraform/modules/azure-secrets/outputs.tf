output "id" {
  description = "Resource id of the vault."
  value       = azurerm_key_vault.this.id
}

output "names" {
  description = "Name of each entry in the vault, known only when it is written."
  value       = { for key, secret in azurerm_key_vault_secret.this : key => secret.name }
}

output "vault_id" {
  description = "Resource id of the vault, known only when its entries are written: for readers of them."
  value       = azurerm_key_vault.this.id
  depends_on  = [azurerm_key_vault_secret.this]
}

output "vault_url" {
  description = "URL of the vault."
  value       = azurerm_key_vault.this.vault_uri
}
