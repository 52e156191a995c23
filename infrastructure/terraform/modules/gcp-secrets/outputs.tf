output "names" {
  description = "Name of each secret, by key."
  value       = { for key, secret in google_secret_manager_secret.this : key => secret.secret_id }
}

output "readable_names" {
  description = "Name of each secret, unknown until its version is written: whoever reads it back while planning would ask for what is not there yet."
  # projects/NUMBER/secrets/NAME/versions/VERSION
  value = { for key, version in google_secret_manager_secret_version.this : key => basename(dirname(dirname(version.name))) }
}
