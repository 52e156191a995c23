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

  # Billing administrators hear in any case; the rule is for those beside them.
  dynamic "all_updates_rule" {
    for_each = length(var.notification_channels) > 0 ? { channels = sort(var.notification_channels) } : {}

    content {
      monitoring_notification_channels = all_updates_rule.value
      enable_project_level_recipients  = true
    }
  }
}
