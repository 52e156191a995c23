output "ca_certificate" {
  description = "The API server's certificate authority, base64."
  value       = base64encode(kind_cluster.this.cluster_ca_certificate)
}

output "endpoint" {
  description = "URL of the API server."
  value       = kind_cluster.this.endpoint
}

output "kubernetes_version" {
  description = "Version asked for."
  value       = var.kubernetes_version
}

output "load_balancer_range" {
  description = "Addresses for MetalLB's pool."
  value       = var.load_balancer_range
}

output "name" {
  description = "Name of the cluster."
  value       = kind_cluster.this.name
}

output "oidc_issuer_url" {
  description = "Issuer of the service accounts' tokens, known inside the cluster only."
  value       = "https://kubernetes.default.svc.cluster.local"
}

output "registry_url" {
  description = "Prefix for image names; empty without a registry."
  value       = var.registry ? "localhost:5001" : ""
}
