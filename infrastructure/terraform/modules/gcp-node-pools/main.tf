resource "google_container_node_pool" "this" {
  # checkov:skip=CKV_GCP_68: on but for GPU pools, see below
  for_each = var.pools

  project        = var.project_id
  location       = var.region
  cluster        = var.cluster_name
  name           = each.key
  node_locations = var.zones
  # Counted in each zone; the autoscaler's bounds below are totals.
  initial_node_count = ceil(each.value.desired / length(var.zones))

  autoscaling {
    total_min_node_count = each.value.min
    total_max_node_count = each.value.max
    # Where capacity is scarce any zone is better than none.
    location_policy = each.value.spot || each.value.gpu.count > 0 ? "ANY" : "BALANCED"
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  upgrade_settings {
    strategy        = "SURGE"
    max_surge       = 1
    max_unavailable = 0
  }

  node_config {
    machine_type    = each.value.instance_type
    image_type      = "COS_CONTAINERD"
    disk_size_gb    = each.value.disk_gb
    disk_type       = "pd-balanced"
    spot            = each.value.spot
    service_account = var.service_account
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    labels          = each.value.labels
    resource_labels = var.labels
    tags            = [var.cluster_name]

    metadata = {
      disable-legacy-endpoints = "true"
    }

    dynamic "guest_accelerator" {
      for_each = each.value.gpu.count > 0 ? { gpu = each.value.gpu } : {}

      content {
        type  = guest_accelerator.value.type
        count = guest_accelerator.value.count

        gpu_driver_installation_config {
          gpu_driver_version = "DEFAULT"
        }
      }
    }

    # GKE puts nvidia.com/gpu=present:NoSchedule on GPU nodes itself.
    dynamic "taint" {
      for_each = { for taint in each.value.taints : taint.key => taint if taint.key != "nvidia.com/gpu" }

      content {
        key    = taint.value.key
        value  = taint.value.value
        effect = local.effects[taint.value.effect]
      }
    }

    gvnic {
      enabled = true
    }
    kubelet_config {
      insecure_kubelet_readonly_port_enabled = "FALSE"
    }
    shielded_instance_config {
      # NVIDIA's driver is not signed for secure boot on GKE's image.
      enable_secure_boot          = each.value.gpu.count == 0
      enable_integrity_monitoring = true
    }
    workload_metadata_config {
      mode = "GKE_METADATA"
    }
  }

  lifecycle {
    # The autoscaler owns it, and changing it would make the pool anew.
    ignore_changes = [initial_node_count]
  }
}

locals {
  # Google writes what Kubernetes calls NoSchedule as NO_SCHEDULE.
  effects = { NoSchedule = "NO_SCHEDULE", PreferNoSchedule = "PREFER_NO_SCHEDULE", NoExecute = "NO_EXECUTE" }
}
