mock_provider "google" {
  mock_resource "google_compute_network" {
    defaults = { id = "projects/mlops-test/global/networks/mlops-core-dev" }
  }
}

variables {
  project_id = "mlops-test"
  region     = "europe-west4"
  name       = "mlops-core-dev"
  cidr       = "10.40.0.0/16"
}

run "ranges_lie_side_by_side_in_the_address_space" {
  assert {
    condition = concat(
      [google_compute_subnetwork.nodes.ip_cidr_range],
      [for range in google_compute_subnetwork.nodes.secondary_ip_range : range.ip_cidr_range],
    ) == ["10.40.0.0/20", "10.40.128.0/17", "10.40.16.0/20"]
    error_message = jsonencode(google_compute_subnetwork.nodes.secondary_ip_range)
  }
  assert {
    condition     = google_compute_global_address.managed.address == "10.40.32.0" && google_compute_global_address.managed.prefix_length == 20
    error_message = "Managed services are at ${google_compute_global_address.managed.address}/${google_compute_global_address.managed.prefix_length}"
  }
}

run "nodes_reach_google_privately_and_the_rest_through_nat" {
  assert {
    condition     = google_compute_subnetwork.nodes.private_ip_google_access && google_compute_router_nat.this["egress"].nat_ip_allocate_option == "AUTO_ONLY"
    error_message = "No way out."
  }
}

run "without_nat_there_is_no_router" {
  variables {
    nat = "none"
  }
  assert {
    condition     = length(google_compute_router.this) == 0 && length(google_compute_router_nat.this) == 0
    error_message = "A router is left."
  }
}

run "flows_are_logged_unless_turned_off" {
  assert {
    condition     = google_compute_subnetwork.nodes.log_config[0].metadata == "INCLUDE_ALL_METADATA"
    error_message = "No flow log."
  }
}

run "flow_logs_can_be_turned_off" {
  variables {
    flow_logs = false
  }
  assert {
    condition     = length(google_compute_subnetwork.nodes.log_config) == 0
    error_message = "Flow logs are still on."
  }
}

run "the_peering_goes_with_the_network" {
  assert {
    condition     = google_service_networking_connection.this.deletion_policy == "ABANDON"
    error_message = "Destroy would wait for Google to let go."
  }
}

run "a_small_address_space_is_refused" {
  command = plan
  variables {
    cidr = "10.40.0.0/20"
  }
  expect_failures = [var.cidr]
}

run "an_unknown_way_out_is_refused" {
  command = plan
  variables {
    nat = "double"
  }
  expect_failures = [var.nat]
}

run "a_name_with_capitals_is_refused" {
  command = plan
  variables {
    name = "Mlops"
  }
  expect_failures = [var.name]
}
