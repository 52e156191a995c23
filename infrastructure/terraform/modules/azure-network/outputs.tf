output "id" {
  description = "Resource id of the virtual network."
  value       = azurerm_virtual_network.this.id
}

output "endpoints_subnet_id" {
  description = "Subnet for private endpoints."
  value       = azurerm_subnet.endpoints.id
}

output "nodes_subnet_id" {
  description = "Subnet for nodes. Known only when its way out stands, so that nodes never start without one."
  value       = azurerm_subnet.nodes.id

  depends_on = [
    azurerm_nat_gateway_public_ip_association.this,
    azurerm_subnet_nat_gateway_association.nodes,
    azurerm_subnet_network_security_group_association.nodes,
  ]
}

output "outbound_type" {
  description = "AKS' outbound_type that fits the way out."
  value       = var.nat == "none" ? "loadBalancer" : "userAssignedNATGateway"
}
