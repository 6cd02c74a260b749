load common
load order

@test "order-window: of all pairs of built-in initcalls the one that opens the window, and no compile" {
  campaign order-window
  pair_is_found order-window acpi_init pci_iommu_init
  few_boots order-window
  ran_as_asked order-window
}
