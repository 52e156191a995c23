locals {
  nat = var.nat == "none" ? {} : { egress = var.nat }
  # Eight /19 in a /16: nodes take the first, private endpoints a /24 of the last.
  nodes_prefix     = cidrsubnet(var.cidr, 3, 0)
  endpoints_prefix = cidrsubnet(var.cidr, 8, 255)
}

resource "azurerm_virtual_network" "this" {
  name                = var.names.network
  resource_group_name = var.resource_group_name
  location            = var.location
  address_space       = [var.cidr]
  tags                = var.tags
}

################################################################################
# Subnets: Azure's span all zones of the region
################################################################################

resource "azurerm_subnet" "nodes" {
  name                            = var.names.nodes
  resource_group_name             = var.resource_group_name
  virtual_network_name            = azurerm_virtual_network.this.name
  address_prefixes                = [local.nodes_prefix]
  default_outbound_access_enabled = false
}

resource "azurerm_subnet" "endpoints" {
  name                            = var.names.endpoints
  resource_group_name             = var.resource_group_name
  virtual_network_name            = azurerm_virtual_network.this.name
  address_prefixes                = [local.endpoints_prefix]
  default_outbound_access_enabled = false
  # Without it security groups do not see traffic to private endpoints.
  private_endpoint_network_policies = "NetworkSecurityGroupEnabled"
}

################################################################################
# Security groups
################################################################################

resource "azurerm_network_security_group" "nodes" {
  name                = var.names.nodes
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_network_security_group" "endpoints" {
  name                = var.names.endpoints
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags

  security_rule {
    name                       = "allow-nodes"
    description                = "Storage, vault and registry over TLS, and PostgreSQL, from the nodes."
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefix      = local.nodes_prefix
    source_port_range          = "*"
    destination_address_prefix = local.endpoints_prefix
    destination_port_ranges    = ["443", "5432"]
  }

  security_rule {
    name                       = "deny-the-rest"
    description                = "Azure's own default lets the whole network in."
    priority                   = 4096
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }
}

resource "azurerm_subnet_network_security_group_association" "nodes" {
  subnet_id                 = azurerm_subnet.nodes.id
  network_security_group_id = azurerm_network_security_group.nodes.id
}

resource "azurerm_subnet_network_security_group_association" "endpoints" {
  subnet_id                 = azurerm_subnet.endpoints.id
  network_security_group_id = azurerm_network_security_group.endpoints.id
}

################################################################################
# Way out: one gateway. A StandardV2 gateway spans the zones, a Standard one
# lives in one of them, so "per_zone" is one gateway here and three on AWS.
################################################################################

resource "azurerm_public_ip" "nat" {
  for_each = local.nat

  name                = var.names.nat
  resource_group_name = var.resource_group_name
  location            = var.location
  allocation_method   = "Static"
  sku                 = each.value == "per_zone" ? "StandardV2" : "Standard"
  zones               = each.value == "per_zone" ? ["1", "2", "3"] : [var.zones[0]]
  tags                = var.tags
}

resource "azurerm_nat_gateway" "this" {
  for_each = local.nat

  name                = var.names.nat
  resource_group_name = var.resource_group_name
  location            = var.location
  sku_name            = each.value == "per_zone" ? "StandardV2" : "Standard"
  zones               = each.value == "per_zone" ? ["1", "2", "3"] : [var.zones[0]]
  tags                = var.tags
}

resource "azurerm_nat_gateway_public_ip_association" "this" {
  for_each = local.nat

  nat_gateway_id       = azurerm_nat_gateway.this[each.key].id
  public_ip_address_id = azurerm_public_ip.nat[each.key].id
}

resource "azurerm_subnet_nat_gateway_association" "nodes" {
  for_each = local.nat

  subnet_id      = azurerm_subnet.nodes.id
  nat_gateway_id = azurerm_nat_gateway.this[each.key].id
}
