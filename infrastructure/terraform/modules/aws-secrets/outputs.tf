output "arns" {
  description = "ARNs of the secrets, by key. They hold their value once these are known."
  value       = { for key, version in aws_secretsmanager_secret_version.this : key => version.secret_id }
}

output "names" {
  description = "Names of the secrets, by key."
  value       = { for key, secret in aws_secretsmanager_secret.this : key => secret.name }
}
