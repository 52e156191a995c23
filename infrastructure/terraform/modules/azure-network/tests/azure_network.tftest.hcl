mock_provider "azurerm" {
  mock_resource "azurerm_subnet" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.Network/virtualNetworks/mlops/subnets/nodes" }
  }
  mock_resource "azurerm_network_security_group" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.Network/networkSecurityGroups/nodes" }
  }
  mock_resource "azurerm_nat_gateway" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.Network/natGateways/nat" }
  }
  mock_resource "azurerm_public_ip" {
    defaults = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.Network/publicIPAddresses/nat" }
  }
}

variables {
  cidr                       = "10.40.0.0/16"
  location                   = "westeurope"
  resource_group_name        = "mlops-core-dev"
  names                      = { endpoints = "endpoints", nat = "nat", network = "mlops", nodes = "nodes" }
  zones                      = ["1", "2", "3"]
  log_analytics_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.OperationalInsights/workspaces/logs"
}

run "nothing_leaves_but_through_the_gateway" {
  assert {
    condition     = !azurerm_subnet.nodes.default_outbound_access_enabled && !azurerm_subnet.endpoints.default_outbound_access_enabled
    error_message = "A subnet has Azure's own way out."
  }
  assert {
    condition     = output.outbound_type == "userAssignedNATGateway" && length(azurerm_subnet_nat_gateway_association.nodes) == 1
    error_message = "The nodes' subnet has no gateway."
  }
}

run "subnets_do_not_overlap" {
  assert {
    condition     = azurerm_subnet.nodes.address_prefixes == tolist(["10.40.0.0/19"]) && azurerm_subnet.endpoints.address_prefixes == tolist(["10.40.255.0/24"])
    error_message = "Prefixes: ${jsonencode([azurerm_subnet.nodes.address_prefixes, azurerm_subnet.endpoints.address_prefixes])}"
  }
}

run "private_endpoints_answer_nodes_only" {
  assert {
    condition = alltrue([
      for rule in azurerm_network_security_group.endpoints.security_rule :
      rule.access == "Deny" || (rule.source_address_prefix == "10.40.0.0/19" && rule.destination_port_ranges == toset(["443", "5432"]))
    ])
    error_message = "Somebody else gets in."
  }
}

run "one_gateway_lives_in_one_zone" {
  assert {
    condition     = azurerm_nat_gateway.this["egress"].sku_name == "Standard" && azurerm_nat_gateway.this["egress"].zones == toset(["1"])
    error_message = "A Standard gateway takes one zone."
  }
}

run "a_gateway_per_zone_outlives_a_zone" {
  variables {
    nat = "per_zone"
  }
  assert {
    condition     = azurerm_nat_gateway.this["egress"].sku_name == "StandardV2" && length(azurerm_nat_gateway.this["egress"].zones) == 3
    error_message = "A StandardV2 gateway spans the zones."
  }
}

run "without_a_gateway_the_cluster_uses_its_load_balancer" {
  variables {
    nat = "none"
  }
  assert {
    condition     = output.outbound_type == "loadBalancer" && length(azurerm_nat_gateway.this) == 0
    error_message = "outbound_type is ${output.outbound_type}"
  }
}

run "flows_are_logged_unless_turned_off" {
  assert {
    condition     = toset(keys(azurerm_monitor_diagnostic_setting.flows)) == toset(["endpoints", "nodes"])
    error_message = "A security group has no log."
  }
}

run "flow_logs_can_be_turned_off" {
  variables {
    flow_logs = false
  }
  assert {
    condition     = length(azurerm_monitor_diagnostic_setting.flows) == 0
    error_message = "Flow logs are still on."
  }
}

run "a_small_address_space_is_refused" {
  command = plan
  variables {
    cidr = "10.40.0.0/24"
  }
  expect_failures = [var.cidr]
}

run "an_unknown_zone_is_refused" {
  command = plan
  variables {
    zones = ["westeurope-1"]
  }
  expect_failures = [var.zones]
}

run "an_unknown_way_out_is_refused" {
  command = plan
  variables {
    nat = "double"
  }
  expect_failures = [var.nat]
}
