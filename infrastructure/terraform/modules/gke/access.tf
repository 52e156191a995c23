resource "google_service_account" "nodes" {
  project      = var.project_id
  account_id   = var.node_account_id
  display_name = "Nodes of ${var.name}"
}

resource "google_project_iam_member" "nodes" {
  project = var.project_id
  role    = "roles/container.defaultNodeServiceAccount"
  member  = "serviceAccount:${google_service_account.nodes.email}"
}

# Of this cluster, not of every cluster in the project.
resource "google_project_iam_member" "admins" {
  for_each = var.access.admins

  project = var.project_id
  role    = "roles/container.admin"
  member  = each.value

  condition {
    title      = "only ${var.name}"
    expression = "resource.name.startsWith(\"projects/${var.project_id}/locations/${var.region}/clusters/${var.name}\")"
  }
}

# The control plane reaches nodes on 443 and 10250 alone; these are the other ports of the platform's webhooks.
resource "google_compute_firewall" "webhooks" {
  project       = var.project_id
  name          = "${var.name}-webhooks"
  network       = var.network.id
  description   = "Webhooks and metrics of KServe and KEDA, from the control plane."
  direction     = "INGRESS"
  source_ranges = [var.control_plane_cidr]
  target_tags   = [var.name]

  allow {
    protocol = "tcp"
    ports    = ["6443", "8443", "9443"]
  }
}
