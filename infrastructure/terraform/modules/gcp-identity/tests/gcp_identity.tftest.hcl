mock_provider "google" {}

variables {
  project_number = "123456789012"
  workload_pool  = "mlops-test.svc.id.goog"
  identities = {
    mlflow = {
      namespace       = "mlflow"
      service_account = "mlflow"
      buckets         = { mlflow = { bucket = "mlops-core-dev-mlflow", role = "roles/storage.objectUser" } }
    }
    external-secrets = { namespace = "external-secrets", service_account = "external-secrets" }
  }
}

run "a_service_account_is_a_principal_by_itself" {
  assert {
    condition     = output.identities["mlflow"].principal == "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/mlops-test.svc.id.goog/subject/ns/mlflow/sa/mlflow"
    error_message = output.identities["mlflow"].principal
  }
}

run "an_identity_may_what_is_granted_and_no_more" {
  assert {
    condition     = toset(keys(google_storage_bucket_iam_member.this)) == toset(["mlflow/mlflow"])
    error_message = jsonencode(keys(google_storage_bucket_iam_member.this))
  }
}

run "an_administrator_of_storage_is_refused" {
  command = plan
  variables {
    identities = { mlflow = { namespace = "mlflow", service_account = "mlflow", buckets = { all = { bucket = "b", role = "roles/storage.admin" } } } }
  }
  expect_failures = [var.identities]
}
