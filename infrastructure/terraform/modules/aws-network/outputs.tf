output "data_subnet_ids" {
  description = "Subnets without any way out, by zone: for the database."
  value       = { for zone in local.zones : zone => aws_subnet.this["data-${zone}"].id }
}

output "private_subnet_ids" {
  description = "Subnets of nodes and pods, by zone."
  value       = { for zone in local.zones : zone => aws_subnet.this["private-${zone}"].id }

  # A node that starts before its subnet has a way out never joins.
  depends_on = [aws_route.internet, aws_route.nat, aws_route_table_association.private, aws_vpc_endpoint.interface]
}

output "public_subnet_ids" {
  description = "Subnets of internet-facing load balancers and NAT gateways, by zone."
  value       = { for zone in local.zones : zone => aws_subnet.this["public-${zone}"].id }
}

output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}
