/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "iommu/scan.h"
#include "oracle/oracle-internal.h"

#define LINE(array, i) (&g_array_index(array, OracleLine, i))
/* A flood may not fill the memory; the counts go on. */
#define MAX_FAULTS 10000

typedef struct {
	const OracleInput *in;
	const OracleRules *rules;
	OracleResult *result;
	GArray *console, *kmsg, *lines; /* lines: the variant's, merged */
	guint from, to;			/* the window in `lines`: [from, to) */
	uint64_t in_window_suppressed;
	OracleFault *first;	 /* that counts; owned by the result */
	const OracleLine *panic; /* what it said */
	bool variant_found;	 /* on the console */
} Judge;

static void free_fault(gpointer data)
{
	OracleFault *f = data;
	fault_free(f->fault);
	g_free(f);
}

G_GNUC_PRINTF(3, 4)
static void say(Judge *j, Outcome outcome, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_free(j->result->reason);
	j->result->reason = g_strdup_vprintf(format, args);
	va_end(args);
	j->result->outcome = outcome;
}

/* " (detail)", or nothing. */
static char *detail(const Judge *j)
{
	return j->in->end_detail && *j->in->end_detail ? g_strdup_printf(" (%s)", j->in->end_detail)
						       : g_strdup("");
}

/* ---- who answered ---- */

static bool is_word(char c)
{
	return g_ascii_isalnum(c) || c == '_';
}

static bool has_word(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);
	const char *end = text + len;
	for (const char *p = text; n && (p = memmem(p, (size_t)(end - p), word, n)); p++)
		if ((p == text || !is_word(p[-1])) && (p + n == end || !is_word(p[n])))
			return true;
	return false;
}

/* The identity in a banner, or the release when it shows none. */
static char *read_identity(const char *text, size_t len)
{
	g_autofree char *banner = g_strndup(text, MIN(len, 1024));
	g_autoptr(GRegex) own = g_regex_new("\\bkx[0-9a-f]{12}\\b", G_REGEX_RAW, 0, NULL);
	g_autoptr(GMatchInfo) m = NULL;
	if (g_regex_match(own, banner, 0, &m))
		return g_match_info_fetch(m, 0);
	g_auto(GStrv) words = g_strsplit(banner, " ", 4);
	return g_strdup(g_strv_length(words) >= 3 ? words[2] : "");
}

/* False when another kernel than the variant's answered: the result says so. */
static bool check_banner(Judge *j, const OracleLine *banner)
{
	OracleResult *r = j->result;
	r->banner_seen = true;
	g_free(r->answered);
	r->answered = read_identity(banner->text, banner->text_len);
	r->identity_seen =
		j->in->identity && has_word(banner->text, banner->text_len, j->in->identity);
	if (!j->in->identity || r->identity_seen)
		return true;
	say(j, OUTCOME_INFRA, "a wrong kernel answered: its banner shows %s, expected %s",
	    r->answered, j->in->identity);
	return false;
}

/* ---- the watch ended without a variant ---- */

static void judge_no_banner(Judge *j)
{
	g_autofree char *more = detail(j);
	OracleEnd end = j->in->end;
	if (end == ORACLE_END_KEXEC_FAILED) {
		if (oracle_has_jumped(j->console))
			say(j, OUTCOME_NOBOOT,
			    "the launcher jumped into the variant, which never printed a line%s",
			    more);
		else
			say(j, OUTCOME_INFRA, "the launcher could not start the variant%s", more);
	} else {
		say(j, OUTCOME_NOBOOT, "no 'Linux version' line of the variant came: %s%s",
		    oracle_end_name(end), more);
	}
}

static bool is_infra_end(Judge *j)
{
	g_autofree char *more = detail(j);
	switch (j->in->end) {
	case ORACLE_END_CANCELLED:
		say(j, OUTCOME_INFRA, "cancelled%s", more);
		return true;
	case ORACLE_END_VM_DIED:
		say(j, OUTCOME_INFRA, "the virtual machine died%s", more);
		return true;
	case ORACLE_END_LAUNCHER_FAILED:
		say(j, OUTCOME_INFRA, "the launcher never answered%s", more);
		return true;
	case ORACLE_END_STALE_WATCHDOG:
		say(j, OUTCOME_INFRA, "another kernel's watchdog%s", more);
		return true;
	default:
		return false;
	}
}

