mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/nodes" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0", latest_version = 1 }
  }
}

variables {
  cluster_name = "mlops-core-dev"
  name_prefix  = "mlops-core-dev"

  kubernetes_version = "1.35"
  role_name          = "mlops-core-dev-nodes"
  subnet_ids         = ["subnet-a", "subnet-b"]
  tags               = { deployment-id = "blue" }
  pools = {
    general = {
      instance_types = ["m7i.large"], min = 2, desired = 2, max = 4, disk_gb = 50, spot = false, gpu = ""
      labels         = { "mlops.io/pool" = "general" }, taints = []
    }
    gpu = {
      instance_types = ["g6.xlarge"], min = 0, desired = 0, max = 2, disk_gb = 100, spot = true, gpu = "nvidia-l4"
      labels         = { "mlops.io/pool" = "gpu" }
      taints         = [{ key = "nvidia.com/gpu", value = "present", effect = "NoSchedule" }]
    }
  }
}

run "a_gpu_pool_starts_at_zero_with_drivers_and_a_taint" {
  assert {
    condition     = aws_eks_node_group.this["gpu"].scaling_config[0].desired_size == 0 && aws_eks_node_group.this["gpu"].ami_type == "AL2023_x86_64_NVIDIA"
    error_message = "No node until asked for, and the image has the driver."
  }
  assert {
    condition     = one(aws_eks_node_group.this["gpu"].taint).effect == "NO_SCHEDULE" && one(aws_eks_node_group.this["gpu"].taint).key == "nvidia.com/gpu"
    error_message = "Only what tolerates the taint lands on a GPU node."
  }
}

run "spot_is_a_pool_s_own_choice" {
  assert {
    condition     = aws_eks_node_group.this["gpu"].capacity_type == "SPOT" && aws_eks_node_group.this["general"].capacity_type == "ON_DEMAND"
    error_message = "Spot where asked, on demand elsewhere."
  }
}

run "pods_cannot_reach_the_node_s_credentials" {
  assert {
    condition     = alltrue([for template in aws_launch_template.this : template.metadata_options[0].http_tokens == "required" && template.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "Tokens are required and stop at the node."
  }
}

run "disks_are_encrypted_and_sized_by_pool" {
  assert {
    condition     = alltrue([for key, template in aws_launch_template.this : template.block_device_mappings[0].ebs[0].encrypted == "true" && template.block_device_mappings[0].ebs[0].volume_size == var.pools[key].disk_gb])
    error_message = "Every root disk is encrypted and as large as the pool says."
  }
}

run "instances_volumes_and_interfaces_carry_the_deployment" {
  assert {
    condition     = alltrue([for spec in aws_launch_template.this["general"].tag_specifications : spec.tags["deployment-id"] == "blue"])
    error_message = "A sweep finds them by the tag."
  }
}

run "desired_above_max_is_refused" {
  command = plan
  variables {
    pools = { general = { instance_types = ["m7i.large"], min = 1, desired = 5, max = 4, disk_gb = 50, spot = false, gpu = "", labels = {}, taints = [] } }
  }
  expect_failures = [var.pools]
}

run "an_effect_in_aws_spelling_is_refused" {
  command = plan
  variables {
    pools = { general = { instance_types = ["m7i.large"], min = 1, desired = 1, max = 4, disk_gb = 50, spot = false, gpu = "", labels = {}, taints = [{ key = "a", value = "b", effect = "NO_SCHEDULE" }] } }
  }
  expect_failures = [var.pools]
}

run "a_pool_without_instance_types_is_refused" {
  command = plan
  variables {
    pools = { general = { instance_types = [], min = 1, desired = 1, max = 4, disk_gb = 50, spot = false, gpu = "", labels = {}, taints = [] } }
  }
  expect_failures = [var.pools]
}
