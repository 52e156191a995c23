output "connection" {
  description = "Where the database is and as whom; no password."
  value = {
    host = azurerm_postgresql_flexible_server.this.fqdn
    port = 5432
    name = azurerm_postgresql_flexible_server_database.this.name
    user = azurerm_postgresql_flexible_server.this.administrator_login
  }
}

output "id" {
  description = "Resource id of the server."
  value       = azurerm_postgresql_flexible_server.this.id
}