/* ---- markers and faults ---- */

static void find_markers(Judge *j)
{
	const OracleRules *rules = j->rules;
	OracleResult *r = j->result;
	r->window_opened = !rules->from;
	j->from = 0;
	j->to = j->lines->len;
	gint64 opened = -1, closed = -1, last = -1;
	for (guint i = 0; i < j->lines->len; i++) {
		const OracleLine *l = LINE(j->lines, i);
		if (l->time_us >= 0 && l->time_us != G_MAXINT64) {
			if (!rules->from && opened < 0)
				opened = l->time_us;
			last = l->time_us;
		}
		if (!r->window_opened && oracle_line_has(l, rules->from)) {
			r->window_opened = true;
			j->from = i;
			opened = l->time_us;
		} else if (r->window_opened && !r->window_closed && rules->to &&
			   oracle_line_has(l, rules->to)) {
			r->window_closed = true;
			j->to = i;
			closed = l->time_us;
		}
		if (!r->alive_seen && oracle_line_has(l, rules->alive))
			r->alive_seen = true;
		if (!j->panic && oracle_line_is_panic(l))
			j->panic = l;
	}
	if (!r->window_closed)
		closed = last;
	if (r->window_opened && opened >= 0 && closed >= opened && closed != G_MAXINT64)
		r->measures.window_us = closed - opened;
	else
		opened = closed = -1;
	if (r->window_opened) {
		g_array_unref(r->parts);
		r->parts = oracle_parts_find(rules, j->lines, j->from, j->to, opened, closed);
	}
	r->blocked_asked = rules->blocked_until != NULL;
	r->measures.blocked_us = oracle_blocked_us(rules, j->lines);
}

static void take_fault(const Fault *fault, gpointer user)
{
	Judge *j = user;
	OracleMeasures *m = &j->result->measures;
	guint at = (guint)fault->line - 1; /* the parser was given the place in `lines` */
	const OracleLine *l = LINE(j->lines, at);
	const char *region;
	OracleFault f = {
		.source = l->emulator ? "emulator"
			  : l->kmsg   ? "kmsg"
				      : "console",
		.in_window = j->result->window_opened && at >= j->from && at < j->to,
		.device_matches = oracle_rules_device(j->rules, fault),
		.address_matches = oracle_rules_address(j->rules, fault, &region),
	};
	f.counts = fault->kind == FAULT_KIND_FAULT && f.in_window && f.device_matches &&
		   f.address_matches;
	OraclePartSeen *part = f.in_window ? oracle_parts_at(j->result->parts, at) : NULL;
	f.part = part ? part->name : NULL;
	m->faults += f.counts;
	if (part)
		part->faults += f.counts;
	m->outside += fault->kind == FAULT_KIND_FAULT && !f.counts;
	/* a record that stands for more than itself: those count as it does */
	bool more = fault->kind != FAULT_KIND_FAULT || f.counts;
	if (more && j->result->window_opened && at >= j->from) {
		m->suppressed += fault->suppressed;
		j->in_window_suppressed += f.in_window ? fault->suppressed : 0;
		if (part)
			part->suppressed += fault->suppressed;
	}
	if (j->result->faults->len >= MAX_FAULTS)
		return;
	f.fault = fault_copy(fault);
	f.fault->line = l->number;
	g_free(f.fault->window);
	f.fault->window = f.in_window ? g_strdup(ORACLE_WINDOW) : NULL;
	g_clear_pointer(&f.fault->region, g_free);
	if (!j->in->regions || !fault_regions_find(j->in->regions, f.fault))
		f.fault->region = g_strdup(region);
	OracleFault *kept = g_memdup2(&f, sizeof(f));
	g_ptr_array_add(j->result->faults, kept);
	if (kept->counts && !j->first)
		j->first = kept;
}

