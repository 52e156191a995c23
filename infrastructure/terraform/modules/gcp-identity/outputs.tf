output "identities" {
  description = "Who each component is; service accounts and pods carry nothing."
  value = {
    for key, identity in var.identities : key => {
      namespace       = identity.namespace
      service_account = identity.service_account
      principal       = local.principals[key]
      annotations     = {}
      pod_labels      = {}
    }
  }
}
