/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Phases of something that does DMA with a period: in which order boots take them, and how a cold
 * boot comes to its own. Only where the machine's time counts instructions. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Boot number k (from 0) of a kernel takes this one of `steps` phases. Any few boots in a row are
 * spread over the period, and any `steps` of them take each phase once: van der Corput's sequence,
 * without what is not below `steps`. */
unsigned phase_step(unsigned k, unsigned steps);
/* Where that phase begins. */
unsigned phase_us(unsigned step, unsigned steps, unsigned period_us);

/* Writes an option ROM (x86, 512 bytes) that takes about delay_us of the machine's time, an
 * instruction being 2^icount_shift ns, and one whole delay more exactly that much longer. */
bool phase_rom_write(const char *path, unsigned delay_us, unsigned icount_shift, GError **error);
