locals {
  encrypted_secrets = var.encryption.kms_key_id == "" ? {} : { key = var.encryption.kms_key_id }
}

resource "azurerm_kubernetes_cluster" "this" {
  # checkov:skip=CKV_AZURE_4: logs.tf sends the audit log to Log Analytics; metrics are Prometheus'
  # checkov:skip=CKV_AZURE_115: private unless access.public, which asks for access.cidrs
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  kubernetes_version  = var.kubernetes_version
  sku_tier            = var.sku_tier
  dns_prefix          = var.name
  node_resource_group = "${var.name}-nodes"
  tags                = var.tags

  ##############################################################################
  # Who reaches the API, and as whom
  ##############################################################################
  private_cluster_enabled = !var.access.public
  private_dns_zone_id     = var.access.public ? null : "System"
  # "az aks command invoke" would go around the private endpoint.
  run_command_enabled               = false
  local_account_disabled            = true
  role_based_access_control_enabled = true
  oidc_issuer_enabled               = true
  workload_identity_enabled         = true

  dynamic "api_server_access_profile" {
    for_each = var.access.public ? { ranges = var.access.cidrs } : {}

    content {
      authorized_ip_ranges = api_server_access_profile.value
    }
  }

  azure_active_directory_role_based_access_control {
    tenant_id              = var.tenant_id
    azure_rbac_enabled     = true
    admin_group_object_ids = var.access.admins
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.control_plane.id]
  }

  kubelet_identity {
    client_id                 = azurerm_user_assigned_identity.nodes.client_id
    object_id                 = azurerm_user_assigned_identity.nodes.principal_id
    user_assigned_identity_id = azurerm_user_assigned_identity.nodes.id
  }

  ##############################################################################
  # Network
  ##############################################################################
  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_data_plane  = "cilium"
    network_policy      = "cilium"
    load_balancer_sku   = "standard"
    outbound_type       = var.outbound_type
    pod_cidr            = var.cluster_cidrs.pods
    service_cidr        = var.cluster_cidrs.services
    dns_service_ip      = cidrhost(var.cluster_cidrs.services, 10)

    dynamic "advanced_networking" {
      for_each = var.flow_logs ? { hubble = true } : {}

      content {
        observability_enabled = true
      }
    }
  }

  ##############################################################################
  # Encryption
  ##############################################################################
  disk_encryption_set_id = var.encryption.disk_encryption_set_id == "" ? null : var.encryption.disk_encryption_set_id

  # Without a key of one's own Azure encrypts etcd and disks with keys it manages.
  dynamic "key_management_service" {
    for_each = local.encrypted_secrets

    content {
      key_vault_key_id         = key_management_service.value
      key_vault_network_access = "Public"
    }
  }

  key_vault_secrets_provider {
    secret_rotation_enabled  = true
    secret_rotation_interval = "10m"
  }

  ##############################################################################
  # Nodes of the system; the others are modules/azure-node-pools
  ##############################################################################
  default_node_pool {
    name                         = "system"
    vm_size                      = var.system_pool.instance_type
    auto_scaling_enabled         = true
    min_count                    = var.system_pool.min
    max_count                    = var.system_pool.max
    zones                        = var.zones
    vnet_subnet_id               = var.subnet_id
    only_critical_addons_enabled = true
    host_encryption_enabled      = true
    os_sku                       = "AzureLinux"
    os_disk_type                 = var.system_pool.os_disk_type
    os_disk_size_gb              = var.system_pool.disk_gb
    max_pods                     = 110
    temporary_name_for_rotation  = "systemtmp"
    tags                         = var.tags

    upgrade_settings {
      max_surge                     = "33%"
      drain_timeout_in_minutes      = 30
      node_soak_duration_in_minutes = 0
    }
  }

  # Pools are ours; "Auto" would make Azure's Karpenter add nodes beside them.
  node_provisioning_profile {
    mode = "Manual"
  }

  workload_autoscaler_profile {
    keda_enabled                    = true
    vertical_pod_autoscaler_enabled = false
  }

  auto_scaler_profile {
    balance_similar_node_groups = true
    expander                    = "least-waste"
    # MLflow and Argo keep scratch files in emptyDir; without it such nodes never go.
    skip_nodes_with_local_storage = false
  }

  ##############################################################################
  # Upkeep
  ##############################################################################
  automatic_upgrade_channel    = "patch"
  node_os_upgrade_channel      = "NodeImage"
  azure_policy_enabled         = true
  image_cleaner_enabled        = true
  image_cleaner_interval_hours = 168

  maintenance_window_auto_upgrade {
    frequency   = "Weekly"
    interval    = 1
    duration    = 4
    day_of_week = var.maintenance.day
    start_time  = var.maintenance.start_time
    utc_offset  = "+00:00"
  }

  maintenance_window_node_os {
    frequency   = "Weekly"
    interval    = 1
    duration    = 4
    day_of_week = var.maintenance.day
    start_time  = var.maintenance.start_time
    utc_offset  = "+00:00"
  }

  lifecycle {
    # The autoscaler owns it.
    ignore_changes = [default_node_pool[0].node_count]
  }

  depends_on = [azurerm_role_assignment.control_plane_network, azurerm_role_assignment.control_plane_nodes]
}
