output "artifact_stores" {
  description = "Kind has no object store: empty, and the charts keep files on volumes."
  value       = module.platform.artifact_stores
}

output "autoscaler" {
  description = "Nothing adds nodes on one machine."
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
  description = "MLflow's database: its engine; with postgres the chart brings the server."
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
  description = "The components' service accounts; on one machine nobody needs an identity."
  value       = module.platform.identities
}

output "kubernetes_version" {
  description = "Version of Kubernetes."
  value       = module.platform.kubernetes_version
}

output "load_balancer_range" {
  description = "Addresses for MetalLB's pool."
  value       = module.platform.load_balancer_range
}

output "network_id" {
  description = "Kind's network has no id."
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

output "region" {
  description = "local."
  value       = module.platform.region
}

output "registry_url" {
  description = "Prefix for image names; empty without a registry."
  value       = module.platform.registry_url
}

output "secret_store" {
  description = "Secrets of Kubernetes itself."
  value       = module.platform.secret_store
}

output "secrets" {
  description = "Name of each Secret, by key; the CLI makes them."
  value       = module.platform.secrets
}
