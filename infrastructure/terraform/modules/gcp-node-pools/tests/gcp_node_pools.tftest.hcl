mock_provider "google" {}

variables {
  project_id      = "mlops-test"
  region          = "europe-west4"
  zones           = ["europe-west4-a", "europe-west4-b", "europe-west4-c"]
  cluster_name    = "mlops-core-dev"
  service_account = "nodes@mlops-test.iam.gserviceaccount.com"
  pools = {
    general  = { instance_type = "e2-standard-4", min = 2, max = 6, desired = 2, labels = { "mlops.io/pool" = "general" } }
    training = { instance_type = "n2-standard-16", spot = true, taints = [{ key = "mlops.io/pool", value = "training", effect = "NoSchedule" }] }
    gpu = {
      instance_type = "g2-standard-8"
      gpu           = { type = "nvidia-l4", count = 1 }
      taints        = [{ key = "nvidia.com/gpu", value = "present", effect = "NoSchedule" }]
    }
  }
}

run "training_and_gpu_start_from_zero" {
  assert {
    condition     = alltrue([for key in ["training", "gpu"] : google_container_node_pool.this[key].autoscaling[0].total_min_node_count == 0 && google_container_node_pool.this[key].initial_node_count == 0])
    error_message = "A pool keeps a node that nobody needs."
  }
}

run "bounds_are_totals_and_not_by_zone" {
  assert {
    condition     = google_container_node_pool.this["general"].autoscaling[0].total_max_node_count == 6 && google_container_node_pool.this["general"].initial_node_count == 1
    error_message = "Three zones would make three times the nodes."
  }
}

run "gpu_nodes_come_with_their_driver_and_googles_own_taint" {
  assert {
    condition     = google_container_node_pool.this["gpu"].node_config[0].guest_accelerator[0].gpu_driver_installation_config[0].gpu_driver_version == "DEFAULT"
    error_message = "No driver."
  }
  assert {
    condition     = length(google_container_node_pool.this["gpu"].node_config[0].taint) == 0 && output.pools["gpu"].taints[0].key == "nvidia.com/gpu"
    error_message = "The taint is put twice, or nobody is told of it."
  }
}

run "taints_are_written_as_google_writes_them" {
  assert {
    condition     = google_container_node_pool.this["training"].node_config[0].taint[0].effect == "NO_SCHEDULE" && output.pools["training"].taints[0].effect == "NoSchedule"
    error_message = jsonencode(google_container_node_pool.this["training"].node_config[0].taint)
  }
}

run "pods_never_see_the_nodes_credentials" {
  assert {
    condition     = alltrue([for pool in google_container_node_pool.this : pool.node_config[0].workload_metadata_config[0].mode == "GKE_METADATA"])
    error_message = "A pod could become its node."
  }
}

run "gpus_without_a_type_are_refused" {
  command = plan
  variables {
    pools = { gpu = { instance_type = "g2-standard-8", gpu = { count = 1 } } }
  }
  expect_failures = [var.pools]
}

run "more_nodes_wanted_than_allowed_is_refused" {
  command = plan
  variables {
    pools = { general = { instance_type = "e2-standard-4", max = 2, desired = 3 } }
  }
  expect_failures = [var.pools]
}

run "a_name_with_an_underscore_is_refused" {
  command = plan
  variables {
    pools = { gpu_large = { instance_type = "a2-highgpu-1g" } }
  }
  expect_failures = [var.pools]
}
