output "identities" {
  description = "What each component's service account and pods carry."
  value = {
    for key, identity in azurerm_user_assigned_identity.this : key => {
      namespace       = var.identities[key].namespace
      service_account = var.identities[key].service_account
      principal       = identity.principal_id
      annotations     = { "azure.workload.identity/client-id" = identity.client_id }
      pod_labels      = { "azure.workload.identity/use" = "true" }
    }
  }
}
