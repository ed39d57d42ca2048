# comment
resource "aws_vpc" "main" {
  count      = var.x ? 1 : 0
  cidr_block = "10.${1 + 2}.0.0/16" // other
  tags = merge(local.tags, { Name = "a-${each.key}", (b) = [for k, v in c : upper(v) if k != "x"] })
  text = <<-EOT
    a ${~ x ~} b
    %{ if a }x%{ else }y%{ endif }
  EOT
  inner { a = 1 }
}
locals { x = -a.b[0].*.c[*]["d"] }
