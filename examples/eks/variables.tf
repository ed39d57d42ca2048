variable "region" {
  description = "AWS region of the whole stack."
  type        = string
  default     = "eu-west-1"
}

variable "environment" {
  description = "What the cluster is for; part of every name."
  type        = string
  default     = "dev"

  validation {
    condition     = contains(["dev", "staging", "production"], var.environment)
    error_message = "The environment must be one of dev, staging, production."
  }
}

variable "cluster_name" {
  description = "Name of the cluster, without the environment."
  type        = string
  default     = "harbour"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.cluster_name))
    error_message = "The name must be 2 to 20 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "kubernetes_version" {
  description = "Minor version of the control plane."
  type        = string
  default     = "1.33"

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "The version must be a minor version such as 1.33."
  }
}

variable "vpc_cidr" {
  description = "Address range of the VPC."
  type        = string
  default     = "10.20.0.0/16"
}

variable "zone_count" {
  description = "Number of availability zones to spread over."
  type        = number
  default     = 3

  validation {
    condition     = var.zone_count >= 2 && var.zone_count <= 4
    error_message = "EKS needs subnets in at least two zones; the address plan has room for four."
  }
}

variable "api_allowed_cidrs" {
  description = "Ranges from which the cluster's public API endpoint can be reached."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = alltrue([for range in var.api_allowed_cidrs : can(cidrnetmask(range))])
    error_message = "Each entry must be an IPv4 CIDR block."
  }
}

variable "log_retention_days" {
  description = "How long the control plane's logs are kept."
  type        = number
  default     = 30
}

variable "node_groups" {
  description = "Managed node groups by name."
  type = map(object({
    instance_types = list(string)
    capacity_type  = optional(string, "ON_DEMAND")
    disk_size      = optional(number, 50)
    min_size       = number
    max_size       = number
    desired_size   = number
    labels         = optional(map(string), {})
    taints = optional(list(object({
      key    = string
      value  = optional(string)
      effect = string
    })), [])
  }))

  default = {
    general = {
      instance_types = ["m7i.large", "m6i.large"]
      min_size       = 2
      max_size       = 6
      desired_size   = 3
      labels         = { workload = "general" }

      # Keeps pods off a node until its network agent runs, which then takes the taint away.
      taints = [{ key = "node.cilium.io/agent-not-ready", value = "true", effect = "NO_EXECUTE" }]
    }
  }

  validation {
    condition     = alltrue([for group in values(var.node_groups) : group.min_size <= group.desired_size && group.desired_size <= group.max_size])
    error_message = "Each group needs min_size <= desired_size <= max_size."
  }

  validation {
    condition     = alltrue([for group in values(var.node_groups) : contains(["ON_DEMAND", "SPOT"], group.capacity_type)])
    error_message = "The capacity type must be ON_DEMAND or SPOT."
  }
}
