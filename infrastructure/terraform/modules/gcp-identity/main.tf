locals {
  # A service account of Kubernetes is a principal by itself: no Google service account, no key, no annotation.
  principals = {
    for key, identity in var.identities : key => join("/", [
      "principal://iam.googleapis.com/projects/${var.project_number}/locations/global/workloadIdentityPools/${var.workload_pool}",
      "subject/ns/${identity.namespace}/sa/${identity.service_account}",
    ])
  }
  grants = merge([
    for key, identity in var.identities : {
      for name, grant in identity.buckets : "${key}/${name}" => merge(grant, { member = local.principals[key] })
    }
  ]...)
}

resource "google_storage_bucket_iam_member" "this" {
  for_each = local.grants

  bucket = each.value.bucket
  role   = each.value.role
  member = each.value.member
}
