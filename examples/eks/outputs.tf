output "cluster_name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "cluster_endpoint" {
  description = "Address of the API server."
  value       = aws_eks_cluster.this.endpoint
}

output "cluster_certificate_authority" {
  description = "Certificate authority of the API server, base64."
  value       = aws_eks_cluster.this.certificate_authority[0].data
  sensitive   = true
}

output "node_groups" {
  description = "Node groups with their ARNs."
  value       = { for name, group in aws_eks_node_group.this : name => group.arn }
}

output "private_subnets" {
  description = "Private subnets by zone."
  value       = module.vpc.private_subnet_ids
}

output "egress_ips" {
  description = "Addresses that the nodes' traffic comes from; for other people's allow lists."
  value       = module.vpc.nat_public_ips
}

output "ingress_dns_name" {
  description = "Where to point the DNS records of what runs in the cluster."
  value       = aws_lb.ingress.dns_name
}

output "kubeconfig_command" {
  description = "Writes the credentials for kubectl."
  value       = "aws eks update-kubeconfig --region ${var.region} --name ${aws_eks_cluster.this.name}"
}
