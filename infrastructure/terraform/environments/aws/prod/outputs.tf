output "artifact_stores" {
  description = "Buckets of Argo and MLflow: name and URI."
  value       = module.platform.artifact_stores
}

output "autoscaler" {
  description = "What scales the nodes, and the settings of its chart."
  value       = module.platform.autoscaler
}

output "cloud" {
  description = "The cloud's name."
  value       = module.platform.cloud
}

output "cluster_ca_certificate" {
  description = "Certificate of the cluster's authority, base64."
  value       = module.platform.cluster_ca_certificate
}

output "cluster_endpoint" {
  description = "URL of the cluster's API."
  value       = module.platform.cluster_endpoint
}

output "cluster_name" {
  description = "Name of the cluster."
  value       = module.platform.cluster_name
}

output "database" {
  description = "MLflow's database; empty but for engine with sqlite. secret_ref is a key of secrets."
  value       = module.platform.database
}

output "deployment_id" {
  description = "What sweeps search for, as the tag deployment-id."
  value       = module.platform.deployment_id
}

output "environment" {
  description = "dev, staging or prod."
  value       = module.platform.environment
}

output "identities" {
  description = "By component: namespace, service account and role. Pod Identity needs no annotations."
  value       = module.platform.identities
}

output "kubernetes_version" {
  description = "Version that the control plane runs."
  value       = module.platform.kubernetes_version
}

output "network_id" {
  description = "The VPC."
  value       = module.platform.network_id
}

output "node_pools" {
  description = "All pools. With Karpenter those with min 0 are to be made as NodePools on the cluster."
  value       = module.platform.node_pools
}

output "oidc_issuer_url" {
  description = "Issuer of the service accounts' tokens."
  value       = module.platform.oidc_issuer_url
}

output "region" {
  description = "The region."
  value       = module.platform.region
}

output "registry_url" {
  description = "What an image's name starts with, without a trailing slash."
  value       = module.platform.registry_url
}

output "secret_store" {
  description = "Where the secrets are."
  value       = module.platform.secret_store
}

output "secrets" {
  description = "Names of the secrets in the store, by key. Values are in no output."
  value       = module.platform.secrets
}
