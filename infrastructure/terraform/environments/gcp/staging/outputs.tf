output "artifact_stores" {
  description = "Where Argo and MLflow keep files: name and URI, by component."
  value       = module.platform.artifact_stores
}

output "autoscaler" {
  description = "What adds nodes. GKE runs it itself, so that there is no chart to install."
  value       = module.platform.autoscaler
}

output "cloud" {
  description = "The cloud's name."
  value       = module.platform.cloud
}

output "cluster_ca_certificate" {
  description = "The API server's certificate authority, base64."
  value       = module.platform.cluster_ca_certificate
}

output "cluster_endpoint" {
  description = "URL of the API server."
  value       = module.platform.cluster_endpoint
}

output "cluster_name" {
  description = "Name of the cluster."
  value       = module.platform.cluster_name
}

output "database" {
  description = "MLflow's database and the key of secrets that holds its password; empty strings with sqlite."
  value       = module.platform.database
}

output "deployment_id" {
  description = "What every resource carries as the tag deployment-id."
  value       = module.platform.deployment_id
}

output "environment" {
  description = "dev, staging or prod."
  value       = module.platform.environment
}

output "identities" {
  description = "What each component's service account and pods carry."
  value       = module.platform.identities
}

output "kubernetes_version" {
  description = "Version of Kubernetes."
  value       = module.platform.kubernetes_version
}

output "network_id" {
  description = "Id of the network."
  value       = module.platform.network_id
}

output "node_pools" {
  description = "Name, labels and taints of each pool."
  value       = module.platform.node_pools
}

output "oidc_issuer_url" {
  description = "Issuer of the service accounts' tokens."
  value       = module.platform.oidc_issuer_url
}

output "project_id" {
  description = "Project that holds everything."
  value       = module.platform.project_id
}

output "region" {
  description = "Google Cloud region."
  value       = module.platform.region
}

output "registry_url" {
  description = "Prefix for image names."
  value       = module.platform.registry_url
}

output "secret_store" {
  description = "Where External Secrets reads."
  value       = module.platform.secret_store
}

output "secrets" {
  description = "Name of each secret, by key."
  value       = module.platform.secrets
}
