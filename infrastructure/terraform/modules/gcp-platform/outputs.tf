output "artifact_stores" {
  description = "Where Argo and MLflow keep files: name and URI, by component."
  value       = module.storage.stores
}

output "autoscaler" {
  description = "What adds nodes. GKE runs it itself, so that there is no chart to install."
  value       = { kind = local.profile.auto_provisioning.enabled ? "node-auto-provisioning" : "none", settings = {} }
}

output "cloud" {
  description = "The cloud's name."
  value       = "gcp"
}

output "cluster_ca_certificate" {
  description = "The API server's certificate authority, base64."
  value       = module.cluster.ca_certificate
}

output "cluster_endpoint" {
  description = "URL of the API server."
  value       = module.cluster.endpoint
}

output "cluster_name" {
  description = "Name of the cluster."
  value       = module.cluster.name
}

output "database" {
  description = "MLflow's database and the key of secrets that holds its password; empty strings with sqlite."
  value = merge(
    { engine = local.database.engine, host = "", port = 0, name = "", user = "", secret_ref = "" },
    [for database in module.database : merge(database.connection, { secret_ref = "mlflow-database" })]... # checkov:skip=CKV_SECRET_6: the name of an entry
  )
}

output "deployment_id" {
  description = "What every resource carries as the tag deployment-id."
  value       = module.labels.deployment_id
}

output "environment" {
  description = "dev, staging or prod."
  value       = var.environment
}

output "identities" {
  description = "What each component's service account and pods carry."
  value       = module.identity.identities
}

output "kubernetes_version" {
  description = "Version of Kubernetes."
  value       = module.cluster.kubernetes_version
}

output "network_id" {
  description = "Id of the network."
  value       = module.network.id
}

output "node_pools" {
  description = "Name, labels and taints of each pool."
  value       = module.node_pools.pools
}

output "oidc_issuer_url" {
  description = "Issuer of the service accounts' tokens."
  value       = module.cluster.oidc_issuer_url
}

output "project_id" {
  description = "Project that holds everything."
  value       = local.project_id
}

output "region" {
  description = "Google Cloud region."
  value       = var.region
}

output "registry_url" {
  description = "Prefix for image names."
  value       = module.registry.url
}

output "secret_store" {
  description = "Where External Secrets reads."
  value       = { kind = "gcp-secret-manager", ref = local.project_id }
}

output "secrets" {
  description = "Name of each secret, by key."
  value       = module.secrets.names
}
