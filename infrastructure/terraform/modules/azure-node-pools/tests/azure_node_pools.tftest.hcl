mock_provider "azurerm" {}

variables {
  cluster_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.ContainerService/managedClusters/mlops-core-dev"
  subnet_id  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.Network/virtualNetworks/mlops/subnets/nodes"
  pools = {
    general  = { instance_type = "Standard_D4ds_v5", min = 1, desired = 1, labels = { "mlops.io/pool" = "general" } }
    training = { instance_type = "Standard_D8ds_v5", spot = true, taints = [{ key = "mlops.io/pool", value = "training", effect = "NoSchedule" }] }
    gpu      = { instance_type = "Standard_NC4as_T4_v3", gpu = true }
  }
}

run "training_and_gpu_start_from_zero" {
  assert {
    condition     = alltrue([for key in ["training", "gpu"] : azurerm_kubernetes_cluster_node_pool.this[key].min_count == 0])
    error_message = "A pool keeps a node that nobody needs."
  }
}

run "gpu_nodes_come_with_their_driver" {
  assert {
    condition     = azurerm_kubernetes_cluster_node_pool.this["gpu"].gpu_driver == "Install" && azurerm_kubernetes_cluster_node_pool.this["general"].gpu_driver == null
    error_message = "The driver is on the wrong nodes."
  }
}

run "azures_own_marks_of_spot_are_told" {
  assert {
    condition     = azurerm_kubernetes_cluster_node_pool.this["training"].priority == "Spot" && azurerm_kubernetes_cluster_node_pool.this["training"].spot_max_price == -1
    error_message = "Not a spot pool at the market's price."
  }
  assert {
    condition     = contains([for taint in output.pools["training"].taints : taint.key], "kubernetes.azure.com/scalesetpriority") && output.pools["training"].labels["kubernetes.azure.com/scalesetpriority"] == "spot"
    error_message = "Pods would not know what to tolerate: ${jsonencode(output.pools["training"])}"
  }
  assert {
    condition     = azurerm_kubernetes_cluster_node_pool.this["training"].node_taints == tolist(["mlops.io/pool=training:NoSchedule", "kubernetes.azure.com/scalesetpriority=spot:NoSchedule"])
    error_message = jsonencode(azurerm_kubernetes_cluster_node_pool.this["training"].node_taints)
  }
}

run "a_name_that_aks_does_not_take_is_refused" {
  command = plan
  variables {
    pools = { "gpu-large" = { instance_type = "Standard_NC24ads_A100_v4" } }
  }
  expect_failures = [var.pools]
}

run "more_nodes_wanted_than_allowed_is_refused" {
  command = plan
  variables {
    pools = { general = { instance_type = "Standard_D4ds_v5", max = 2, desired = 3 } }
  }
  expect_failures = [var.pools]
}

run "a_taint_written_as_aws_writes_it_is_refused" {
  command = plan
  variables {
    pools = { general = { instance_type = "Standard_D4ds_v5", taints = [{ key = "a", value = "b", effect = "NO_SCHEDULE" }] } }
  }
  expect_failures = [var.pools]
}
