output "ids" {
  description = "Resource id of each budget, by scope."
  value       = { for key, budget in azurerm_consumption_budget_resource_group.this : key => budget.id }
}
