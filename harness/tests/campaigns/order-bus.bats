load common
load order

@test "order-bus: of all pairs of built-in initcalls the bus and its driver" {
  campaign order-bus
  pair_is_found order-bus virtio_init virtio_pci_driver_init
  few_boots order-bus
  ran_as_asked order-bus
}
