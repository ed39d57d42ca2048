//! A configuration of any size, of the mix that real ones have: blocks, references, calls, templates, heredocs, comments.

use std::fmt::Write as _;

/// About `size` bytes of configuration; the same for the same size.
pub fn configuration(size: usize) -> String {
    let mut text = String::with_capacity(size + 4096);
    let mut number = 0;
    while text.len() < size {
        section(&mut text, number);
        number += 1;
    }
    text
}

/// The body of a resource as its author writes it.
pub const RESOURCE: &str = r#"
  name       = "${var.name}-node-${var.index}"
  cluster    = var.cluster.name
  subnet_ids = [for subnet in var.subnets : subnet.id if subnet.public]
  version    = var.release != "" ? var.release : "1.31"
  size       = max(var.index, 1) + 2 * 3
  cidr_block = cidrsubnet("10.0.0.0/16", 8, var.index)
  tags       = merge(var.tags, { Name = "node-${var.index}", Owner = lower("Platform") })
  policy     = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["sts:AssumeRole"] }] })
"#;

fn section(text: &mut String, number: usize) {
    // writing to a string does not fail
    let _ = write!(
        text,
        r#"# Subnet group {number}: private, one address range per zone.
variable "subnets_{number}" {{
  type = map(object({{
    cidr   = string
    zone   = string
    public = optional(bool, false)
  }}))
  default     = {{}}
  description = "Subnets of group {number}, by the name of their zone."
}}

locals {{
  prefix_{number} = "${{var.name}}-${{terraform.workspace}}-{number}"
  zones_{number}  = [for name, subnet in var.subnets_{number} : subnet.zone if subnet.public]
  limit_{number}  = var.highly_available ? length(local.zones_{number}) : 1
}}

resource "aws_subnet" "private_{number}" {{
  for_each = var.subnets_{number}

  vpc_id                  = aws_vpc.main.id
  cidr_block              = cidrsubnet(aws_vpc.main.cidr_block, 8, {number} % 256)
  availability_zone       = each.value.zone
  map_public_ip_on_launch = false

  tags = merge(var.tags, {{
    Name                              = "${{local.prefix_{number}}}-${{each.key}}"
    "kubernetes.io/role/internal-elb" = "1"
    Tier                              = "private" // read by the load balancer controller
  }})

  lifecycle {{
    ignore_changes = [tags["kubernetes.io/cluster"]]
  }}
}}

resource "aws_iam_role" "node_{number}" {{
  name               = "${{local.prefix_{number}}}-node"
  assume_role_policy = <<-EOT
    {{
      "Version": "2012-10-17",
      "Statement": [{{ "Effect": "Allow", "Principal": {{ "Service": "ec2.${{data.aws_partition.current.dns_suffix}}" }}, "Action": "sts:AssumeRole" }}]
    }}
  EOT
}}

resource "aws_security_group_rule" "nodes_{number}" {{
  type                     = "ingress"
  from_port                = 1025
  to_port                  = 65535
  protocol                 = "tcp"
  security_group_id        = aws_security_group.nodes[{number}].id
  source_security_group_id = aws_eks_cluster.main[0].vpc_config[0].cluster_security_group_id
  description              = "Control plane to kubelets and pods of group {number}"
}}

output "subnet_ids_{number}" {{
  value       = {{ for name, subnet in aws_subnet.private_{number} : name => subnet.id }}
  description = "Ids of the subnets of group {number}."
}}

"#
    );
}
