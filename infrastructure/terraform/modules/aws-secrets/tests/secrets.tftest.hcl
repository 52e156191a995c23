# Terraform's mocks know no ephemeral resources: this needs AWS_ENDPOINT_URL to name a stand-in for AWS.
provider "aws" {
  region = "eu-west-1"
}

variables {
  kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/1"
  secrets = {
    grafana-admin    = { name = "mlops-core-dev/grafana-admin", description = "Grafana's first user", username = "admin" }
    mlflow-flask-key = { name = "mlops-core-dev/mlflow-flask-key", description = "Signs sessions" }
  }
}

run "a_secret_s_value_is_in_no_state" {
  assert {
    condition     = alltrue([for version in aws_secretsmanager_secret_version.this : version.secret_string_wo == null && version.secret_string_wo_version == 1])
    error_message = "The value is write-only."
  }
}

run "a_higher_number_makes_the_values_anew" {
  variables {
    secrets_version = 2
  }

  assert {
    condition     = alltrue([for version in aws_secretsmanager_secret_version.this : version.secret_string_wo_version == 2])
    error_message = "The number reaches every secret."
  }
}

run "half_a_version_is_refused" {
  command = plan
  variables {
    secrets_version = 1.5
  }
  expect_failures = [var.secrets_version]
}

run "every_secret_is_encrypted_with_our_key" {
  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.kms_key_id == var.kms_key_arn])
    error_message = "The key given, not the account's default."
  }
}

run "a_protected_secret_can_be_brought_back" {
  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 30])
    error_message = "30 days."
  }
}

run "an_unprotected_secret_frees_its_name_at_once" {
  variables {
    deletion_protection = false
  }

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 0])
    error_message = "Else the next deployment finds the name taken."
  }
}
