output "pools" {
  description = "Name, labels and taints of each pool: what a pod must select and tolerate."
  value = {
    for key, pool in google_container_node_pool.this : key => {
      name   = pool.name
      labels = var.pools[key].labels
      taints = var.pools[key].taints
    }
  }
}
