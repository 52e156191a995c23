mock_provider "google" {
  mock_resource "google_secret_manager_secret" {
    defaults = { id = "projects/mlops-test/secrets/mlops-core-dev-grafana-admin" }
  }
  mock_resource "google_secret_manager_secret_version" {
    defaults = { name = "projects/123456789012/secrets/mlops-core-dev-grafana-admin/versions/1" } # pragma: allowlist secret
  }
}

variables {
  project_id = "mlops-test"
  region     = "europe-west4"
  entries    = { grafana-admin = { name = "mlops-core-dev-grafana-admin", username = "admin" } }                                                                                                # pragma: allowlist secret
  readers    = { external-secrets = "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/mlops-test.svc.id.goog/subject/ns/external-secrets/sa/external-secrets" } # pragma: allowlist secret
}

run "the_state_never_holds_a_value" {
  assert {
    condition     = alltrue([for version in google_secret_manager_secret_version.this : version.secret_data == null && version.secret_data_wo == null])
    error_message = "A secret's value is kept."
  }
}

run "secrets_stay_in_their_region" {
  assert {
    condition     = [for replica in google_secret_manager_secret.this["grafana-admin"].replication[0].user_managed[0].replicas : replica.location] == ["europe-west4"]
    error_message = jsonencode(google_secret_manager_secret.this["grafana-admin"].replication)
  }
}

run "a_reader_reads_these_secrets_and_not_the_projects" {
  assert {
    condition     = google_secret_manager_secret_iam_member.readers["grafana-admin/external-secrets"].role == "roles/secretmanager.secretAccessor"
    error_message = jsonencode(google_secret_manager_secret_iam_member.readers)
  }
}

run "a_written_entry_is_read_back_by_its_name" {
  assert {
    condition     = output.readable_names["grafana-admin"] == "mlops-core-dev-grafana-admin"
    error_message = output.readable_names["grafana-admin"]
  }
}

run "planning_again_makes_nothing_anew" {
  command = plan
  assert {
    condition     = google_secret_manager_secret_version.this["grafana-admin"].secret_data_wo_version == 1
    error_message = "A secret would change by itself."
  }
}

run "a_name_with_a_slash_is_refused" {
  command = plan
  variables {
    entries = { grafana-admin = { name = "mlops/grafana" } }
  }
  expect_failures = [var.entries]
}
