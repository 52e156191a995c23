output "names" {
  description = "Name of each secret, by key, known only when it is written."
  value       = { for key, secret in google_secret_manager_secret.this : key => secret.secret_id }
  depends_on  = [google_secret_manager_secret_version.this]
}
