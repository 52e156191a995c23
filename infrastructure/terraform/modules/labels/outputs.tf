output "deployment_id" {
  description = "What every resource carries as the tag deployment-id."
  value       = local.deployment_id
}

output "labels" {
  description = "The tags under Google's label rules. Where two keys fall together, the first in order stays."
  value       = { for key, values in local.labels : key => values[0] }
}

output "names" {
  description = "The names wanted, by key."
  value       = local.names
}

output "prefix" {
  description = "What all names start with: product-tenant-environment."
  value       = local.prefix
}

output "tags" {
  description = "The tag set of everything (AWS, Azure)."
  value       = local.tags
}
