load common
load order

@test "order-flaky: the pair of initcalls that matters in some boots only" {
  campaign order-flaky
  pair_is_found order-flaky iommu_refresh_init pci_iommu_init
  ran_as_asked order-flaky
}
