/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every part goes in with its name and its length, so that no two different campaigns give the same
 * bytes. */
#include <string.h>

#include "base/fs.h"
#include "campaign/campaign-internal.h"

#define FORMAT "kexsect-campaign-1"

static void add(GChecksum *sum, const char *key, const char *value)
{
	g_autofree char *head =
		g_strdup_printf("%s %zd\n", key, value ? (gssize)strlen(value) : (gssize)-1);
	g_checksum_update(sum, (const guchar *)head, -1);
	if (value)
		g_checksum_update(sum, (const guchar *)value, -1);
}

static void add_number(GChecksum *sum, const char *key, guint64 value)
{
	char text[24];
	g_snprintf(text, sizeof(text), "%" G_GUINT64_FORMAT, value);
	add(sum, key, text);
}

static void add_list(GChecksum *sum, const char *key, char *const *list, unsigned n)
{
	add_number(sum, key, n);
	for (unsigned i = 0; i < n; i++)
		add(sum, "-", list[i]);
}

static bool add_file(GChecksum *sum, const char *key, const char *path, GError **error)
{
	g_autofree char *digest = path ? kx_sha256_file(path, error) : NULL;
	if (path && !digest)
		return false;
	add(sum, key, digest);
	return true;
}

static bool add_files(GChecksum *sum, const char *key, char *const *list, unsigned n,
		      GError **error)
{
	add_number(sum, key, n);
	for (unsigned i = 0; i < n; i++)
		if (!add_file(sum, "-", list[i], error))
			return false;
	return true;
}

static bool add_toolchain(GChecksum *sum, const Toolchain *t, GError **error)
{
	bool wrapper = g_path_is_absolute(t->cc);
	add(sum, "cc", wrapper ? NULL : t->cc);
	if (!add_file(sum, "wrapper", wrapper ? t->cc : NULL, error))
		return false;
	add_list(sum, "make_args", t->make_args, t->make_args_count);
	add_list(sum, "env", t->env, t->env_count);
	if (t->cc_flags_count)
		add_list(sum, "cc_flags", t->cc_flags, t->cc_flags_count);
	if (t->cross)
		add(sum, "cross", t->cross);
	if (t->root)
		add(sum, "root", t->root);
	return !t->fixtures_count ||
	       add_files(sum, "toolchain.fixtures", t->fixtures, t->fixtures_count, error);
}

static bool add_recipe(GChecksum *sum, const Recipe *r, GError **error)
{
	const RecipeSource *s = &r->source;
	add(sum, "debian", s->debian);
	/* where a tarball comes from does not matter, its digest says what it is */
	add(sum, "sha256", s->sha256);
	/* nor where something is that was given: see campaign_pin() */
	add(sum, "git", s->given ? NULL : s->git);
	add(sum, "revision", s->given ? NULL : s->revision);
	add(sum, "arch", r->arch);
	add(sum, "defconfig", r->defconfig);
	add(sum, "image", r->image);
	if (r->toolchain && !add_toolchain(sum, r->toolchain, error))
		return false;
	return add_files(sum, "fragments", r->fragments, r->fragments_count, error);
}

/* Those of the series' patches that `names` lists, in its order. */
static bool add_patches(GChecksum *sum, const char *key, const Series *s, char *const *names,
			unsigned n, GError **error)
{
	add_number(sum, key, n);
	for (unsigned i = 0; s && i < s->patches_count; i++) {
		const Patch *p = &s->patches[i];
		if (!campaign_lists(names, n, p->name))
			continue;
		add(sum, "name", p->name);
		add_list(sum, "depends", p->depends, p->depends_count);
		add_list(sum, "conflicts", p->conflicts, p->conflicts_count);
		if (!add_file(sum, "file", p->file, error))
			return false;
	}
	return true;
}

static bool add_history(GChecksum *sum, const CampaignHistory *h, GError **error)
{
	add(sum, "history.from", h->from);
	add(sum, "history.to", h->to);
	add_number(sum, "history.first_parent", h->first_parent != 0);
	for (unsigned i = 0; h->series && i < h->series->patches_count; i++) {
		add(sum, "history.patch", h->series->patches[i].name);
		if (!add_file(sum, "file", h->series->patches[i].file, error))
			return false;
	}
	return true;
}

