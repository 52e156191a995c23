output "addresses" {
  description = "Private address of each endpoint, by name."
  value       = { for key, endpoint in azurerm_private_endpoint.this : key => endpoint.private_service_connection[0].private_ip_address }
}