static void collect_faults(Judge *j)
{
	g_autoptr(FaultParser) parser = fault_parser_new_with_windows(take_fault, j);
	for (guint i = 0; i < j->lines->len; i++) {
		const OracleLine *l = LINE(j->lines, i);
		if (!l->mute)
			fault_parser_line(parser, l->raw, l->raw_len, i + 1);
	}
	fault_parser_finish(parser);
}

/* ---- the verdict on this boot ---- */

/* "3 faults in the window, 1 outside it, at least 1 more not printed" */
static char *tell_faults(const Judge *j)
{
	const OracleMeasures *m = &j->result->measures;
	GString *s = g_string_new(NULL);
	/* the emulator counts every access, a kernel prints what it likes */
	bool exact = j->first && g_str_equal(j->first->source, "emulator");
	uint64_t faults = m->faults + (exact ? m->suppressed : 0);
	g_string_append_printf(s, "%" G_GUINT64_FORMAT " %s%s in the window", faults,
			       exact ? "refused access" : "fault",
			       faults == 1 ? ""
			       : exact	   ? "es"
					   : "s");
	if (j->first) {
		const Fault *f = j->first->fault;
		g_string_append_printf(s, " (%s%s%s", f->device ? f->device : f->driver,
				       f->access ? " " : "",
				       f->access ? fault_access_name(f->access) : "");
		if (f->has_address)
			g_string_append_printf(s, " 0x%" G_GINT64_MODIFIER "x", f->address);
		g_string_append_printf(s, "%s%s)", f->reason && *f->reason ? ": " : "",
				       f->reason ? f->reason : "");
	}
	if (m->outside)
		g_string_append_printf(s, ", %" G_GUINT64_FORMAT "%s that do%s not count",
				       m->outside, exact ? " records" : "",
				       m->outside == 1 ? "es" : "");
	if (m->suppressed && !exact)
		g_string_append_printf(s, ", at least %" G_GUINT64_FORMAT " more not printed",
				       m->suppressed);
	return g_string_free(s, FALSE);
}

static void judge_death(Judge *j)
{
	g_autofree char *more = detail(j);
	g_autofree char *faults = tell_faults(j);
	bool alive = j->result->alive_seen;
	const char *when = alive ? "after it was alive" : "before it was alive";
	const OracleConfig *config = j->rules->config;
	if (j->panic || j->in->end == ORACLE_END_PANIC || j->in->end == ORACLE_END_RESET) {
		g_autofree char *words =
			j->panic ? g_strndup(j->panic->text, MIN(j->panic->text_len, 200))
				 : g_strdup(j->in->end == ORACLE_END_RESET
						    ? "the machine reset itself without a word"
						    : "a panic was seen");
		say(j, config->panic_is_fault ? OUTCOME_FAULT : OUTCOME_PANIC, "panic %s: %s%s; %s",
		    when, words, more, faults);
	} else {
		say(j, config->hang_is_fault ? OUTCOME_FAULT : OUTCOME_HANG, "hung %s: %s%s; %s",
		    when, oracle_end_name(j->in->end), more, faults);
	}
}

static bool has_died(const Judge *j)
{
	switch (j->in->end) {
	case ORACLE_END_SILENT:
	case ORACLE_END_DEADLINE:
	case ORACLE_END_WATCHDOG:
	case ORACLE_END_PANIC:
	case ORACLE_END_RESET:
		return true;
	default:
		return j->panic != NULL;
	}
}

