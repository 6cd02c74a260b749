load common
load order

@test "order-panic: of all pairs of built-in initcalls the one that panics" {
  campaign order-panic
  pair_is_found order-panic netlink_proto_init genl_init
  few_boots order-panic
  ran_as_asked order-panic
}
