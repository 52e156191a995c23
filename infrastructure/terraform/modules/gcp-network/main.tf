locals {
  # A /16 gives: nodes /20, services /20, managed services /20, pods /17 (a /24 for each node).
  nodes    = cidrsubnet(var.cidr, 4, 0)
  services = cidrsubnet(var.cidr, 4, 1)
  managed  = cidrsubnet(var.cidr, 4, 2)
  pods     = cidrsubnet(var.cidr, 1, 1)

  # Cloud NAT belongs to a region and outlives its zones, so that "single" and "per_zone" are the same here.
  nat = var.nat == "none" ? {} : { egress = var.nat }
}

resource "google_compute_network" "this" {
  # checkov:skip=CKV2_GCP_18: modules/gke owns the one rule that is needed; all else is denied by default
  project                 = var.project_id
  name                    = var.name
  auto_create_subnetworks = false
  routing_mode            = "REGIONAL"
}

resource "google_compute_subnetwork" "nodes" {
  project                  = var.project_id
  region                   = var.region
  name                     = "${var.name}-nodes"
  network                  = google_compute_network.this.id
  ip_cidr_range            = local.nodes
  private_ip_google_access = true
  stack_type               = "IPV4_ONLY"

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = local.pods
  }
  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = local.services
  }

  dynamic "log_config" {
    for_each = var.flow_logs ? { all = "INTERVAL_5_SEC" } : {}

    content {
      aggregation_interval = log_config.value
      flow_sampling        = 0.5
      metadata             = "INCLUDE_ALL_METADATA"
    }
  }
}

################################################################################
# Way out
################################################################################

resource "google_compute_router" "this" {
  for_each = local.nat

  project = var.project_id
  region  = var.region
  name    = "${var.name}-nat"
  network = google_compute_network.this.id
}

resource "google_compute_router_nat" "this" {
  for_each = local.nat

  project                             = var.project_id
  region                              = var.region
  name                                = "${var.name}-nat"
  router                              = google_compute_router.this[each.key].name
  nat_ip_allocate_option              = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat  = "ALL_SUBNETWORKS_ALL_IP_RANGES"
  enable_dynamic_port_allocation      = true
  enable_endpoint_independent_mapping = false
  min_ports_per_vm                    = 64
  max_ports_per_vm                    = 8192

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

################################################################################
# Managed services (Cloud SQL) on private addresses
################################################################################

resource "google_compute_global_address" "managed" {
  project       = var.project_id
  name          = "${var.name}-managed"
  network       = google_compute_network.this.id
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  address       = split("/", local.managed)[0]
  prefix_length = tonumber(split("/", local.managed)[1])
  labels        = var.labels
}

resource "google_service_networking_connection" "this" {
  network                 = google_compute_network.this.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.managed.name]
  # Google holds on to it for days after the last database is gone; it goes with the network.
  deletion_policy = "ABANDON"
}
