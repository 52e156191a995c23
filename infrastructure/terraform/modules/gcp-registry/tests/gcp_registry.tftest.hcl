mock_provider "google" {
  mock_resource "google_artifact_registry_repository" {
    defaults = { name = "mlops-core-dev" }
  }
}

variables {
  project_id = "mlops-test"
  region     = "europe-west4"
  name       = "mlops-core-dev"
  readers    = { nodes = "serviceAccount:nodes@mlops-test.iam.gserviceaccount.com" }
}

run "images_are_scanned_and_tags_stay_with_their_image" {
  assert {
    condition     = google_artifact_registry_repository.this.vulnerability_scanning_config[0].enablement_config == "INHERITED" && google_artifact_registry_repository.this.docker_config[0].immutable_tags
    error_message = "No scan, or tags move."
  }
}

run "untagged_images_go_and_recent_ones_stay" {
  assert {
    condition     = toset([for policy in google_artifact_registry_repository.this.cleanup_policies : "${policy.id} ${policy.action}"]) == toset(["delete-untagged DELETE", "keep-recent KEEP"])
    error_message = jsonencode(google_artifact_registry_repository.this.cleanup_policies)
  }
}

run "readers_read_and_no_more" {
  assert {
    condition     = google_artifact_registry_repository_iam_member.readers["nodes"].role == "roles/artifactregistry.reader"
    error_message = google_artifact_registry_repository_iam_member.readers["nodes"].role
  }
}

run "image_names_start_with_region_project_and_repository" {
  assert {
    condition     = output.url == "europe-west4-docker.pkg.dev/mlops-test/mlops-core-dev"
    error_message = output.url
  }
}

run "a_name_with_an_underscore_is_refused" {
  command = plan
  variables {
    name = "mlops_core"
  }
  expect_failures = [var.name]
}

run "untagged_images_gone_at_once_are_refused" {
  command = plan
  variables {
    untagged_days = 0
  }
  expect_failures = [var.untagged_days]
}
