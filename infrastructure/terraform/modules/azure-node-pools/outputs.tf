output "pools" {
  description = "Name, labels and taints of each pool, spot's own included: what a pod must select and tolerate."
  value = {
    for key, pool in azurerm_kubernetes_cluster_node_pool.this : key => {
      name   = pool.name
      labels = local.labels[key]
      taints = local.taints[key]
    }
  }
}
