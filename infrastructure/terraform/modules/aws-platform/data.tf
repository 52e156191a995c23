locals {
  with_postgres = local.database.engine == "postgres"
  database_user = "mlflow"

  secrets = merge({
    argo-cd-admin    = { description = "Argo CD's first user", username = "admin" }
    grafana-admin    = { description = "Grafana's first user", username = "admin" }
    mlflow-flask-key = { description = "Signs MLflow's sessions" }
  }, local.with_postgres ? { mlflow-database = { description = "Owner of MLflow's database", username = local.database_user } } : {})
}

module "storage" {
  source = "../aws-storage"

  deletion_protection = var.deletion_protection
  kms_key_arn         = module.encryption.key_arn
  tags                = module.labels.tags
  # What workflows hand on between steps is of use while one debugs; models stay.
  buckets = {
    argo   = { name = module.labels.names["argo"], expire_days = 30 }
    mlflow = { name = module.labels.names["mlflow"] }
  }
}

module "registry" {
  source = "../aws-registry"

  name                = module.labels.names["registry"]
  deletion_protection = var.deletion_protection
  kms_key_arn         = module.encryption.key_arn
  tags                = module.labels.tags
}

module "secrets" {
  source = "../aws-secrets"

  deletion_protection = var.deletion_protection
  kms_key_arn         = module.encryption.key_arn
  secrets_version     = var.secrets_version
  tags                = module.labels.tags
  secrets             = { for key, secret in local.secrets : key => merge(secret, { name = "${module.labels.prefix}/${key}" }) }
}

module "database" {
  source = "../aws-database"
  count  = local.with_postgres ? 1 : 0

  name                     = module.labels.names["database"]
  client_security_group_id = module.cluster.security_group_id
  deletion_protection      = var.deletion_protection
  kms_key_arn              = module.encryption.key_arn
  secret_arn               = module.secrets.arns["mlflow-database"]
  secret_version           = var.secrets_version
  size                     = { for key, value in local.database : key => value if key != "engine" }
  snapshot                 = var.database_snapshot
  subnet_ids               = values(module.network.data_subnet_ids)
  tags                     = module.labels.tags
  username                 = local.database_user
  vpc_id                   = module.network.vpc_id
}
