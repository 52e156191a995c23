mock_provider "azurerm" {}

variables {
  name           = "mlops-core-dev"
  monthly_amount = 500
  start_month    = "2026-11"
  alert_emails   = ["ml@example.com"]
  scopes         = { platform = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mlops-core-dev" }
}

run "alerts_come_at_half_at_most_at_all_and_when_all_is_forecast" {
  assert {
    condition = toset([for alert in azurerm_consumption_budget_resource_group.this["platform"].notification : "${alert.threshold_type} ${alert.threshold}"]) == toset([
      "Actual 50", "Actual 80", "Actual 100", "Forecasted 100",
    ])
    error_message = jsonencode(azurerm_consumption_budget_resource_group.this["platform"].notification)
  }
}

run "the_budget_starts_on_the_first_of_its_month" {
  assert {
    condition     = azurerm_consumption_budget_resource_group.this["platform"].time_period[0].start_date == "2026-11-01T00:00:00Z"
    error_message = azurerm_consumption_budget_resource_group.this["platform"].time_period[0].start_date
  }
}

run "a_later_start_does_not_make_it_anew" {
  variables {
    start_month = "2027-01"
  }
  assert {
    condition     = azurerm_consumption_budget_resource_group.this["platform"].time_period[0].start_date == "2026-11-01T00:00:00Z"
    error_message = azurerm_consumption_budget_resource_group.this["platform"].time_period[0].start_date
  }
}

run "a_day_is_refused" {
  command = plan
  variables {
    start_month = "2026-11-21"
  }
  expect_failures = [var.start_month]
}

run "a_budget_of_nothing_is_refused" {
  command = plan
  variables {
    monthly_amount = 0
  }
  expect_failures = [var.monthly_amount]
}

run "an_address_without_a_host_is_refused" {
  command = plan
  variables {
    alert_emails = ["ml"]
  }
  expect_failures = [var.alert_emails]
}
