resource "google_billing_budget" "this" {
  billing_account = var.billing_account
  display_name    = var.name

  amount {
    specified_amount {
      units = tostring(floor(var.monthly_amount))
    }
  }

  budget_filter {
    projects        = ["projects/${var.project_number}"]
    calendar_period = "MONTH"
  }

  dynamic "threshold_rules" {
    for_each = {
      half     = { percent = 0.5, basis = "CURRENT_SPEND" }
      most     = { percent = 0.8, basis = "CURRENT_SPEND" }
      spent    = { percent = 1.0, basis = "CURRENT_SPEND" }
      forecast = { percent = 1.0, basis = "FORECASTED_SPEND" }
    }

    content {
      threshold_percent = threshold_rules.value.percent
      spend_basis       = threshold_rules.value.basis
    }
  }

  all_updates_rule {
    monitoring_notification_channels = sort(var.notification_channels)
    enable_project_level_recipients  = true
  }
}
