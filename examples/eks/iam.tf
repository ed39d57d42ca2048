locals {
  roles = {
    cluster = {
      service  = "eks.amazonaws.com"
      policies = ["AmazonEKSClusterPolicy", "AmazonEKSVPCResourceController"]
    }
    node = {
      service  = "ec2.amazonaws.com"
      policies = ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"]
    }
  }

  role_policies = merge([
    for role, settings in local.roles : {
      for policy in settings.policies : "${role}/${policy}" => { role = role, policy = policy }
    }
  ]...)
}

data "aws_iam_policy_document" "assume" {
  for_each = local.roles

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value.service]
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name                 = "${local.name}-${each.key}"
  description          = "EKS ${each.key} role of ${local.name}"
  assume_role_policy   = data.aws_iam_policy_document.assume[each.key].json
  max_session_duration = 3600
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = local.role_policies

  role       = aws_iam_role.this[each.value.role].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.value.policy}"
}
