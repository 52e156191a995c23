locals {
  alerts = {
    half     = { threshold = 50, type = "Actual" }
    most     = { threshold = 80, type = "Actual" }
    spent    = { threshold = 100, type = "Actual" }
    forecast = { threshold = 100, type = "Forecasted" }
  }
}

resource "azurerm_consumption_budget_resource_group" "this" {
  for_each = var.scopes

  name              = "${var.name}-${each.key}"
  resource_group_id = each.value
  amount            = var.monthly_amount
  time_grain        = "Monthly"

  time_period {
    start_date = "${var.start_month}-01T00:00:00Z"
  }

  dynamic "notification" {
    for_each = local.alerts

    content {
      operator       = "GreaterThanOrEqualTo"
      threshold      = notification.value.threshold
      threshold_type = notification.value.type
      contact_emails = sort(var.alert_emails)
      contact_roles  = ["Owner"]
    }
  }

  lifecycle {
    # Azure takes only a start in the running month; later ones would make the budget anew.
    ignore_changes = [time_period]
  }
}
