mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/1"
  buckets = {
    argo   = { name = "mlops-core-dev-argo-0a1b2c", expire_days = 30 }
    mlflow = { name = "mlops-core-dev-mlflow-0a1b2c" }
  }
}

run "buckets_are_private_versioned_and_encrypted_with_our_key" {
  assert {
    condition = alltrue([
      for block in aws_s3_bucket_public_access_block.this :
      block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets
    ])
    error_message = "All four blocks are on."
  }
  assert {
    condition     = alltrue([for versioning in aws_s3_bucket_versioning.this : versioning.versioning_configuration[0].status == "Enabled"])
    error_message = "Versions are kept."
  }
  assert {
    condition = alltrue([
      for encryption in aws_s3_bucket_server_side_encryption_configuration.this :
      one(one(encryption.rule).apply_server_side_encryption_by_default).kms_master_key_id == var.kms_key_arn
    ])
    error_message = "Every bucket has the key."
  }
}

run "models_stay_and_workflow_outputs_go" {
  assert {
    condition     = length(one(aws_s3_bucket_lifecycle_configuration.this["mlflow"].rule).expiration) == 0
    error_message = "Nothing current expires in MLflow's bucket."
  }
  assert {
    condition     = one(one(aws_s3_bucket_lifecycle_configuration.this["argo"].rule).expiration).days == 30
    error_message = "What workflows wrote goes after 30 days."
  }
}

run "a_full_bucket_refuses_to_go_unless_protection_is_lifted" {
  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : !bucket.force_destroy])
    error_message = "Protected by default."
  }
}

run "without_protection_a_full_bucket_goes" {
  variables {
    deletion_protection = false
  }

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : bucket.force_destroy])
    error_message = "Destroy empties it."
  }
}

run "plain_text_is_denied" {
  assert {
    condition = alltrue([
      for document in data.aws_iam_policy_document.tls :
      document.statement[0].effect == "Deny" && one(document.statement[0].condition).variable == "aws:SecureTransport"
    ])
    error_message = "Every bucket denies requests without TLS."
  }
}

run "a_negative_expiry_is_refused" {
  command = plan
  variables {
    buckets = { argo = { name = "mlops-core-dev-argo", expire_days = -1 } }
  }
  expect_failures = [var.buckets]
}

run "old_versions_are_kept_for_a_day_at_least" {
  command = plan
  variables {
    old_version_days = 0
  }
  expect_failures = [var.old_version_days]
}
