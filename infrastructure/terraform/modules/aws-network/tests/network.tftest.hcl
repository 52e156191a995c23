mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-west-1c", "eu-west-1a", "eu-west-1b", "eu-west-1d"] }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-west-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:111122223333:log-group:flow" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/flow-logs" }
  }
}

variables {
  name         = "mlops-core-dev"
  cluster_name = "mlops-core-dev"
  kms_key_arn  = "arn:aws:kms:eu-west-1:111122223333:key/1"
}

run "three_zones_get_three_subnets_each_and_no_ranges_overlap" {
  assert {
    condition     = sort(keys(output.private_subnet_ids)) == tolist(["eu-west-1a", "eu-west-1b", "eu-west-1c"])
    error_message = "The first three zones by name: ${jsonencode(keys(output.private_subnet_ids))}"
  }
  assert {
    condition     = length(aws_subnet.this) == 9 && length(distinct([for subnet in aws_subnet.this : subnet.cidr_block])) == 9
    error_message = "Nine subnets with nine ranges."
  }
  assert {
    condition     = aws_subnet.this["private-eu-west-1c"].cidr_block == "10.0.64.0/19" && aws_subnet.this["data-eu-west-1a"].cidr_block == "10.0.240.0/24"
    error_message = "Nodes get a /19 in each zone, the database a /24."
  }
  assert {
    condition     = alltrue([for subnet in aws_subnet.this : subnet.map_public_ip_on_launch != true])
    error_message = "No subnet hands out public addresses."
  }
}

run "load_balancers_and_karpenter_find_their_subnets_by_tag" {
  assert {
    condition     = aws_subnet.this["private-eu-west-1a"].tags["karpenter.sh/discovery"] == "mlops-core-dev" && aws_subnet.this["private-eu-west-1a"].tags["kubernetes.io/role/internal-elb"] == "1"
    error_message = "Private subnets carry the tags of internal load balancers and of Karpenter."
  }
  assert {
    condition     = aws_subnet.this["public-eu-west-1a"].tags["kubernetes.io/role/elb"] == "1"
    error_message = "Public subnets carry the tag of load balancers."
  }
}

run "a_single_nat_serves_every_zone" {
  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.nat) == 3 && length(distinct([for route in aws_route.nat : route.nat_gateway_id])) == 1
    error_message = "One gateway, three routes to it."
  }
}

run "nat_per_zone_keeps_traffic_in_its_zone" {
  variables {
    nat = "per_zone"
  }

  assert {
    condition     = alltrue([for zone, route in aws_route.nat : route.nat_gateway_id == aws_nat_gateway.this[zone].id])
    error_message = "Each zone's route ends at its own gateway."
  }
}

run "without_nat_nodes_reach_aws_through_endpoints_only" {
  variables {
    nat = "none"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.nat) == 0 && length(aws_eip.nat) == 0
    error_message = "No gateway, no route, no address."
  }
  assert {
    condition     = alltrue([for service in ["ecr.api", "ecr.dkr", "eks-auth", "sts"] : contains(keys(aws_vpc_endpoint.interface), service)])
    error_message = "Images, Pod Identity and STS have endpoints."
  }
}

run "the_default_security_group_is_closed" {
  assert {
    condition     = length(aws_default_security_group.closed.ingress) == 0 && length(aws_default_security_group.closed.egress) == 0
    error_message = "No rule is left in the default group."
  }
}

run "flow_logs_can_be_left_out" {
  variables {
    flow_logs = false
  }

  assert {
    condition     = length(aws_flow_log.this) == 0 && length(aws_cloudwatch_log_group.flow_logs) == 0 && length(aws_iam_role.flow_logs) == 0
    error_message = "Nothing of the flow logs is made."
  }
}

run "flow_logs_are_encrypted_and_kept_for_a_year" {
  assert {
    condition     = aws_cloudwatch_log_group.flow_logs[0].kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.flow_logs[0].retention_in_days == 365
    error_message = "The log group has the key and a year of retention."
  }
}

run "a_range_too_small_for_three_zones_is_refused" {
  command = plan
  variables {
    cidr = "10.0.0.0/24"
  }
  expect_failures = [var.cidr]
}

run "an_unknown_nat_is_refused" {
  command = plan
  variables {
    nat = "instance"
  }
  expect_failures = [var.nat]
}

run "one_zone_is_refused" {
  command = plan
  variables {
    zones = 1
  }
  expect_failures = [var.zones]
}
