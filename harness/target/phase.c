/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firmware starts its devices before it runs option ROMs, and the kernel after them (SeaBIOS,
 * src/post.c: maininit): what a ROM takes in between shifts the kernel against the devices. */
#include "target/phase.h"

#include <string.h>

#include "base/fs.h"

#define ROM_SIZE 512

unsigned phase_step(unsigned k, unsigned steps)
{
	unsigned bits = g_bit_storage(MAX(steps, 1) - 1);
	if (steps < 2)
		return 0;
	/* the k-th of the bit-reversed numbers that are below `steps` */
	for (unsigned i = 0, n = k % steps;; i++) {
		unsigned reversed = 0;
		for (unsigned b = 0; b < bits; b++)
			reversed |= (i >> b & 1) << (bits - 1 - b);
		if (reversed < steps && n-- == 0)
			return reversed;
	}
}

unsigned phase_us(unsigned step, unsigned steps, unsigned period_us)
{
	return steps ? (unsigned)((guint64)period_us * step / steps) : 0;
}

bool phase_rom_write(const char *path, unsigned delay_us, unsigned icount_shift, GError **error)
{
	/* Header, then in 16-bit mode: push ecx; mov ecx, N; dec ecx; jnz -4; pop ecx; retf. The
	 * loop is two instructions. */
	static const guint8 code[] = {0x55, 0xaa, ROM_SIZE / 512, 0x66, 0x51, 0x66, 0xb9, 0,   0, 0,
				      0,    0x66, 0x49,		  0x75, 0xfc, 0x66, 0x59, 0xcb};
	guint8 rom[ROM_SIZE] = {0}, sum = 0;
	guint64 turns = ((guint64)delay_us * 1000 >> icount_shift) / 2 + 1;
	guint32 n = GUINT32_TO_LE((guint32)MIN(turns, G_MAXUINT32));
	memcpy(rom, code, sizeof(code));
	memcpy(rom + 7, &n, sizeof(n));
	for (gsize i = 0; i < ROM_SIZE; i++)
		sum = (guint8)(sum + rom[i]);
	rom[ROM_SIZE - 1] = (guint8)-sum; /* all bytes together are 0 */
	return kx_write_file(path, (const char *)rom, ROM_SIZE, error);
}
