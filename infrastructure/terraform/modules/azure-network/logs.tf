# What a security group let through and refused, by rule. Flow records of pods come from AKS' network observability.
resource "azurerm_monitor_diagnostic_setting" "flows" {
  for_each = var.flow_logs ? {
    nodes     = azurerm_network_security_group.nodes.id
    endpoints = azurerm_network_security_group.endpoints.id
  } : {}

  name                       = "flows"
  target_resource_id         = each.value
  log_analytics_workspace_id = var.log_analytics_workspace_id

  enabled_log {
    category = "NetworkSecurityGroupEvent"
  }
  enabled_log {
    category = "NetworkSecurityGroupRuleCounter"
  }
}
