data "aws_partition" "current" {}

data "aws_availability_zones" "available" {
  state = "available"
}

locals {
  name  = "${var.cluster_name}-${var.environment}"
  zones = slice(data.aws_availability_zones.available.names, 0, var.zone_count)

  # The ports on which the control plane calls back into the nodes.
  control_plane_to_nodes = {
    kubelet = 10250
    metrics = 4443
    webhook = 9443
  }
}

module "vpc" {
  source = "../../modules/vpc"

  name               = local.name
  cidr_block         = var.vpc_cidr
  availability_zones = local.zones
  single_nat_gateway = var.environment != "production"

  # How the load balancer controller finds the subnets to put its load balancers into.
  public_subnet_tags  = { "kubernetes.io/role/elb" = "1" }
  private_subnet_tags = { "kubernetes.io/role/internal-elb" = "1" }
}
