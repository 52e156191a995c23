mock_provider "google" {}

variables {
  project_id = "mlops-test"
  region     = "europe-west4"
  buckets    = { argo = "mlops-core-dev-argo", mlflow = "mlops-core-dev-mlflow" }
  kms_key_id = "projects/mlops-test/locations/europe-west4/keyRings/mlops/cryptoKeys/storage"
}

run "buckets_are_never_public" {
  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : bucket.public_access_prevention == "enforced" && bucket.uniform_bucket_level_access])
    error_message = "A bucket can be made public."
  }
}

run "objects_are_versioned_and_encrypted_with_our_key" {
  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : bucket.versioning[0].enabled && bucket.encryption[0].default_kms_key_name == var.kms_key_id])
    error_message = "Versioning or encryption is missing."
  }
}

run "old_versions_go" {
  assert {
    condition = [
      for rule in google_storage_bucket.this["mlflow"].lifecycle_rule : one(rule.condition).days_since_noncurrent_time if one(rule.action).type == "Delete"
    ] == [90]
    error_message = "Old versions stay for ever."
  }
}

run "a_bucket_with_objects_refuses_to_go_unless_told_otherwise" {
  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : !bucket.force_destroy])
    error_message = "Objects would go with the bucket."
  }
}

run "a_trial_goes_with_its_objects" {
  command = plan
  variables {
    deletion_protection = false
  }
  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : bucket.force_destroy])
    error_message = "Destroy would fail on the first object."
  }
}

run "stores_are_uris_that_mlflow_takes" {
  assert {
    condition     = output.stores["mlflow"] == { name = "mlops-core-dev-mlflow", uri = "gs://mlops-core-dev-mlflow" }
    error_message = jsonencode(output.stores)
  }
}

run "a_name_of_google_is_refused" {
  command = plan
  variables {
    buckets = { mlflow = "google-mlflow" }
  }
  expect_failures = [var.buckets]
}

run "a_soft_delete_of_a_day_is_refused" {
  command = plan
  variables {
    retention = { deleted_days = 1 }
  }
  expect_failures = [var.retention]
}
