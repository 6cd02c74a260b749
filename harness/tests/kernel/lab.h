/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tiny 'kernel' in a real git repository: its Makefile knows O=, a defconfig, olddefconfig and
 * bzImage as kbuild does, and compiles in milliseconds. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/proc.h"
#include "kernel/kernel.h"

typedef struct {
	char *dir, *cache;
	Recipe *recipe;
	Series *series;
	bool sandbox; /* bubblewrap works here */
} Lab;

/* cmocka set-up and tear-down; the state is a Lab. */
int lab_set_up(void **state);
int lab_tear_down(void **state);

/* A file below the lab's folder. */
void lab_write(const Lab *lab, const char *name, const char *text);
char *lab_path(const Lab *lab, const char *name);
/* Loads the recipe and the series anew after a change. */
void lab_reload(Lab *lab);
/* Runs a command; fails the test when it fails. Its output, without the last newline. */
char *lab_run(const Lab *lab, const char *command);

/* Builds with fixture `base-fix` and the candidates (NULL-terminated). */
KernelRequest lab_request(const Lab *lab, const char *const *candidates);
void lab_build(const Lab *lab, const char *const *candidates, KernelBuild *ret);
/* The one file or folder that matches the pattern below the cache; NULL when there is none. */
char *lab_find(const Lab *lab, const char *pattern);
