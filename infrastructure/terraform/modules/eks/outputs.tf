output "arn" {
  description = "ARN of the cluster."
  value       = aws_eks_cluster.this.arn
}

output "ca_certificate" {
  description = "Certificate of the cluster's authority, base64."
  value       = aws_eks_cluster.this.certificate_authority[0].data
}

output "endpoint" {
  description = "URL of the API."
  value       = aws_eks_cluster.this.endpoint
}

output "kubernetes_version" {
  description = "Version that the control plane runs."
  value       = aws_eks_cluster.this.version
}

output "name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "oidc_issuer_url" {
  description = "Issuer of the service accounts' tokens."
  value       = aws_eks_cluster.this.identity[0].oidc[0].issuer
}

output "security_group_id" {
  description = "Group that EKS gives the control plane and every node."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}
