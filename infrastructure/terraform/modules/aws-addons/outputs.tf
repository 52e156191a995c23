output "names" {
  description = "Names of the add-ons that are up."
  value       = [for addon in aws_eks_addon.this : addon.addon_name]
}
