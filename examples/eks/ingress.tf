resource "aws_security_group" "ingress" {
  name        = "${local.name}-ingress"
  description = "Load balancer in front of ${local.name}"
  vpc_id      = module.vpc.vpc_id

  tags = { Name = "${local.name}-ingress" }
}

resource "aws_vpc_security_group_ingress_rule" "http" {
  security_group_id = aws_security_group.ingress.id
  description       = "HTTP from anywhere"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
}

resource "aws_vpc_security_group_egress_rule" "ingress" {
  security_group_id = aws_security_group.ingress.id
  description       = "To the pods"
  cidr_ipv4         = module.vpc.cidr_block
  ip_protocol       = "-1"
}

resource "aws_lb" "ingress" {
  name               = local.name
  load_balancer_type = "application"
  internal           = false
  security_groups    = [aws_security_group.ingress.id]
  subnets            = values(module.vpc.public_subnet_ids)
  idle_timeout       = 120

  drop_invalid_header_fields = true
}

resource "aws_lb_target_group" "web" {
  name        = "${local.name}-web"
  port        = 8080
  protocol    = "HTTP"
  target_type = "ip"
  vpc_id      = module.vpc.vpc_id

  deregistration_delay = 30

  health_check {
    path                = "/healthz"
    interval            = 15
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
    matcher             = "200-299"
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.ingress.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}
