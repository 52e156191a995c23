output "names" {
  description = "Names of the node groups, by pool."
  value       = { for key, group in aws_eks_node_group.this : key => group.node_group_name }
}

output "role_arn" {
  description = "Role of the nodes."
  value       = aws_iam_role.node.arn
}
