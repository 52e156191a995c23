mock_provider "azurerm" {
  mock_resource "azurerm_user_assigned_identity" {
    defaults = {
      id           = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mlflow"
      principal_id = "11111111-1111-4111-8111-111111111111"
      client_id    = "44444444-4444-4444-8444-444444444444"
    }
  }
}

variables {
  name                = "mlops-core-dev"
  location            = "westeurope"
  resource_group_name = "mlops-core-dev"
  oidc_issuer_url     = "https://westeurope.oic.prod-aks.azure.com/tenant/cluster/"
  identities = {
    mlflow = {
      namespace       = "mlflow"
      service_account = "mlflow"
      grants          = { artifacts = { role = "Storage Blob Data Contributor", scope = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev/providers/Microsoft.Storage/storageAccounts/a/blobServices/default/containers/mlflow" } }
    }
    kserve = { namespace = "mlops", service_account = "model-server" }
  }
}

run "only_the_service_account_named_becomes_the_identity" {
  assert {
    condition     = azurerm_federated_identity_credential.this["mlflow"].subject == "system:serviceaccount:mlflow:mlflow" && azurerm_federated_identity_credential.this["mlflow"].audience == tolist(["api://AzureADTokenExchange"])
    error_message = azurerm_federated_identity_credential.this["mlflow"].subject
  }
}

run "an_identity_may_what_is_granted_and_no_more" {
  assert {
    condition     = toset(keys(azurerm_role_assignment.this)) == toset(["mlflow/artifacts"])
    error_message = jsonencode(keys(azurerm_role_assignment.this))
  }
}

run "service_accounts_and_pods_know_their_identity" {
  assert {
    condition     = output.identities["mlflow"].annotations["azure.workload.identity/client-id"] == "44444444-4444-4444-8444-444444444444" && output.identities["mlflow"].pod_labels["azure.workload.identity/use"] == "true"
    error_message = jsonencode(output.identities)
  }
}

run "an_owner_is_refused" {
  command = plan
  variables {
    identities = { mlflow = { namespace = "mlflow", service_account = "mlflow", grants = { all = { role = "Owner", scope = "/" } } } }
  }
  expect_failures = [var.identities]
}
