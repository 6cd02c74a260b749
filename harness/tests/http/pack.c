/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints what is to be submitted for the campaign file in the argument. */
#include "daemon/snapshot.h"

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(json_t) packed = argc == 2 ? snapshot_pack(argv[1], &error) : NULL;
	if (!packed)
		g_printerr("pack: %s\n", error ? error->message : "a file is wanted");
	return packed && kx_json_line(packed) ? 0 : 1;
}
