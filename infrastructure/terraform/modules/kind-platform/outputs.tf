output "artifact_stores" {
  description = "Kind has no object store: empty, and the charts keep files on volumes."
  value       = { for store in ["argo", "mlflow"] : store => { name = "", uri = "" } }
}

output "autoscaler" {
  description = "Nothing adds nodes on one machine."
  value       = { kind = "none", settings = {} }
}

output "cloud" {
  description = "The cloud's name."
  value       = "local"
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
  description = "MLflow's database: its engine; with postgres the chart brings the server."
  value = {
    engine     = coalesce(var.database.engine, "sqlite")
    host       = ""
    port       = 0
    name       = ""
    user       = ""
    secret_ref = var.database.engine == "postgres" ? "mlflow-database" : ""
  }
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
  description = "The components' service accounts; on one machine nobody needs an identity."
  value       = { for key, component in local.components : key => merge(component, { principal = "", annotations = {}, pod_labels = {} }) }
}

output "kubernetes_version" {
  description = "Version of Kubernetes."
  value       = module.cluster.kubernetes_version
}

output "load_balancer_range" {
  description = "Addresses for MetalLB's pool."
  value       = module.cluster.load_balancer_range
}

output "network_id" {
  description = "Kind's network has no id."
  value       = ""
}

output "node_pools" {
  description = "Name, labels and taints of each pool."
  value       = { for name, pool in local.pools : name => { name = name, labels = pool.labels, taints = pool.taints } }
}

output "oidc_issuer_url" {
  description = "Issuer of the service accounts' tokens."
  value       = module.cluster.oidc_issuer_url
}

output "region" {
  description = "local."
  value       = var.region
}

output "registry_url" {
  description = "Prefix for image names; empty without a registry."
  value       = module.cluster.registry_url
}

output "secret_store" {
  description = "Secrets of Kubernetes itself."
  value       = { kind = "kubernetes", ref = "" }
}

output "secrets" {
  description = "Name of each Secret, by key; the CLI makes them."
  value       = { for name in concat(["argo-cd-admin", "grafana-admin", "mlflow-flask-key"], var.database.engine == "postgres" ? ["mlflow-database"] : []) : name => name }
}
