# kube-audit-admin leaves out get and list, which are most of the volume and none of the changes.
resource "azurerm_monitor_diagnostic_setting" "audit" {
  name                           = "audit"
  target_resource_id             = azurerm_kubernetes_cluster.this.id
  log_analytics_workspace_id     = var.log_analytics_workspace_id
  log_analytics_destination_type = "Dedicated"

  dynamic "enabled_log" {
    for_each = toset(["cluster-autoscaler", "guard", "kube-apiserver", "kube-audit-admin", "kube-controller-manager"])

    content {
      category = enabled_log.value
    }
  }
}
