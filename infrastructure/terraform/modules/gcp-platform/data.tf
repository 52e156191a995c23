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

# Read back from Secret Manager, so that both agree however often an apply was cut short.
ephemeral "google_secret_manager_secret_version" "database" {
  for_each = local.postgres

  project = local.project_id
  secret  = module.secrets.readable_names["mlflow-database"]
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

  # An entry that somebody replaced by hand may be the bare password.
  password         = try(jsondecode(ephemeral.google_secret_manager_secret_version.database[each.key].secret_data).password, ephemeral.google_secret_manager_secret_version.database[each.key].secret_data)
  password_version = var.gcp.secrets_version
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
