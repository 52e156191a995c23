output "ca_certificate" {
  description = "The API server's certificate authority, base64."
  # Azure hides it in the kubeconfig; a certificate is no secret.
  value = nonsensitive(azurerm_kubernetes_cluster.this.kube_config[0].cluster_ca_certificate)
}

output "endpoint" {
  description = "URL of the API server."
  value       = "https://${var.access.public ? azurerm_kubernetes_cluster.this.fqdn : azurerm_kubernetes_cluster.this.private_fqdn}:443"
}

output "id" {
  description = "Resource id of the cluster."
  value       = azurerm_kubernetes_cluster.this.id
}

output "kubelet_principal_id" {
  description = "Identity that pulls images."
  value       = azurerm_user_assigned_identity.nodes.principal_id
}

output "kubernetes_version" {
  description = "Version asked for."
  value       = azurerm_kubernetes_cluster.this.kubernetes_version
}

output "name" {
  description = "Name of the cluster."
  value       = azurerm_kubernetes_cluster.this.name
}

output "node_resource_group" {
  description = "Resource group that AKS makes for nodes, disks and load balancers: sweeps look here, too."
  value       = azurerm_kubernetes_cluster.this.node_resource_group
}

output "oidc_issuer_url" {
  description = "Issuer of the service accounts' tokens."
  value       = azurerm_kubernetes_cluster.this.oidc_issuer_url
}
