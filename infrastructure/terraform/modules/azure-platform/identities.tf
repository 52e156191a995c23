# The table of CONTRACT.md: who may do what, and no more.
locals {
  components = {
    argo-server = {
      namespace       = "argo"
      service_account = "argo-workflows-server"
      grants          = { artifacts = { role = "Storage Blob Data Reader", scope = module.storage.container_ids["argo"] } }
    }
    argo-workflow = {
      namespace       = "argo"
      service_account = "argo-workflow"
      grants = {
        artifacts = { role = "Storage Blob Data Contributor", scope = module.storage.container_ids["argo"] }
        images    = { role = "AcrPull", scope = module.registry.id }
      }
    }
    external-secrets = {
      namespace       = "external-secrets"
      service_account = "external-secrets"
      grants          = { secrets = { role = "Key Vault Secrets User", scope = module.secrets.id } }
    }
    kserve = {
      namespace       = "mlops"
      service_account = "model-server"
      grants          = { artifacts = { role = "Storage Blob Data Reader", scope = module.storage.container_ids["mlflow"] } }
    }
    mlflow = {
      namespace       = "mlflow"
      service_account = "mlflow"
      grants          = { artifacts = { role = "Storage Blob Data Contributor", scope = module.storage.container_ids["mlflow"] } }
    }
  }
}

module "identity" {
  source = "../azure-identity"

  name                = module.labels.prefix
  location            = local.place.location
  resource_group_name = local.place.resource_group_name
  oidc_issuer_url     = module.cluster.oidc_issuer_url
  identities          = local.components
  tags                = module.labels.tags
}
