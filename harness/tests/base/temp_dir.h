/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fixture of tests that write files: *state is a folder of their own. After <cmocka.h>. */
#pragma once

#include "base/fs.h"

static inline int make_dir(void **state)
{
	*state = g_dir_make_tmp("kexsect-test-XXXXXX", NULL);
	return *state ? 0 : -1;
}

static inline int drop_dir(void **state)
{
	assert_true(kx_remove_tree(*state, NULL));
	g_free(*state);
	return 0;
}
