output "identities" {
  description = "Namespace, service account and role, by component."
  value = {
    for key, association in aws_eks_pod_identity_association.this : key => {
      namespace       = association.namespace
      service_account = association.service_account
      principal       = association.role_arn
    }
  }
}
