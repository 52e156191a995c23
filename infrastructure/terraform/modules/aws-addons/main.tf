# The version is EKS' default for the cluster's Kubernetes version: it moves with an upgrade of the cluster, not by surprise.
# Roles come by Pod Identity from aws-identity, like everyone's.
resource "aws_eks_addon" "this" {
  for_each = var.addons

  cluster_name                = var.cluster_name
  addon_name                  = each.key
  configuration_values        = each.value == "" ? null : each.value
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
  tags                        = var.tags
}
