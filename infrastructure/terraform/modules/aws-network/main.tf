data "aws_region" "current" {}

data "aws_availability_zones" "available" {
  #checkov:skip=CKV_AWS_394: a new zone moves nothing, because subnets take the first zones by name and are known by their zone
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  zones = slice(sort(data.aws_availability_zones.available.names), 0, var.zones)

  # Of the range's eight eighths the first six are for nodes and pods; the last holds the small subnets.
  subnets = merge([
    for index, zone in local.zones : {
      "private-${zone}" = { zone = zone, cidr = cidrsubnet(var.cidr, 3, index), tags = { "kubernetes.io/role/internal-elb" = "1", "karpenter.sh/discovery" = var.cluster_name } }
      "public-${zone}"  = { zone = zone, cidr = cidrsubnet(var.cidr, 8, 224 + index), tags = { "kubernetes.io/role/elb" = "1" } }
      "data-${zone}"    = { zone = zone, cidr = cidrsubnet(var.cidr, 8, 240 + index), tags = {} }
    }
  ]...)
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  enable_dns_support   = true
  tags                 = merge(var.tags, { Name = var.name })
}

# The default group is open to itself; nothing may use it by accident.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = "${var.name}-default-closed" })
}

resource "aws_subnet" "this" {
  for_each = local.subnets

  vpc_id            = aws_vpc.this.id
  availability_zone = each.value.zone
  cidr_block        = each.value.cidr
  tags              = merge(var.tags, each.value.tags, { Name = "${var.name}-${each.key}" })
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id          = aws_vpc.this.id
  service_name    = "com.amazonaws.${data.aws_region.current.id}.s3"
  route_table_ids = [for table in aws_route_table.private : table.id]
  tags            = merge(var.tags, { Name = "${var.name}-s3" })
}
