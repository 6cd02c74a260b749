/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IOMMU fault records from kernel logs: every driver, every age of its messages, behind whatever
 * prefixes the log went through on its way. Formats are data, one file per driver (driver.h). */
#pragma once

#include <errno.h>
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
	FAULT_ACCESS_UNKNOWN,
	FAULT_ACCESS_READ,
	FAULT_ACCESS_WRITE,
	FAULT_ACCESS_EXEC,
	FAULT_ACCESS_INTERRUPT,
	FAULT_ACCESS_MAX,
	FAULT_ACCESS_INVALID = -EINVAL,
} FaultAccess;

typedef enum {
	FAULT_KIND_FAULT,      /* a device's request was refused or failed */
	FAULT_KIND_ERROR,      /* the IOMMU's own trouble: a command, an invalidation, its queue */
	FAULT_KIND_SUPPRESSED, /* faults that happened and were not printed: see `suppressed` */
	FAULT_KIND_MAX,
	FAULT_KIND_INVALID = -EINVAL,
} FaultKind;

/* One record. Strings are owned by the record; NULL and -1 stand for 'the line does not say'. */
typedef struct {
	FaultKind kind;
	const char *driver; /* amd, intel, …: static storage */
	char *event;  /* the driver's word where it has one: IO_PAGE_FAULT, DMA, INTR-REMAP, … */
	char *device; /* ssss:bb:dd.f in lower-case hex; a stream or endpoint id where the
		       * driver knows no PCI address: "sid:0x800", "ep:8" */
	FaultAccess access;
	bool has_address;
	uint64_t address; /* I/O virtual address; for interrupt remapping the index */
	gint64 domain;	  /* -1: unknown */
	gint64 pasid;	  /* -1: none or unknown */
	gint64 flags; /* AMD: flags; Intel: fault reason number; SMMU: FSR or event; -1: unknown */
	char *reason; /* flags in words, the kernel's own where it prints them */
	gint64 time_us;	     /* kernel time in µs since its start; -1: the line carries none */
	uint64_t line;	     /* number of its first line in the input, from 1 */
	uint64_t suppressed; /* how many faults this record stands for that were not printed */
	char *raw; /* the line without its end; two-line forms: joined by '\n'; at most 2 KiB */
	char *signature; /* equal for the same fault seen again: driver, event, device, access,
			  * reason number and the address rounded down to 64 KiB */
	/* By the markers of the log that came before it (marks.h), when the parser was asked for
	 * them; those who know the trial set the window anew, see oracle.h. */
	char *window;	/* name of the window it fell into */
	char *initcall; /* that was running, where initcall_debug was on */
	char *region;	/* the address range that it matched */
} Fault;

Fault *fault_copy(const Fault *f);
void fault_free(Fault *f);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fault, fault_free)

/* A new object with the stable keys driver event device access address domain pasid flags reason
 * time line window region raw suppressed signature kind, all always there, and initcall when it is
 * known. Unknown: null. address
 * and flags are strings "0x…" (JSON numbers lose bits), time is an integer in µs. */
json_t *fault_to_json(const Fault *f);
/* The reverse, for records that were stored; NULL with *error set on a wrong type or word. */
Fault *fault_from_json(const json_t *object, GError **error);

const char *fault_access_name(FaultAccess a);
const char *fault_kind_name(FaultKind k);
FaultAccess fault_access_from_name(const char *name); /* FAULT_ACCESS_INVALID when unknown */
FaultKind fault_kind_from_name(const char *name);

/* "ssss:bb:dd.f" from the spellings that kernels and people use: bb:dd.f, ssss:bb:dd.f,
 * 0x00:0x02.0, [bb:dd.f]. The caller frees it; NULL when it is not a PCI address. */
char *fault_normalise_device(const char *text);
/* The same for text without NUL. */
char *fault_normalise_device_n(const char *text, size_t len);
/* "ssss:bb:dd.f" of numbers; what is out of range is cut. The caller frees it. */
char *fault_format_device(unsigned segment, unsigned bus, unsigned dev, unsigned fn);
/* What `signature` must be for these fields. The caller frees it. */
char *fault_make_signature(const Fault *f);

/* ---- streaming ---- */

typedef struct FaultParser FaultParser;
/* `f` belongs to the parser and is valid during the call; fault_copy() keeps it. */
typedef void (*FaultFunc)(const Fault *f, gpointer user);

/* Records come in the order of their last line. */
FaultParser *fault_parser_new(FaultFunc func, gpointer user);
/* The same, and records say in which window and initcall they fell. A new boot ("Linux version …")
 * starts anew. Costs a little speed. */
FaultParser *fault_parser_new_with_windows(FaultFunc func, gpointer user);
/* Any bytes, cut anywhere. NUL, control characters and broken UTF-8 are fine; a line longer than
 * 64 KiB is read in pieces of that size. */
void fault_parser_feed(FaultParser *p, const char *bytes, size_t len);
/* One whole line, for those who have lines; `number` is what the record will say. `len` as for
 * feed, without the line's end. Not to be mixed with fault_parser_feed on the same parser. */
void fault_parser_line(FaultParser *p, const char *line, size_t len, uint64_t number);
/* The end of the input: a last line without newline, a record that waits for its second line. The
 * parser can be used again after it, with lines counted from 1. */
void fault_parser_finish(FaultParser *p);
/* Lets records go that wait for more lines; the counting of lines goes on. */
void fault_parser_flush(FaultParser *p);
/* Only records between two marker lines, in each boot: `from` and `to` are names of windows
 * (marks.h: the line that opens it) or patterns (PCRE2) that a line's message matches; NULL or "":
 * the start, the end. As an oracle's window, it opens and closes once. Only for a parser with
 * windows, before the first line. False with *error set when a pattern does not compile. */
bool fault_parser_set_range(FaultParser *p, const char *from, const char *to, GError **error);
/* Lines seen since the start or the last finish. */
uint64_t fault_parser_lines(const FaultParser *p);
void fault_parser_free(FaultParser *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FaultParser, fault_parser_free)
