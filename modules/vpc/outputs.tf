output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "cidr_block" {
  description = "Address range of the VPC."
  value       = aws_vpc.this.cidr_block
}

output "public_subnet_ids" {
  description = "Ids of the public subnets, by zone."
  value       = { for zone, subnet in aws_subnet.public : zone => subnet.id }
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, by zone. Whoever uses them gets them with their way out."
  value       = { for zone, subnet in aws_subnet.private : zone => subnet.id }

  # A node that boots before its route exists cannot join the cluster.
  depends_on = [aws_route.nat, aws_route_table_association.private]
}

output "nat_public_ips" {
  description = "Addresses that the private subnets' traffic comes from."
  value       = [for zone in local.nat_zones : aws_eip.nat[zone].public_ip]
}
