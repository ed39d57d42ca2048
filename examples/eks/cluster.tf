resource "aws_cloudwatch_log_group" "cluster" {
  # EKS writes to this name, and makes the group itself, without retention, if it isn't there first.
  name              = "/aws/eks/${local.name}/cluster"
  retention_in_days = var.log_retention_days
}

resource "aws_security_group" "control_plane" {
  name        = "${local.name}-control-plane"
  description = "Between the control plane and the nodes of ${local.name}"
  vpc_id      = module.vpc.vpc_id

  tags = { Name = "${local.name}-control-plane" }
}

resource "aws_vpc_security_group_ingress_rule" "api" {
  security_group_id = aws_security_group.control_plane.id
  description       = "API server, from inside the VPC"
  cidr_ipv4         = module.vpc.cidr_block
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "nodes" {
  for_each = local.control_plane_to_nodes

  security_group_id = aws_security_group.control_plane.id
  description       = "Control plane to nodes: ${each.key}"
  cidr_ipv4         = module.vpc.cidr_block
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

resource "aws_eks_cluster" "this" {
  name     = local.name
  role_arn = aws_iam_role.this["cluster"].arn
  version  = var.kubernetes_version

  enabled_cluster_log_types = ["api", "audit", "authenticator"]

  vpc_config {
    subnet_ids              = concat(values(module.vpc.private_subnet_ids), values(module.vpc.public_subnet_ids))
    security_group_ids      = [aws_security_group.control_plane.id]
    endpoint_private_access = true
    endpoint_public_access  = true
    public_access_cidrs     = var.api_allowed_cidrs
  }

  timeouts {
    create = "40m"
  }

  # Without its policies the cluster can neither be made nor cleaned up.
  depends_on = [
    aws_cloudwatch_log_group.cluster,
    aws_iam_role_policy_attachment.this,
  ]
}

resource "aws_eks_node_group" "this" {
  for_each = var.node_groups

  cluster_name    = aws_eks_cluster.this.name
  node_group_name = each.key
  node_role_arn   = aws_iam_role.this["node"].arn
  subnet_ids      = values(module.vpc.private_subnet_ids)

  instance_types = each.value.instance_types
  capacity_type  = each.value.capacity_type
  disk_size      = each.value.disk_size
  labels         = merge({ "platform/node-group" = each.key }, each.value.labels)

  scaling_config {
    min_size     = each.value.min_size
    max_size     = each.value.max_size
    desired_size = each.value.desired_size
  }

  dynamic "taint" {
    for_each = each.value.taints

    content {
      key    = taint.value.key
      value  = taint.value.value
      effect = taint.value.effect
    }
  }

  lifecycle {
    # The autoscaler owns the size.
    ignore_changes = [scaling_config[0].desired_size]
  }

  depends_on = [aws_iam_role_policy_attachment.this]
}
