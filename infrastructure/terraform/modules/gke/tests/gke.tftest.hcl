mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = { email = "mlops-core-dev-nodes@mlops-test.iam.gserviceaccount.com" }
  }
}

# Mocks leave blocks empty that the provider adds by itself.
override_resource {
  target = google_container_cluster.this
  values = {
    id          = "projects/mlops-test/locations/europe-west4/clusters/mlops-core-dev"
    endpoint    = "192.0.2.10"
    master_auth = { cluster_ca_certificate = "Q0E=", client_certificate = "" }
  }
}

variables {
  project_id      = "mlops-test"
  region          = "europe-west4"
  zones           = ["europe-west4-a", "europe-west4-b", "europe-west4-c"]
  name            = "mlops-core-dev"
  node_account_id = "mlops-core-dev-nodes"
  kms_key_id      = "projects/mlops-test/locations/europe-west4/keyRings/mlops/cryptoKeys/cluster"
  network = {
    id             = "projects/mlops-test/global/networks/mlops"
    subnet_id      = "projects/mlops-test/regions/europe-west4/subnetworks/nodes"
    pods_range     = "pods"
    services_range = "services"
  }
}

run "nodes_and_endpoint_are_private" {
  assert {
    condition     = google_container_cluster.this.private_cluster_config[0].enable_private_nodes && google_container_cluster.this.private_cluster_config[0].enable_private_endpoint
    error_message = "Nodes or endpoint are public."
  }
  assert {
    condition     = !google_container_cluster.this.control_plane_endpoints_config[0].dns_endpoint_config[0].allow_external_traffic
    error_message = "The DNS endpoint goes around access.cidrs."
  }
}

run "secrets_in_etcd_are_encrypted_with_our_key" {
  assert {
    condition     = google_container_cluster.this.database_encryption[0].state == "ENCRYPTED" && google_container_cluster.this.database_encryption[0].key_name == var.kms_key_id
    error_message = jsonencode(google_container_cluster.this.database_encryption)
  }
}

run "the_network_is_dataplane_v2_and_workloads_have_identities" {
  assert {
    condition     = google_container_cluster.this.datapath_provider == "ADVANCED_DATAPATH" && google_container_cluster.this.workload_identity_config[0].workload_pool == "mlops-test.svc.id.goog"
    error_message = "Dataplane V2 or workload identity is off."
  }
}

run "control_plane_logs_are_kept" {
  assert {
    condition     = length(setintersection(google_container_cluster.this.logging_config[0].enable_components, ["APISERVER", "CONTROLLER_MANAGER", "SCHEDULER"])) == 3
    error_message = jsonencode(google_container_cluster.this.logging_config)
  }
}

run "the_cluster_refuses_to_go_unless_told_otherwise" {
  assert {
    condition     = google_container_cluster.this.deletion_protection
    error_message = "The cluster is not protected."
  }
}

run "gpus_come_by_themselves_only_within_a_limit" {
  variables {
    auto_provisioning = { max_gpus = { nvidia-l4 = 4 } }
  }
  assert {
    condition = {
      for limit in google_container_cluster.this.cluster_autoscaling[0].resource_limits : limit.resource_type => limit.maximum
    } == { cpu = 64, memory = 256, nvidia-l4 = 4 }
    error_message = jsonencode(google_container_cluster.this.cluster_autoscaling)
  }
}

run "without_auto_provisioning_there_are_no_limits" {
  variables {
    auto_provisioning = { enabled = false }
  }
  assert {
    condition     = !google_container_cluster.this.cluster_autoscaling[0].enabled && length(google_container_cluster.this.cluster_autoscaling[0].resource_limits) == 0
    error_message = "GKE would make pools."
  }
}

run "admins_administer_this_cluster_only" {
  variables {
    access = { admins = ["group:ml@example.com"] }
  }
  assert {
    condition     = strcontains(google_project_iam_member.admins["group:ml@example.com"].condition[0].expression, "/clusters/mlops-core-dev")
    error_message = "An admin administers every cluster of the project."
  }
}

run "a_public_endpoint_answers_the_ranges_named" {
  variables {
    access = { public = true, cidrs = ["203.0.113.0/24"] }
  }
  assert {
    condition     = [for block in google_container_cluster.this.master_authorized_networks_config[0].cidr_blocks : block.cidr_block] == ["203.0.113.0/24"]
    error_message = "The endpoint answers others, too."
  }
}

run "a_public_endpoint_for_nobody_in_particular_is_refused" {
  command = plan
  variables {
    access = { public = true }
  }
  expect_failures = [var.access]
}

run "an_admin_without_a_kind_is_refused" {
  command = plan
  variables {
    access = { admins = ["ml@example.com"] }
  }
  expect_failures = [var.access]
}

run "a_wide_range_for_the_control_plane_is_refused" {
  command = plan
  variables {
    control_plane_cidr = "172.16.0.0/24"
  }
  expect_failures = [var.control_plane_cidr]
}

run "a_patch_version_is_refused" {
  command = plan
  variables {
    kubernetes_version = "1.35.4-gke.100"
  }
  expect_failures = [var.kubernetes_version]
}

run "a_name_with_capitals_is_refused" {
  command = plan
  variables {
    name = "Mlops"
  }
  expect_failures = [var.name]
}

run "a_short_account_is_refused" {
  command = plan
  variables {
    node_account_id = "nodes"
  }
  expect_failures = [var.node_account_id]
}

run "no_zone_at_all_is_refused" {
  command = plan
  variables {
    zones = []
  }
  expect_failures = [var.zones]
}