static bool add_order(GChecksum *sum, const CampaignOrder *o, GError **error)
{
	add_list(sum, "order.good", o->good, o->good_count);
	add_list(sum, "order.bad", o->bad, o->bad_count);
	add_number(sum, "order.scramble", o->scramble);
	add_list(sum, "order.keep", o->keep, o->keep_count);
	add_number(sum, "order.seed", o->seed);
	return add_file(sum, "order.good_from", o->good_from, error) &&
	       add_file(sum, "order.bad_from", o->bad_from, error);
}

/* Suspects other than patches; nothing for a campaign that has none. */
static bool add_others(GChecksum *sum, const Campaign *c, GError **error)
{
	if (c->parameters_count)
		add_list(sum, "parameters", c->parameters, c->parameters_count);
	if (c->initcalls_count)
		add_list(sum, "initcalls", c->initcalls, c->initcalls_count);
	if (c->config) {
		add_list(sum, "config", c->config->options, c->config->options_count);
		if (!add_file(sum, "config.good", c->config->good, error) ||
		    !add_file(sum, "config.bad", c->config->bad, error))
			return false;
	}
	for (unsigned i = 0; i < c->relations_count; i++) {
		const CampaignRelation *r = &c->relations[i];
		add(sum, "relation", r->candidate);
		add_list(sum, "depends", r->depends, r->depends_count);
		add_list(sum, "conflicts", r->conflicts, r->conflicts_count);
	}
	if (c->order && !add_order(sum, c->order, error))
		return false;
	return !c->history || add_history(sum, c->history, error);
}

void campaign_extend_digest(Campaign *c, unsigned first)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	add(sum, "digest", c->digest);
	for (unsigned i = first; i < c->candidates_count; i++) {
		const Candidate *k = &c->candidates[i];
		add(sum, "name", k->name);
		add(sum, "text", k->text);
		add_number(sum, "depends", k->depends);
		add_number(sum, "conflicts", k->conflicts);
		for (unsigned p = 0; p < k->parents_count; p++)
			add_number(sum, "parent", k->parents[p]);
	}
	g_free(c->digest);
	c->digest = g_strdup(g_checksum_get_string(sum));
}

/* The speed is left out: it changes how long things take, not what happens. */
static void add_simulated(GChecksum *sum, const TargetSimulated *s)
{
	const double rates[] = {s->q,
				s->eps,
				s->rates.hang,
				s->rates.panic,
				s->rates.dies,
				s->rates.no_launcher,
				s->rates.kexec_fails,
				s->rates.wrong_kernel,
				s->bmc.ignores,
				s->bmc.lies,
				s->bmc.silent};
	add_number(sum, "seed", s->seed);
	add_list(sum, "cause", s->cause, s->cause_count);
	add_number(sum, "effect", (guint64)s->effect);
	add_list(sum, "hangs", s->hangs, s->hangs_count);
	add_list(sum, "panics", s->panics, s->panics_count);
	for (guint i = 0; i < G_N_ELEMENTS(rates); i++)
		add_number(sum, "rate", (guint64)(rates[i] * 1e9));
}

static bool add_target(GChecksum *sum, const TargetConfig *t, GError **error)
{
	add(sum, "target", t->name);
	add_number(sum, "driver", t->driver);
	add(sum, "uri", t->vm.uri);
	add_number(sum, "accel", t->vm.accel);
	add(sum, "cpu", t->vm.cpu);
	add_number(sum, "memory_mib", t->vm.memory_mib);
	add_number(sum, "vcpus", t->vm.vcpus);
	add_list(sum, "qemu_args", t->vm.qemu_args, t->vm.qemu_args_count);
	for (unsigned i = 0; i < t->reserved_count; i++) {
		add(sum, "reserved", t->reserved[i].device);
		add_number(sum, "start", t->reserved[i].start);
		add_number(sum, "length", t->reserved[i].length);
		add_number(sum, "kind", t->reserved[i].kind);
	}
	if (t->acpi_tables_by)
		add_number(sum, "acpi_tables_by", t->acpi_tables_by);
	if (t->driver == TARGET_SIMULATED)
		add_simulated(sum, &t->simulated);
	if (t->vm.iommu_record)
		add_number(sum, "iommu_record", t->vm.iommu_record);
	if (t->vm.determinism)
		add_number(sum, "icount", 1 + t->vm.icount_shift);
	if (t->vm.phase.steps) {
		add_number(sum, "phase.period_us", t->vm.phase.period_us);
		add_number(sum, "phase.steps", t->vm.phase.steps);
	}
	add(sum, "launcher.cmdline", t->launcher.cmdline);
	add_number(sum, "launcher.start", t->launcher.start);
	add_number(sum, "launcher.jitter_us", t->launcher.jitter_us);
	add(sum, "cmdline", t->cmdline);
	const unsigned clocks[] = {t->timeouts.launcher, t->timeouts.kexec,  t->timeouts.boot,
				   t->timeouts.silence,	 t->timeouts.settle, t->timeouts.trial};
	for (guint i = 0; i < G_N_ELEMENTS(clocks); i++)
		add_number(sum, "clock", clocks[i]);
	bool base = g_str_equal(t->launcher.kernel, "base");
	return add_file(sum, "domain_xml", t->vm.domain_xml, error) &&
	       add_file(sum, "launcher.kernel", base ? NULL : t->launcher.kernel, error) &&
	       add_files(sum, "acpi_tables", t->acpi_tables, t->acpi_tables_count, error);
}

