output "cluster_name" {
  description = "Name of the cluster, once the add-ons are up: for what must wait for them."
  value       = var.cluster_name

  depends_on = [aws_eks_addon.this]
}
