resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18: who reads what is in CloudTrail's data events, the account's own choice; a log bucket here would be one more to guard
  #checkov:skip=CKV_AWS_144: a copy in another region is a second deployment's matter
  #checkov:skip=CKV2_AWS_62: nothing listens to the bucket's events
  for_each = var.buckets

  bucket        = each.value.name
  force_destroy = !var.deletion_protection
  tags          = merge(var.tags, { Name = each.value.name })
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    # One data key for many objects: fewer calls to KMS, each of which costs.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      kms_master_key_id = var.kms_key_arn
      sse_algorithm     = "aws:kms"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    id     = "tidy"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
    noncurrent_version_expiration {
      noncurrent_days = var.old_version_days
    }

    dynamic "expiration" {
      for_each = var.buckets[each.key].expire_days > 0 ? [var.buckets[each.key].expire_days] : []

      content {
        days = expiration.value
      }
    }
  }

  # S3 refuses rules on old versions where there are none.
  depends_on = [aws_s3_bucket_versioning.this]
}

data "aws_iam_policy_document" "tls" {
  for_each = aws_s3_bucket.this

  statement {
    sid       = "NobodyInPlainText"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value.arn, "${each.value.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "tls" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  policy = data.aws_iam_policy_document.tls[each.key].json

  # Both change the bucket's access at once, and S3 answers the second with a conflict.
  depends_on = [aws_s3_bucket_public_access_block.this]
}