static void judge_living(Judge *j)
{
	const OracleConfig *config = j->rules->config;
	OracleResult *r = j->result;
	g_autofree char *faults = tell_faults(j);
	if (!r->alive_seen) {
		g_autofree char *more = detail(j);
		say(j, OUTCOME_INFRA,
		    "no line matches the alive pattern /%s/, though the watch ended %s%s",
		    config->alive ? config->alive : ORACLE_DEFAULT_ALIVE,
		    oracle_end_name(j->in->end), more);
	} else if (!r->window_opened) {
		say(j, OUTCOME_INFRA, "window never opened: no line matches /%s/",
		    config->window_from);
	} else if (r->measures.faults) {
		say(j, OUTCOME_FAULT, "%s", faults);
	} else if (j->in_window_suppressed && !config->devices_count && !config->addresses_count) {
		say(j, OUTCOME_FAULT,
		    "the kernel printed no fault in the window, but kept back %" G_GUINT64_FORMAT,
		    j->in_window_suppressed);
	} else if (j->in_window_suppressed) {
		say(j, OUTCOME_INFRA,
		    "cannot tell: %" G_GUINT64_FORMAT
		    " faults in the window were not printed, and none "
		    "that was printed is of the devices and addresses that count",
		    j->in_window_suppressed);
	} else if (j->in->end == ORACLE_END_UNSETTLED) {
		judge_death(j);
	} else if (j->in->end != ORACLE_END_SETTLED) {
		/* what might still have come was not waited for */
		g_autofree char *more = detail(j);
		say(j, OUTCOME_INFRA, "alive, but the watch ended %s%s; %s",
		    oracle_end_name(j->in->end), more, faults);
	} else {
		say(j, OUTCOME_CLEAN, "%s", faults);
	}
}

static void judge(Judge *j)
{
	const OracleInput *in = j->in;
	OracleResult *r = j->result;
	size_t skip = MIN(in->console_from, in->console_len);
	uint64_t skipped = 0;
	for (const char *p = in->console;
	     p && (p = memchr(p, '\n', (size_t)(in->console + skip - p))); p++)
		skipped++;
	j->console = oracle_lines_split(in->console ? in->console + skip : NULL,
					in->console_len - skip, skipped + 1);
	j->kmsg = oracle_lines_split(in->kmsg, in->kmsg_len, 1);
	guint from = 0, to = 0;
	j->variant_found = oracle_find_variant(j->console, in, &from, &to);
	j->lines = oracle_lines_merge(j->console, from, to, j->kmsg, &r->kmsg_complete);
	if (is_infra_end(j))
		return;
	const OracleLine *banner = j->variant_found ? LINE(j->console, from) : NULL;
	for (guint i = 0; i < j->kmsg->len && !banner; i++)
		if (oracle_line_is_banner(LINE(j->kmsg, i), NULL))
			banner = LINE(j->kmsg, i);
	if (!banner) {
		judge_no_banner(j);
		return;
	}
	if (!check_banner(j, banner))
		return;
	find_markers(j);
	collect_faults(j);
	if (in->end == ORACLE_END_KEXEC_FAILED)
		say(j, OUTCOME_INFRA,
		    "the launcher says that kexec failed, but the variant's banner came");
	else if (in->end == ORACLE_END_NO_FIRST_LINE)
		say(j, OUTCOME_INFRA,
		    "the watch saw no line of the variant, but its banner is there");
	else if (has_died(j))
		judge_death(j);
	else
		judge_living(j);
}

OracleResult *oracle_judge(const OracleInput *in, const OracleConfig *config)
{
	OracleResult *r = g_new0(OracleResult, 1);
	r->faults = g_ptr_array_new_with_free_func(free_fault);
	r->parts = g_array_new(FALSE, FALSE, sizeof(OraclePartSeen));
	r->measures.window_us = r->measures.blocked_us = -1;
	Judge j = {.in = in, .result = r};
	g_autoptr(GError) error = NULL;
	g_autoptr(OracleRules) rules = oracle_rules_new(config, &error);
	if (!rules) {
		say(&j, OUTCOME_INFRA, "the oracle cannot be used: %s", error->message);
		return r;
	}
	j.rules = rules;
	judge(&j);
	g_clear_pointer(&j.console, g_array_unref);
	g_clear_pointer(&j.kmsg, g_array_unref);
	g_clear_pointer(&j.lines, g_array_unref);
	return r;
}
