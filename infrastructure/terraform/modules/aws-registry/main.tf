data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  domain = { aws = "amazonaws.com", aws-cn = "amazonaws.com.cn", aws-us-gov = "amazonaws.com" }[data.aws_partition.current.partition]
  rules = [
    { description = "Untagged images go after a week", selection = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 7 } },
    { description = "The newest ${var.keep_images} stay", selection = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.keep_images } },
  ]
}

resource "aws_ecr_repository" "this" {
  for_each = var.repositories

  name                 = "${var.name}/${each.key}"
  force_delete         = !var.deletion_protection
  image_tag_mutability = "IMMUTABLE"
  tags                 = var.tags

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.kms_key_arn
  }

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = aws_ecr_repository.this

  repository = each.value.name
  policy = jsonencode({
    rules = [for index, rule in local.rules : {
      rulePriority = index + 1
      description  = rule.description
      selection    = rule.selection
      action       = { type = "expire" }
    }]
  })
}
