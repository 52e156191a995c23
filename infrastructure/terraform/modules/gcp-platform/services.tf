locals {
  services = toset([
    "artifactregistry.googleapis.com",
    "binaryauthorization.googleapis.com",
    "cloudkms.googleapis.com",
    "compute.googleapis.com",
    "container.googleapis.com",
    "containersecurity.googleapis.com",
    "iam.googleapis.com",
    "secretmanager.googleapis.com",
    "servicenetworking.googleapis.com",
    "sqladmin.googleapis.com",
    "storage.googleapis.com",
  ])

  project = var.project_id == "" ? data.google_client_config.current.project : var.project_id

  # The project as the rest knows it: only once its services are on.
  project_id = distinct([for service in google_project_service.this : service.project])[0]
}

data "google_client_config" "current" {}

resource "google_project_service" "this" {
  for_each = local.services

  project = local.project
  service = each.value
  # Others in the project may need it.
  disable_on_destroy = false
}

data "google_project" "this" {
  project_id = local.project
}

data "google_compute_zones" "available" {
  project = local.project
  region  = var.region
  status  = "UP"

  # A new project cannot list zones yet.
  depends_on = [google_project_service.this]
}
