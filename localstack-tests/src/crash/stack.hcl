provider "aws" {
  region = "eu-west-1"
}

locals {
  # what an update changes, and what a replacement
  revision = "REVISION"
  name     = "NAME"
  subnet   = "SUBNET"
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
  tags       = { revision = local.revision }
}

resource "aws_subnet" "main" {
  vpc_id     = aws_vpc.main.id
  cidr_block = local.subnet
  tags       = { revision = local.revision }
}

resource "aws_route_table" "main" {
  vpc_id = aws_vpc.main.id
  tags   = { revision = local.revision }
}

resource "aws_route_table_association" "main" {
  subnet_id      = aws_subnet.main.id
  route_table_id = aws_route_table.main.id
}

resource "aws_security_group" "main" {
  name   = local.name
  vpc_id = aws_vpc.main.id
  tags   = { revision = local.revision }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "main" {
  security_group_id = aws_security_group.main.id
  cidr_ipv4         = "10.0.0.0/8"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = { revision = local.revision }
}

resource "aws_cloudwatch_log_group" "main" {
  name              = "/crash/${local.name}"
  retention_in_days = local.revision == "one" ? 7 : 14
  tags              = { network = aws_vpc.main.id }
}

resource "aws_iam_role" "main" {
  name               = local.name
  description        = local.revision
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
}

resource "aws_iam_role_policy" "main" {
  name   = "logs"
  role   = aws_iam_role.main.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "logs:*", Resource = local.revision == "one" ? "*" : aws_cloudwatch_log_group.main.arn }] })
}
