mock_provider "aws" {}

variables {
  name          = "mlops-core-dev"
  alert_emails  = ["ml-platform@example.com"]
  deployment_id = "blue"
  monthly_usd   = 400
}

run "only_this_deployment_s_costs_count" {
  assert {
    condition     = one(one(aws_budgets_budget.this.cost_filter).values) == "user:deployment-id$blue"
    error_message = jsonencode(aws_budgets_budget.this.cost_filter)
  }
}

run "half_most_all_and_a_bad_forecast_are_told" {
  assert {
    condition     = join(",", sort([for alert in aws_budgets_budget.this.notification : "${alert.notification_type}-${alert.threshold}"])) == "ACTUAL-100,ACTUAL-50,ACTUAL-80,FORECASTED-100"
    error_message = jsonencode(aws_budgets_budget.this.notification)
  }
}

run "without_addresses_nobody_is_told" {
  variables {
    alert_emails = []
  }

  assert {
    condition     = length(aws_budgets_budget.this.notification) == 0
    error_message = "AWS refuses an alert without a subscriber."
  }
}

run "an_address_without_an_at_is_refused" {
  command = plan
  variables {
    alert_emails = ["ml-platform"]
  }
  expect_failures = [var.alert_emails]
}

run "an_eleventh_address_is_refused" {
  command = plan
  variables {
    alert_emails = [for number in range(11) : "person-${number}@example.com"]
  }
  expect_failures = [var.alert_emails]
}

run "a_budget_of_nothing_is_refused" {
  command = plan
  variables {
    monthly_usd = 0
  }
  expect_failures = [var.monthly_usd]
}
