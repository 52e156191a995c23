variable "identities" {
  description = "One identity per component: the service account that it is, and its role on each bucket."
  type = map(object({
    namespace       = string
    service_account = string
    buckets         = optional(map(object({ bucket = string, role = string })), {})
  }))
  nullable = false

  validation {
    condition     = alltrue(flatten([for identity in values(var.identities) : [for grant in values(identity.buckets) : contains(["roles/storage.objectViewer", "roles/storage.objectUser"], grant.role)]]))
    error_message = "A component reads (roles/storage.objectViewer) or reads and writes (roles/storage.objectUser) objects, and no more."
  }
}

variable "project_number" {
  description = "Number of the project that holds the cluster."
  type        = string
  nullable    = false
}

variable "workload_pool" {
  description = "The cluster's pool of workload identities, known only when it exists."
  type        = string
  nullable    = false
}
