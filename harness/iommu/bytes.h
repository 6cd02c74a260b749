/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts and checks of bytes, many at a time. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Newlines in [from, to). */
uint64_t fault_count_lines(const char *from, const char *to);
/* A byte in [from, to) that a terminal would not print as it is: below 0x20 but tab, or 0x7f. */
bool fault_has_control(const char *from, const char *to);
/* A byte that a JSON string in ASCII cannot hold as it is. */
bool fault_has_special(const char *from, const char *to);

/* The value of a hex digit; -1: none. */
static inline int fault_hex_digit(char c)
{
	unsigned digit = (unsigned char)c - '0', letter = ((unsigned char)c | 0x20) - 'a';
	return digit < 10 ? (int)digit : letter < 6 ? (int)letter + 10 : -1;
}

/* g_strndup() for text of that length without NUL: it need not look at each byte. Caller frees. */
static inline char *fault_dup(const char *text, size_t len)
{
	char *copy = g_malloc(len + 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}
