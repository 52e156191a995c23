# The table of CONTRACT.md: who may do what, and no more.
module "identity" {
  source = "../gcp-identity"

  project_number = data.google_project.this.number
  workload_pool  = module.cluster.workload_pool

  identities = {
    argo-server = {
      namespace       = "argo"
      service_account = "argo-workflows-server"
      buckets         = { argo = { bucket = module.storage.stores["argo"].name, role = "roles/storage.objectViewer" } }
    }
    argo-workflow = {
      namespace       = "argo"
      service_account = "argo-workflow"
      buckets         = { argo = { bucket = module.storage.stores["argo"].name, role = "roles/storage.objectUser" } }
    }
    # Its secrets are in modules/gcp-secrets' readers.
    external-secrets = {
      namespace       = "external-secrets"
      service_account = "external-secrets"
    }
    kserve = {
      namespace       = "mlops"
      service_account = "model-server"
      buckets         = { mlflow = { bucket = module.storage.stores["mlflow"].name, role = "roles/storage.objectViewer" } }
    }
    mlflow = {
      namespace       = "mlflow"
      service_account = "mlflow"
      buckets         = { mlflow = { bucket = module.storage.stores["mlflow"].name, role = "roles/storage.objectUser" } }
    }
  }
}
