module "labels" {
  source = "../labels"

  environment   = var.environment
  deployment_id = var.deployment_id
  owner         = var.owner
  product       = var.product
  scope         = "${local.project}/${var.region}"
  tags          = var.tags
  tenant        = var.tenant

  resources = merge(
    {
      budget   = { kind = "gcp_budget", resource = "" }
      cluster  = { kind = "gcp_gke", resource = "" }
      database = { kind = "gcp_sql", resource = "mlflow-g${var.gcp.generation}" }
      keys     = { kind = "gcp_kms", resource = "" }
      network  = { kind = "gcp_network", resource = "" }
      nodes    = { kind = "gcp_service_account" }
      registry = { kind = "gcp_registry", resource = "" }
    },
    { for store in ["argo", "mlflow"] : "store-${store}" => { kind = "gcp_bucket", resource = store } },
    { for key in keys(local.usernames) : "secret-${key}" => { kind = "gcp_secret", resource = key } },
  )
}

module "network" {
  source = "../gcp-network"

  project_id = local.project_id
  region     = var.region
  name       = module.labels.names["network"]
  cidr       = local.network.cidr
  nat        = local.network.nat
  flow_logs  = local.network.flow_logs
  labels     = module.labels.labels
}

module "encryption" {
  source = "../gcp-encryption"

  project_id = local.project_id
  region     = var.region
  name       = module.labels.names["keys"]
  generation = var.gcp.generation
  labels     = module.labels.labels
  keys = {
    cluster = ["serviceAccount:service-${data.google_project.this.number}@container-engine-robot.iam.gserviceaccount.com"]
    storage = ["serviceAccount:service-${data.google_project.this.number}@gs-project-accounts.iam.gserviceaccount.com"]
  }
}

module "cluster" {
  source = "../gke"

  project_id          = local.project_id
  region              = var.region
  name                = module.labels.names["cluster"]
  node_account_id     = module.labels.names["nodes"]
  kms_key_id          = module.encryption.key_ids["cluster"]
  zones               = local.zones
  access              = var.cluster_access
  auto_provisioning   = local.profile.auto_provisioning
  deletion_protection = var.deletion_protection
  flow_logs           = local.network.flow_logs
  kubernetes_version  = var.kubernetes_version
  tags                = module.labels.labels

  network = {
    id             = module.network.id
    subnet_id      = module.network.subnet_id
    pods_range     = module.network.range_names.pods
    services_range = module.network.range_names.services
  }
}

module "node_pools" {
  source = "../gcp-node-pools"

  project_id      = local.project_id
  region          = var.region
  cluster_name    = module.cluster.name
  service_account = module.cluster.node_service_account
  pools           = local.pools
  zones           = local.zones
  labels          = module.labels.labels
}

module "budget" {
  source   = "../gcp-budget"
  for_each = var.budget.monthly_usd > 0 ? { monthly = var.budget.monthly_usd } : {}

  billing_account       = data.google_project.this.billing_account
  name                  = module.labels.names["budget"]
  monthly_amount        = each.value
  notification_channels = var.gcp.budget_channels
  project_number        = data.google_project.this.number
}
