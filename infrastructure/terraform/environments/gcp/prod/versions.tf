terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.45, < 9.0"
    }
  }
}

provider "google" {
  # Empty: GOOGLE_PROJECT.
  project = var.project_id == "" ? null : var.project_id
  region  = var.region
  # Budgets are asked for in the name of a project.
  billing_project       = var.project_id == "" ? null : var.project_id
  user_project_override = true
}
