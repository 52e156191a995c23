mock_provider "azurerm" {
  mock_resource "azurerm_kubernetes_cluster" {
    defaults = {
      id              = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.ContainerService/managedClusters/mlops-core-dev"
      fqdn            = "mlops-core-dev.hcp.westeurope.azmk8s.io"
      private_fqdn    = "mlops-core-dev.privatelink.westeurope.azmk8s.io"
      oidc_issuer_url = "https://westeurope.oic.prod-aks.azure.com/tenant/cluster/"
      kube_config     = [{ cluster_ca_certificate = "Q0E=", client_certificate = "", client_key = "", host = "", password = "", username = "" }]
    }
  }
  mock_resource "azurerm_user_assigned_identity" {
    defaults = {
      id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.ManagedIdentity/userAssignedIdentities/control-plane"
      client_id    = "44444444-4444-4444-8444-444444444444"
      principal_id = "11111111-1111-4111-8111-111111111111"
    }
  }
}

variables {
  name                       = "mlops-core-dev"
  location                   = "westeurope"
  resource_group_name        = "mlops-core-dev"
  applier_principal_id       = "55555555-5555-4555-8555-555555555555"
  tenant_id                  = "33333333-3333-4333-8333-333333333333"
  subnet_id                  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.Network/virtualNetworks/mlops/subnets/nodes"
  log_analytics_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.OperationalInsights/workspaces/logs"
}

run "the_endpoint_is_private_and_knows_no_local_accounts" {
  assert {
    condition     = azurerm_kubernetes_cluster.this.private_cluster_enabled && azurerm_kubernetes_cluster.this.local_account_disabled && !azurerm_kubernetes_cluster.this.run_command_enabled
    error_message = "There is another way in."
  }
  assert {
    condition     = output.endpoint == "https://mlops-core-dev.privatelink.westeurope.azmk8s.io:443"
    error_message = "The endpoint is ${output.endpoint}"
  }
}

run "workloads_have_identities_and_pods_an_overlay_with_cilium" {
  assert {
    condition     = azurerm_kubernetes_cluster.this.oidc_issuer_enabled && azurerm_kubernetes_cluster.this.workload_identity_enabled
    error_message = "Workload identity is off."
  }
  assert {
    condition = (
      azurerm_kubernetes_cluster.this.network_profile[0].network_plugin_mode == "overlay" &&
      azurerm_kubernetes_cluster.this.network_profile[0].network_data_plane == "cilium" &&
      azurerm_kubernetes_cluster.this.network_profile[0].network_policy == "cilium"
    )
    error_message = "The network is not Azure CNI overlay with Cilium."
  }
}

run "keda_and_the_vaults_driver_are_on_and_azures_karpenter_is_off" {
  assert {
    condition     = azurerm_kubernetes_cluster.this.workload_autoscaler_profile[0].keda_enabled && azurerm_kubernetes_cluster.this.key_vault_secrets_provider[0].secret_rotation_enabled
    error_message = "KEDA or the Key Vault driver is off."
  }
  assert {
    condition     = azurerm_kubernetes_cluster.this.node_provisioning_profile[0].mode == "Manual"
    error_message = "Azure would add nodes beside our pools."
  }
}

run "changes_to_the_cluster_are_audited" {
  assert {
    condition     = contains([for log in azurerm_monitor_diagnostic_setting.audit.enabled_log : log.category], "kube-audit-admin")
    error_message = "No audit log."
  }
}

run "without_keys_of_its_own_azure_manages_them" {
  assert {
    condition     = length(azurerm_kubernetes_cluster.this.key_management_service) == 0 && azurerm_kubernetes_cluster.this.default_node_pool[0].host_encryption_enabled
    error_message = "Disks are not encrypted at the host."
  }
}

run "a_key_of_ones_own_encrypts_etcd" {
  variables {
    encryption = { kms_key_id = "https://keys.vault.azure.net/keys/etcd/0123456789abcdef0123456789abcdef" }
  }
  assert {
    condition     = azurerm_kubernetes_cluster.this.key_management_service[0].key_vault_key_id == "https://keys.vault.azure.net/keys/etcd/0123456789abcdef0123456789abcdef"
    error_message = "The key is not used."
  }
}

run "whoever_applies_administers_unless_others_are_named" {
  assert {
    condition     = azurerm_role_assignment.admin["applier"].principal_id == "55555555-5555-4555-8555-555555555555"
    error_message = "Nobody administers the cluster."
  }
}

run "admins_named_administer_alone" {
  variables {
    access = { admins = ["66666666-6666-4666-8666-666666666666"] }
  }
  assert {
    condition     = length(azurerm_role_assignment.admin) == 0 && azurerm_kubernetes_cluster.this.azure_active_directory_role_based_access_control[0].admin_group_object_ids == tolist(["66666666-6666-4666-8666-666666666666"])
    error_message = "Somebody else administers the cluster."
  }
}

run "a_public_endpoint_answers_the_ranges_named" {
  variables {
    access = { public = true, cidrs = ["203.0.113.0/24"] }
  }
  assert {
    condition     = azurerm_kubernetes_cluster.this.api_server_access_profile[0].authorized_ip_ranges == toset(["203.0.113.0/24"])
    error_message = "The endpoint answers others, too."
  }
  assert {
    condition     = output.endpoint == "https://mlops-core-dev.hcp.westeurope.azmk8s.io:443"
    error_message = "The endpoint is ${output.endpoint}"
  }
}

run "a_public_endpoint_for_nobody_in_particular_is_refused" {
  command = plan
  variables {
    access = { public = true }
  }
  expect_failures = [var.access]
}

run "an_admin_by_name_is_refused" {
  command = plan
  variables {
    access = { admins = ["ml-admins"] }
  }
  expect_failures = [var.access]
}

run "a_patch_version_is_refused" {
  command = plan
  variables {
    kubernetes_version = "1.35.4"
  }
  expect_failures = [var.kubernetes_version]
}

run "a_pool_without_nodes_for_the_system_is_refused" {
  command = plan
  variables {
    system_pool = { min = 0 }
  }
  expect_failures = [var.system_pool]
}

run "a_name_too_long_for_dns_is_refused" {
  command = plan
  variables {
    name = "a23456789-123456789-123456789-123456789-123456789-12345"
  }
  expect_failures = [var.name]
}

run "an_unknown_way_out_is_refused" {
  command = plan
  variables {
    outbound_type = "none"
  }
  expect_failures = [var.outbound_type]
}

run "an_unknown_tier_is_refused" {
  command = plan
  variables {
    sku_tier = "Paid"
  }
  expect_failures = [var.sku_tier]
}