static bool add_versions(GChecksum *sum, const Campaign *c, GError **error)
{
	for (unsigned i = 0; i < c->versions_count; i++) {
		const CampaignVersion *v = &c->versions[i];
		add(sum, "version", v->name);
		add(sum, "version.cmdline", v->cmdline);
		if (!add_recipe(sum, v->base, error) ||
		    !add_files(sum, "fragments", v->fragments, v->fragments_count, error) ||
		    !add_patches(sum, "fixtures", v->series, v->fixtures, v->fixtures_count,
				 error) ||
		    (v->target && !add_target(sum, v->target, error)))
			return false;
	}
	return true;
}

static void add_oracle(GChecksum *sum, const OracleConfig *o)
{
	add(sum, "window.from", o->window_from);
	add(sum, "window.to", o->window_to);
	add_list(sum, "devices", o->devices, o->devices_count);
	add_number(sum, "addresses", o->addresses_count);
	for (unsigned i = 0; i < o->addresses_count; i++) {
		add_number(sum, "start", o->addresses[i].start);
		add_number(sum, "end", o->addresses[i].end);
	}
	for (unsigned i = 0; i < o->parts_count; i++) {
		add(sum, "part", o->parts[i].name);
		add(sum, "at", o->parts[i].at);
	}
	if (o->blocked_until) {
		add_list(sum, "blocked.when", o->blocked_when, o->blocked_when_count);
		add(sum, "blocked.until", o->blocked_until);
	}
	add(sum, "alive", o->alive);
	add_number(sum, "hang_is_fault", o->hang_is_fault != 0);
	add_number(sum, "panic_is_fault", o->panic_is_fault != 0);
}

bool campaign_pin(Campaign *c, const Recipe *r, const char *tree, const Toolchain *t,
		  GError **error)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	add(sum, "digest", c->digest);
	add(sum, "base", r->name);
	add(sum, "tree", tree);
	if (!r->toolchain && !add_toolchain(sum, t, error))
		return false;
	g_free(c->digest);
	c->digest = g_strdup(g_checksum_get_string(sum));
	return true;
}

bool campaign_compute_digest(Campaign *c, GError **error)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	add(sum, "format", FORMAT);
	add(sum, "name", c->name);
	add_number(sum, "effect", c->effect);
	add_number(sum, "max_culprits", c->search.max_culprits);
	add(sum, "cmdline", c->cmdline);
	add_number(sum, "mode", c->mode);
	if (!add_recipe(sum, c->base, error) ||
	    !add_files(sum, "fragments", c->fragments, c->fragments_count, error) ||
	    !add_patches(sum, "fixtures", c->series, c->fixtures, c->fixtures_count, error) ||
	    !add_patches(sum, "candidates", c->series, c->patches, c->patches_count, error) ||
	    !add_others(sum, c, error) || !add_versions(sum, c, error))
		return false;
	add_number(sum, "targets", c->target_names_count);
	for (unsigned i = 0; i < c->target_names_count; i++)
		if (!add_target(sum, c->targets[i], error))
			return false;
	add_oracle(sum, c->oracle);
	c->digest = g_strdup(g_checksum_get_string(sum));
	return true;
}
