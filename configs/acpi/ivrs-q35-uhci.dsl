/*
 * IVRS of QEMU's q35 with amd-iommu, plus the IVMD entries (unity maps) that SeaBIOS
 * should have announced for the UHCI controller at 00:02.0 which it leaves running.
 *
 * Compile:  iasl -p ivrs ivrs-q35-uhci.dsl   (writes ivrs.aml; the checksum is computed)
 */
[0004]                          Signature : "IVRS"    [I/O Virtualization Reporting Structure]
[0004]                       Table Length : 00000000
[0001]                           Revision : 01
[0001]                           Checksum : 00
/* the OEM ids of the machine's own table and a higher revision: only then is it taken */
[0006]                             Oem ID : "BOCHS "
[0008]                       Oem Table ID : "BXPC    "
[0004]                       Oem Revision : 00000100
[0004]                    Asl Compiler ID : "INTL"
[0004]              Asl Compiler Revision : 20200925

[0004]                Virtualization Info : 00002800
[0008]                           Reserved : 0000000000000000

/* IVHD: QEMU lists each device; the range says the same for any set of devices on bus 0 */
[0001]                      Subtable Type : 10 [Hardware Definition Block]
[0001]                              Flags : D1
[0002]                             Length : 0028
/* amd-iommu takes the first free slot: 00:01.0 */
[0002]                           DeviceId : 0008
[0002]                  Capability Offset : 0040
[0008]                       Base Address : 00000000FED80000
[0002]                  PCI Segment Group : 0000
[0002]                Virtualization Info : 0000
[0004]                  Feature Reporting : 00000044

[0001]                         Entry Type : 03
[0002]                          Device ID : 0000
[0001]                       Data Setting : 00

[0001]                         Entry Type : 04
[0002]                          Device ID : 00FF
[0001]                       Data Setting : 00

/* the IOAPIC, 00:14.0 */
[0001]                         Entry Type : 48
[0002]                          Device ID : 0000
[0001]                       Data Setting : 00
[0001]                             Handle : 00
[0002]               Source Used Device ID : 00A0
[0001]                            Variety : 01

/* IVMD for one device (21), flags: unity map 1, read 2, write 4 */
[0001]                      Subtable Type : 21 [Memory Definition Block]
[0001]                              Flags : 07
[0002]                             Length : 0020
[0002]                           DeviceId : 0010
[0002]                     Auxiliary Data : 0000
[0008]                           Reserved : 0000000000000000
/* UHCI frame list and what SeaBIOS keeps beside it, at the top of 512 MiB */
[0008]                      Start Address : 000000001FFDE000
[0008]                      Memory Length : 0000000000022000

[0001]                      Subtable Type : 21 [Memory Definition Block]
[0001]                              Flags : 07
[0002]                             Length : 0020
[0002]                           DeviceId : 0010
[0002]                     Auxiliary Data : 0000
[0008]                           Reserved : 0000000000000000
/* the queue head, in SeaBIOS's low memory */
[0008]                      Start Address : 00000000000E0000
[0008]                      Memory Length : 0000000000010000
