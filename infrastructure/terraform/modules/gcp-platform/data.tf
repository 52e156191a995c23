# What outlives a pod: artifacts, the database, images and secrets.

module "storage" {
  source = "../gcp-storage"

  project_id          = local.project_id
  region              = var.region
  buckets             = { for store in ["argo", "mlflow"] : store => module.labels.names["store-${store}"] }
  kms_key_id          = module.encryption.key_ids["storage"]
  deletion_protection = var.deletion_protection
  labels              = module.labels.labels
}

module "secrets" {
  source = "../gcp-secrets"

  project_id          = local.project_id
  region              = var.region
  deletion_protection = var.deletion_protection
  labels              = module.labels.labels
  readers             = { external-secrets = module.identity.identities["external-secrets"].principal }

  entries = {
    for key, username in local.usernames : key => {
      name     = module.labels.names["secret-${key}"]
      username = username
      version  = var.gcp.secrets_version
    }
  }
}

module "database" {
  source   = "../gcp-database"
  for_each = local.postgres

  project_id          = local.project_id
  region              = var.region
  name                = module.labels.names["database"]
  network_id          = module.network.private_services_network_id
  login               = local.usernames["mlflow-database"]
  instance_type       = each.value.instance_type
  storage_gb          = each.value.storage_gb
  high_availability   = each.value.high_availability
  backup_days         = each.value.backup_days
  deletion_protection = var.deletion_protection
  labels              = module.labels.labels
  password            = { secret_name = module.secrets.names["mlflow-database"], version = var.gcp.secrets_version }
}

module "registry" {
  source = "../gcp-registry"

  project_id = local.project_id
  region     = var.region
  name       = module.labels.names["registry"]
  labels     = module.labels.labels
  readers = {
    argo-workflow = module.identity.identities["argo-workflow"].principal
    nodes         = "serviceAccount:${module.cluster.node_service_account}"
  }
}
