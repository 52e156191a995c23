mock_provider "aws" {
  override_data {
    target = data.aws_iam_policy_document.key
    values = { json = "{}" }
  }
}

run "the_key_rotates_and_survives_a_mistake_for_a_month" {
  variables {
    name = "mlops-core-prod"
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key rotates and waits 30 days before it goes."
  }
  assert {
    condition     = aws_kms_alias.this.name == "alias/mlops-core-prod"
    error_message = aws_kms_alias.this.name
  }
}

run "a_name_reserved_by_aws_is_refused" {
  command = plan
  variables {
    name = "aws-mine"
  }
  expect_failures = [var.name]
}

run "a_window_below_a_week_is_refused" {
  command = plan
  variables {
    name                 = "mlops-core-dev"
    deletion_window_days = 1
  }
  expect_failures = [var.deletion_window_days]
}
