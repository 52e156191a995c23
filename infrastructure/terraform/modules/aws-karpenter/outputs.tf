output "identity" {
  description = "The controller's identity: namespace, service account, role."
  value = {
    namespace       = aws_eks_pod_identity_association.controller.namespace
    service_account = aws_eks_pod_identity_association.controller.service_account
    principal       = aws_iam_role.controller.arn
  }
}

output "node_role_name" {
  description = "Role for the node classes."
  value       = aws_iam_role.node.name
}

output "queue_name" {
  description = "Queue of interruptions, for the chart's settings."
  value       = aws_sqs_queue.this.name
}
