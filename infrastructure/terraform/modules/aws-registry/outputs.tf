output "url" {
  description = "What an image's name starts with, without a trailing slash."
  value       = "${data.aws_caller_identity.current.account_id}.dkr.ecr.${data.aws_region.current.id}.${local.domain}/${var.name}"
}
