locals {
  # AKS adds both to spot pools by itself; unless they are said here, every plan wants to take them off.
  spot_key = "kubernetes.azure.com/scalesetpriority"

  labels = { for key, pool in var.pools : key => merge(pool.labels, pool.spot ? { (local.spot_key) = "spot" } : {}) }
  taints = {
    for key, pool in var.pools : key => concat(
      pool.taints,
      pool.spot ? [{ key = local.spot_key, value = "spot", effect = "NoSchedule" }] : [],
    )
  }
}

resource "azurerm_kubernetes_cluster_node_pool" "this" {
  for_each = var.pools

  name                        = each.key
  kubernetes_cluster_id       = var.cluster_id
  vm_size                     = each.value.instance_type
  auto_scaling_enabled        = true
  min_count                   = each.value.min
  max_count                   = each.value.max
  node_count                  = each.value.desired
  zones                       = var.zones
  vnet_subnet_id              = var.subnet_id
  host_encryption_enabled     = true
  os_sku                      = each.value.gpu ? "Ubuntu" : "AzureLinux"
  os_disk_size_gb             = each.value.disk_gb
  max_pods                    = 110
  gpu_driver                  = each.value.gpu ? "Install" : null
  priority                    = each.value.spot ? "Spot" : "Regular"
  eviction_policy             = each.value.spot ? "Delete" : null
  spot_max_price              = each.value.spot ? -1 : null
  node_labels                 = local.labels[each.key]
  node_taints                 = [for taint in local.taints[each.key] : "${taint.key}=${taint.value}:${taint.effect}"]
  temporary_name_for_rotation = "${substr(each.key, 0, 9)}tmp"
  tags                        = var.tags

  # Azure refuses a surge on spot pools.
  dynamic "upgrade_settings" {
    for_each = each.value.spot ? {} : { surge = "33%" }

    content {
      max_surge                     = upgrade_settings.value
      drain_timeout_in_minutes      = 30
      node_soak_duration_in_minutes = 0
    }
  }

  lifecycle {
    # The autoscaler owns it.
    ignore_changes = [node_count]
  }
}
