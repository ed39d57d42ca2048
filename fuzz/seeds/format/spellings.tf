variable "x" {
  type = "list"
}
output a "b" {
 value="${x}" # c
  longer   = [ 1,2 ,
3]
}
