/*
 * DMAR of QEMU's q35 with intel-iommu, plus the RMRRs that SeaBIOS should have
 * announced for the UHCI controller at 00:02.0 which it leaves running.
 *
 * Compile:  iasl -p dmar dmar-q35-uhci.dsl   (writes dmar.aml; lengths and checksum
 * are computed). README.md says what ties it to the machine.
 */
[0004]                          Signature : "DMAR"    [DMA Remapping table]
[0004]                       Table Length : 00000000
[0001]                           Revision : 01
[0001]                           Checksum : 00
[0006]                             Oem ID : "BOCHS "
[0008]                       Oem Table ID : "BXPC    "
/* above the 1 of the machine's own table, with the same OEM ids: only then is it taken */
[0004]                       Oem Revision : 00000100
[0004]                    Asl Compiler ID : "INTL"
[0004]              Asl Compiler Revision : 20200925

/* address width - 1: 39 bits, as -device intel-iommu has by default */
[0001]                 Host Address Width : 26
/* bit 0: interrupt remapping */
[0001]                              Flags : 01
[0010]                           Reserved : 00 00 00 00 00 00 00 00 00 00

/* DRHD: QEMU lists each device of the machine; INCLUDE_PCI_ALL says the same for any set */
[0002]                      Subtable Type : 0000 [Hardware Unit Definition]
[0002]                             Length : 0018
[0001]                              Flags : 01
[0001]                           Reserved : 00
[0002]                 PCI Segment Number : 0000
[0008]              Register Base Address : 00000000FED90000

[0001]                  Device Scope Type : 03 [IOAPIC Device]
[0001]                       Entry Length : 08
[0002]                           Reserved : 0000
[0001]                     Enumeration ID : 00
[0001]                     PCI Bus Number : FF
[0002]                           PCI Path : 00,00

/* RMRR: UHCI frame list and what SeaBIOS keeps beside it, at the top of 512 MiB */
[0002]                      Subtable Type : 0001 [Reserved Memory Region]
[0002]                             Length : 0020
[0002]                           Reserved : 0000
[0002]                 PCI Segment Number : 0000
[0008]                       Base Address : 000000001FFDE000
[0008]                End Address (limit) : 000000001FFFFFFF

[0001]                  Device Scope Type : 01 [PCI Endpoint Device]
[0001]                       Entry Length : 08
[0002]                           Reserved : 0000
[0001]                     Enumeration ID : 00
[0001]                     PCI Bus Number : 00
[0002]                           PCI Path : 02,00

/* RMRR: the queue head, in SeaBIOS's low memory */
[0002]                      Subtable Type : 0001 [Reserved Memory Region]
[0002]                             Length : 0020
[0002]                           Reserved : 0000
[0002]                 PCI Segment Number : 0000
[0008]                       Base Address : 00000000000E0000
[0008]                End Address (limit) : 00000000000EFFFF

[0001]                  Device Scope Type : 01 [PCI Endpoint Device]
[0001]                       Entry Length : 08
[0002]                           Reserved : 0000
[0001]                     Enumeration ID : 00
[0001]                     PCI Bus Number : 00
[0002]                           PCI Path : 02,00
