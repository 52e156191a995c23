mock_provider "azurerm" {}

variables {
  name                = "mlops-core-dev-logs"
  location            = "westeurope"
  resource_group_name = "mlops-core-dev"
}

run "records_are_kept_for_ninety_days_and_keys_do_not_open_the_workspace" {
  assert {
    condition     = azurerm_log_analytics_workspace.this.retention_in_days == 90 && !azurerm_log_analytics_workspace.this.local_authentication_enabled
    error_message = "Retention or local authentication is not what it should be."
  }
}

run "a_retention_that_azure_does_not_have_is_refused" {
  command = plan
  variables {
    retention_days = 7
  }
  expect_failures = [var.retention_days]
}

run "a_quota_of_nothing_is_refused" {
  command = plan
  variables {
    daily_quota_gb = 0
  }
  expect_failures = [var.daily_quota_gb]
}
