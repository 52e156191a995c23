resource "google_container_cluster" "this" {
  # checkov:skip=CKV_GCP_21: labels are var.tags
  # checkov:skip=CKV_GCP_65: admins may be users as well as groups; groups need a Workspace that not everybody has
  # checkov:skip=CKV_GCP_69: the pool of this resource is removed; every other pool sets GKE_METADATA
  # checkov:skip=CKV_GCP_12: Dataplane V2 enforces network policies without the add-on
  project             = var.project_id
  name                = var.name
  location            = var.region
  node_locations      = var.zones
  min_master_version  = var.kubernetes_version
  deletion_protection = var.deletion_protection
  resource_labels     = var.tags

  release_channel {
    channel = "REGULAR"
  }

  ##############################################################################
  # Network: VPC-native, Dataplane V2, private nodes
  ##############################################################################
  network                     = var.network.id
  subnetwork                  = var.network.subnet_id
  datapath_provider           = "ADVANCED_DATAPATH"
  enable_intranode_visibility = true
  enable_l4_ilb_subsetting    = true

  ip_allocation_policy {
    cluster_secondary_range_name  = var.network.pods_range
    services_secondary_range_name = var.network.services_range
  }

  private_cluster_config {
    enable_private_nodes    = true
    enable_private_endpoint = !var.access.public
    master_ipv4_cidr_block  = var.control_plane_cidr
  }

  master_authorized_networks_config {
    dynamic "cidr_blocks" {
      for_each = var.access.cidrs

      content {
        cidr_block   = cidr_blocks.value
        display_name = "access.cidrs"
      }
    }
  }

  # The DNS endpoint knows no address ranges, only identities: closed, so that access.cidrs is the whole truth.
  control_plane_endpoints_config {
    dns_endpoint_config {
      allow_external_traffic = false
    }
  }

  gateway_api_config {
    channel = "CHANNEL_STANDARD"
  }

  ##############################################################################
  # Identity, secrets, supply chain
  ##############################################################################
  enable_shielded_nodes = true

  workload_identity_config {
    workload_pool = "${var.project_id}.svc.id.goog"
  }

  database_encryption {
    state    = "ENCRYPTED"
    key_name = var.kms_key_id
  }

  secret_manager_config {
    enabled = true

    rotation_config {
      enabled           = true
      rotation_interval = "120s"
    }
  }

  binary_authorization {
    evaluation_mode = "PROJECT_SINGLETON_POLICY_ENFORCE"
  }

  security_posture_config {
    mode = "BASIC"
  }

  rbac_binding_config {
    enable_insecure_binding_system_authenticated   = false
    enable_insecure_binding_system_unauthenticated = false
  }

  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  addons_config {
    gcs_fuse_csi_driver_config {
      enabled = true
    }
    dns_cache_config {
      enabled = true
    }
  }

  ##############################################################################
  # The first pool is thrown away; pools are modules/gcp-node-pools
  ##############################################################################
  remove_default_node_pool = true
  initial_node_count       = 1

  node_config {
    service_account = google_service_account.nodes.email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }
  }

  lifecycle {
    # They describe the pool that is gone, and changing them would make the cluster anew.
    ignore_changes = [initial_node_count, node_config]
  }

  cost_management_config {
    enabled = true
  }

  maintenance_policy {
    # GKE asks for 48 hours in 32 days.
    recurring_window {
      start_time = "2026-01-03T02:00:00Z"
      end_time   = "2026-01-03T08:00:00Z"
      recurrence = "FREQ=WEEKLY;BYDAY=SA,SU"
    }
  }

  logging_config {
    enable_components = ["APISERVER", "CONTROLLER_MANAGER", "SCHEDULER", "SYSTEM_COMPONENTS", "WORKLOADS"]
  }

  monitoring_config {
    enable_components = ["SYSTEM_COMPONENTS"]

    # The platform brings its own Prometheus.
    managed_prometheus {
      enabled = false
    }
    advanced_datapath_observability_config {
      enable_metrics = var.flow_logs
      enable_relay   = var.flow_logs
    }
  }

  ##############################################################################
  # Node auto-provisioning: limits hold for all pools together
  ##############################################################################
  cluster_autoscaling {
    enabled                     = var.auto_provisioning.enabled
    autoscaling_profile         = "OPTIMIZE_UTILIZATION"
    auto_provisioning_locations = var.auto_provisioning.enabled ? var.zones : null

    dynamic "resource_limits" {
      for_each = var.auto_provisioning.enabled ? merge(
        { cpu = var.auto_provisioning.max_cpu, memory = var.auto_provisioning.max_memory_gb },
        var.auto_provisioning.max_gpus,
      ) : {}

      content {
        resource_type = resource_limits.key
        maximum       = resource_limits.value
      }
    }

    dynamic "auto_provisioning_defaults" {
      for_each = var.auto_provisioning.enabled ? { nodes = google_service_account.nodes.email } : {}

      content {
        service_account = auto_provisioning_defaults.value
        oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
        image_type      = "COS_CONTAINERD"
        disk_size       = 100
        disk_type       = "pd-balanced"

        management {
          auto_repair  = true
          auto_upgrade = true
        }
        shielded_instance_config {
          enable_secure_boot          = true
          enable_integrity_monitoring = true
        }
      }
    }
  }

  dynamic "node_pool_auto_config" {
    for_each = var.auto_provisioning.enabled ? { tag = var.name } : {}

    content {
      network_tags {
        tags = [node_pool_auto_config.value]
      }
      node_kubelet_config {
        insecure_kubelet_readonly_port_enabled = "FALSE"
      }
    }
  }
}
