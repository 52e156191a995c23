mock_provider "google" {}

variables {
  billing_account = "012345-6789AB-CDEF01"
  name            = "mlops-core-dev"
  monthly_amount  = 500
  project_number  = "123456789012"
}

run "alerts_come_at_half_at_most_at_all_and_when_all_is_forecast" {
  assert {
    condition = toset([for rule in google_billing_budget.this.threshold_rules : "${rule.spend_basis} ${rule.threshold_percent}"]) == toset([
      "CURRENT_SPEND 0.5", "CURRENT_SPEND 0.8", "CURRENT_SPEND 1", "FORECASTED_SPEND 1",
    ])
    error_message = jsonencode(google_billing_budget.this.threshold_rules)
  }
}

run "without_channels_billing_administrators_hear_alone" {
  assert {
    condition     = length(google_billing_budget.this.all_updates_rule) == 0
    error_message = "Google refuses a rule without channels."
  }
}

run "with_channels_the_projects_owners_hear_too" {
  variables {
    notification_channels = ["projects/mlops-test/notificationChannels/1"]
  }
  assert {
    condition     = google_billing_budget.this.all_updates_rule[0].enable_project_level_recipients
    error_message = "The owners do not hear."
  }
}

run "a_budget_of_nothing_is_refused" {
  command = plan
  variables {
    monthly_amount = 0
  }
  expect_failures = [var.monthly_amount]
}

run "six_channels_are_refused" {
  command = plan
  variables {
    notification_channels = ["a", "b", "c", "d", "e", "f"]
  }
  expect_failures = [var.notification_channels]
}
