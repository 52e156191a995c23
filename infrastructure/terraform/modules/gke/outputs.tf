output "ca_certificate" {
  description = "The API server's certificate authority, base64."
  value       = google_container_cluster.this.master_auth[0].cluster_ca_certificate
}

output "endpoint" {
  description = "URL of the API server."
  value       = "https://${google_container_cluster.this.endpoint}"
}

output "kubernetes_version" {
  description = "Version asked for."
  value       = google_container_cluster.this.min_master_version
}

output "name" {
  description = "Name of the cluster."
  value       = google_container_cluster.this.name
}

output "node_service_account" {
  description = "Mail address of the nodes' service account."
  value       = google_service_account.nodes.email
}

output "oidc_issuer_url" {
  description = "Issuer of the service accounts' tokens."
  value       = "https://container.googleapis.com/v1/${google_container_cluster.this.id}"
}

output "workload_pool" {
  description = "Pool of workload identities. It exists only since the project's first cluster, which is why it comes from here."
  value       = google_container_cluster.this.workload_identity_config[0].workload_pool
}
