output "stores" {
  description = "Name and URI (as MLflow takes it) of each bucket, by key."
  value       = { for key, bucket in google_storage_bucket.this : key => { name = bucket.name, uri = "gs://${bucket.name}" } }
}
