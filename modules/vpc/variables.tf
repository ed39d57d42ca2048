variable "name" {
  description = "Prefix of every object's Name tag."
  type        = string
}

variable "cidr_block" {
  description = "Address range of the VPC. The upper half goes to private subnets, the first quarter to public ones."
  type        = string

  validation {
    condition     = try(cidrnetmask(var.cidr_block) != "" && tonumber(split("/", var.cidr_block)[1]) <= 20, false)
    error_message = "The range must be an IPv4 CIDR block with a prefix of /20 or shorter, such as 10.0.0.0/16."
  }
}

variable "availability_zones" {
  description = "Zones to spread over: one public and one private subnet in each."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) >= 1 && length(var.availability_zones) <= 4
    error_message = "Name one to four zones."
  }
}

variable "single_nat_gateway" {
  description = "One NAT gateway for all zones (cheaper) instead of one in each (survives the loss of a zone)."
  type        = bool
  default     = true
}

variable "public_subnet_tags" {
  description = "Further tags of the public subnets."
  type        = map(string)
  default     = {}
}

variable "private_subnet_tags" {
  description = "Further tags of the private subnets."
  type        = map(string)
  default     = {}
}
