output "arns" {
  description = "ARNs of the buckets, by purpose."
  value       = { for key, bucket in aws_s3_bucket.this : key => bucket.arn }
}

output "stores" {
  description = "Name and URI of the buckets, by purpose."
  value       = { for key, bucket in aws_s3_bucket.this : key => { name = bucket.id, uri = "s3://${bucket.id}" } }

  # Who writes before the bucket is private and encrypted leaves an object that is neither.
  depends_on = [
    aws_s3_bucket_policy.tls,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}
