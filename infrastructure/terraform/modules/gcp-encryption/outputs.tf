output "key_ids" {
  description = "Id of each key, known only when its users may use it."
  value       = { for key, value in google_kms_crypto_key.this : key => value.id }
  depends_on  = [google_kms_crypto_key_iam_member.this]
}
