mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
}

variables {
  name        = "mlops-core-dev"
  kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/1"
}

run "images_are_scanned_on_push_and_tags_never_move" {
  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : repository.image_scanning_configuration[0].scan_on_push && repository.image_tag_mutability == "IMMUTABLE"])
    error_message = "A tag that moves is not what was scanned."
  }
}

run "old_images_go_and_new_ones_stay" {
  variables {
    keep_images = 10
  }

  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.this["mlops-training"].policy).rules[1].selection.countNumber == 10
    error_message = aws_ecr_lifecycle_policy.this["mlops-training"].policy
  }
}

run "the_url_is_what_docker_pushes_to" {
  assert {
    condition     = output.url == "111122223333.dkr.ecr.eu-west-1.amazonaws.com/mlops-core-dev"
    error_message = output.url
  }

  assert {
    condition     = toset([for repository in aws_ecr_repository.this : repository.name]) == toset([for image in ["serving", "tracking", "training"] : "mlops-core-dev/mlops-${image}"])
    error_message = "Each image of ours has a repository."
  }
}

run "a_full_repository_refuses_to_go_unless_protection_is_lifted" {
  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : !repository.force_delete])
    error_message = "Protected by default."
  }
}

run "a_repository_in_capitals_is_refused" {
  command = plan
  variables {
    repositories = ["Training"]
  }
  expect_failures = [var.repositories]
}

run "keeping_no_image_is_refused" {
  command = plan
  variables {
    keep_images = 0
  }
  expect_failures = [var.keep_images]
}
