/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What a line begins with that is not the console's: the emulator's own record of what its IOMMU
 * did, put between the lines of the console (target/record/merge.h). */
#define EMULATOR_RECORD_PREFIX "QEMU amd-iommu: "
