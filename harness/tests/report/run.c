/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "base/fs.h"
#include "run.h"

/* Bits of the candidates below. */
enum { SPLIT = 1, MOVE = 2, LOG = 4, DRAIN = 8, QI = 16, ROOT = 32, LATE = 64, BROKEN = 1024 };
enum { HANG = 2048, PANIC = 512 };

const char *const run_names[RUN_CANDIDATES] = {
	"split-enable", "arch-initcall-move", "rmrr-log",	  "drain-before-enable",
	"qi-early",	"root-entry-flush",   "flush-iotlb-late", "irq-remap-first",
	"group-order",	"boot-panic",	      "broken-build",	  "boot-hang",
};

static const struct {
	uint64_t mask;
	const char *mode;
	bool clean;
	const char *purpose, *outcome;
} plan[RUN_TRIALS] = {
	{0, "kexec", false, "calibrate", "fault"},
	{0, "kexec", false, "calibrate", "fault"},
	{0, "kexec", false, "calibrate", "clean"},
	{0, "kexec", false, "calibrate", "fault"},
	{SPLIT | MOVE | LOG, "kexec", false, "search", "clean"},
	{SPLIT | MOVE | LOG, "kexec", false, "search", "infra"},
	{SPLIT | MOVE | LOG, "kexec", false, "search", "clean"},
	{ROOT | LATE | DRAIN, "kexec", false, "search", "fault"},
	{HANG, "kexec", false, "search", "hang"},
	{PANIC | QI, "kexec", false, "search", "panic"},
	{QI, "kexec", false, "search", "noboot"},
	{MOVE | LOG, "kexec", false, "search", "fault"},
	{SPLIT, "kexec", false, "parent", "clean"},
	{SPLIT, "kexec", false, "parent", "clean"},
	{SPLIT, "kexec", false, "parent", "clean"},
	{0, "cold", false, "confirm", "fault"},
	{0, "cold", false, "confirm", "fault"},
	{SPLIT, "cold", false, "confirm", "clean"},
	{SPLIT, "cold", false, "confirm", "clean"},
	{SPLIT, "cold", false, "confirm", "clean"},
	{SPLIT, "cold", true, "confirm", "clean"},
	{SPLIT, "cold", true, "confirm", "clean"},
	{0, "cold", true, "confirm", "fault"},
	{0, "cold", true, "confirm", "fault"},
	{0, "kexec", false, "confirm", "fault"},
};

/* Records of /dev/kmsg; the launcher's are not among them. */
static const char kmsg[] =
	"5,0,0,-;Linux version 6.1.0 (kexsect) (gcc 12.2.0) #kx0123456789ab SMP\n"
	"6,181,212314,-;DMAR: Host address width 39\n"
	"6,182,213555,-;DMAR: RMRR base: 0x0000001ffde000 end: 0x0000001fffffff\n"
	"6,183,216902,-;DMAR: dmar0: Using Queued invalidation\n"
	"6,184,217350,-;kexsect: dmar0: translation on\n"
	"%s"
	"6,190,222015,-;pci 0000:00:02.0: Adding to iommu group 2\n"
	" SUBSYSTEM=pci\n"
	"6,191,223398,-;kexsect: reserved regions mapped\n"
	"6,192,224150,-;DMAR: Intel(R) Virtualization Technology for Directed I/O\n";
static const char fault_records[] =
	"3,185,218114,-;DMAR: DRHD: handling fault status reg 2\n"
	"3,186,218480,-;DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0x1ffde000 "
	"[fault reason 0x01] Present bit in root entry is clear\n"
	"3,188,219990,-;DMAR: [DMA Read NO_PASID] Request device [00:02.0] fault addr 0x1ffde4a8 "
	"[fault reason 0x02] Present bit in context entry is clear\n";

static const char * or (const char *hostile, const char *plain)
{
	return hostile ? hostile : plain;
}

static json_t *text(const char *s)
{
	return kx_json_text(s);
}

static json_t *config(const char *h)
{
	return json_pack(
		"{s:o, s:{s:o, s:o, s:s}, s:s, s:[], s:[o, o], s:[{s:o, s:o, s:o, s:s, s:o}], "
		"s:{s:o, s:o, s:s, s:{s:s, s:s}, s:[o], s:[s]}, s:o, s:s, s:f, s:i, s:i, "
		"s:{s:i, s:f, s:i}}",
		"file", text(or (h, "/usr/share/kexsect/configs/campaigns/vtd-window.yaml")),
		"base", "name", text(or (h, "linux-6.1")), "title", text(or (h, "Linux 6.1")),
		"recipe", "/k/linux-6.1.yaml", "series", "/p/vtd-6.1/series.yaml", "fragments",
		"fixtures", text(or (h, "markers")), text(or (h, "reintroduce-window")), "targets",
		"name", text(or (h, "vm-vtd")), "title", text(or (h, "QEMU with an Intel IOMMU")),
		"file", text(or (h, "/t/vm-vtd.yaml")), "driver", "libvirt", "cmdline",
		text(or (h, "console=ttyS0")), "oracle", "name", text(or (h, "vtd-window")),
		"title", text(or (h, "Faults in the window")), "file", "/o/vtd-window.yaml",
		"window", "from", "translation on", "to", "reserved regions mapped", "devices",
		text(or (h, "00:02.0")), "addresses", "0x1ffde000-0x1fffffff", "cmdline",
		text(or (h, "intel_iommu=on")), "mode", "kexec", "confidence", 0.99, "seed", 1,
		"max_culprits", 3, "budget", "boots", 1000, "hours", 12.0, "builds", 200);
}

static void must(bool ok, GError *error)
{
	if (!ok)
		fail_msg("%s", error ? error->message : "failed");
	g_clear_error(&error);
}

static void add_campaign(Run *r, const char *h)
{
	GError *error = NULL;
	g_autoptr(GPtrArray) all =
		g_ptr_array_new_with_free_func((GDestroyNotify)store_candidate_free);
	StoreCampaign *c = g_new0(StoreCampaign, 1);
	for (int i = 0; i < RUN_CANDIDATES; i++) {
		StoreCandidate *k = g_new0(StoreCandidate, 1);
		k->name = h ? g_strdup_printf("%d%s", i, h) : g_strdup(run_names[i]);
		k->kind = g_strdup("patch");
		k->text = g_strdup(k->name);
		k->title = h ? g_strdup(h) : g_strdup_printf("iommu/vt-d: %s", run_names[i]);
		k->file = g_strdup_printf("/p/vtd-6.1/%s.patch", or (h, run_names[i]));
		k->depends = i == 6 ? ROOT : 0;
		g_ptr_array_add(all, k);
	}
	c->name = g_strdup("vtd-window");
	c->digest = g_strdup("5f0c2d6a3e0b6b27");
	c->title = g_strdup(or (h, "Which change closes the window?"));
	c->question =
		g_strdup(or (h, "Firmware leaves a UHCI controller reading a reserved region."));
	c->effect = g_strdup("cures");
	c->state_reason = g_strdup("");
	c->config = config(h);
	must(store_add_campaign(r->store, c, all, &error), error);
	r->campaign = c;
}

static void add_build(Run *r, gint64 sitting, uint64_t mask, bool clean, const char *status,
		      const char *h)
{
	GError *error = NULL;
	bool ok = strcmp(status, "ok") == 0;
	g_autofree char *hash = g_strdup_printf("%064" G_GINT64_MODIFIER "x", mask + 16);
	g_autofree char *identity = g_strdup_printf("kx%.12s", hash + 52);
	g_autofree char *artifacts = g_build_filename(r->results, "builds", hash, NULL);
	g_autoptr(json_t) seconds =
		json_pack("{s:f, s:f}", "apply", 0.5, "compile", mask ? 7.0 : 230.0);
	StoreBuild b = {
		.mask = mask,
		.clean = clean,
		.status = (char *)status,
		.reason = (char *)(ok ? ""
				      : or (h, "iommu.c:1187:17: error: no member named 'lo64'")),
		.failed_step = (char *)(ok ? "" : "compile"),
		.hash = hash,
		.identity = identity,
		.artifacts = artifacts,
		.kernel = artifacts,
		.vmlinux_sha256 = (char *)(ok ? hash : ""),
		.log = (char *)"",
		.seconds = seconds,
	};
	must(store_add_build(r->store, r->campaign->id, sitting, &b, NULL, &error), error);
	if (mask || clean)
		return;
	static const char dot_config[] =
		"#\n# Automatically generated file; DO NOT EDIT.\n"
		"# Linux/x86 6.1.0 Kernel Configuration\n#\n"
		"CONFIG_CC_VERSION_TEXT=\"gcc (Debian 12.2.0-14) 12.2.0\"\n";
	g_autofree char *path = g_build_filename(artifacts, "config", NULL);
	must(kx_mkdir(artifacts, &error) && kx_write_file(path, dot_config, -1, &error), error);
}

static json_t *faults_of(const char *h)
{
	g_autofree char *one = g_strdup_printf("%s", strstr(fault_records, "3,186,"));
	g_autofree char *two = g_strdup(strstr(fault_records, "3,188,"));
	*strchr(one, '\n') = '\0';
	*strchr(two, '\n') = '\0';
	return json_pack(
		"[{s:s, s:s, s:s, s:s, s:b, s:o}, {s:s, s:s, s:o, s:s, s:b, s:o}]", "device",
		"0000:00:02.0", "driver", "intel", "address", "0x1ffde000", "reason",
		"Present bit in root entry is clear", "in_window", 1, "raw", text(one), "device",
		"0000:00:02.0", "driver", "intel", "event", text(or (h, "DMA")), "reason",
		or (h, "Present bit in context entry is clear"), "in_window", 1, "raw", text(two));
}

static void write_evidence(const char *folder, bool fault, const char *h)
{
	GError *error = NULL;
	g_autofree char *log = g_build_filename(folder, "kmsg.log", NULL);
	g_autoptr(GString) middle = g_string_new(fault ? fault_records : "");
	if (h)
		g_string_append_printf(middle, "6,189,220000,-;%s\n", h);
	G_GNUC_BEGIN_IGNORE_DEPRECATIONS
	g_auto(GStrv) parts = g_strsplit(kmsg, "%s", 2);
	G_GNUC_END_IGNORE_DEPRECATIONS
	g_autofree char *all = g_strconcat(parts[0], middle->str, parts[1], NULL);
	must(kx_mkdir(folder, &error) && kx_write_file(log, all, -1, &error), error);
}

static json_t *ranking(const Run *r, unsigned trial)
{
	double lead = trial < 5 ? 0.08 : trial < 13 ? 0.5 : 0.995;
	g_autoptr(GPtrArray) all = store_candidates(r->store, r->campaign->id, NULL);
	const StoreCandidate *a = all->pdata[0], *b = all->pdata[1];
	return json_pack("[{s:s, s:[o], s:f}, {s:s, s:[o, o], s:f}, {s:s, s:[], s:f}]", "kind",
			 "set", "members", text(a->name), "probability", lead, "kind", "set",
			 "members", text(a->name), text(b->name), "probability", (1 - lead) / 2,
			 "kind", "none", "members", "probability", (1 - lead) / 4);
}

static json_t *marginals(void)
{
	json_t *out = json_array();
	for (int i = 0; i < RUN_CANDIDATES; i++)
		json_array_append_new(out, json_real(i == 0 ? 0.998 : 0.001 * i));
	return out;
}

static void add_trial(Run *r, gint64 sitting, unsigned number, const char *h)
{
	GError *error = NULL;
	const char *outcome = plan[number - 1].outcome;
	bool fault = strcmp(outcome, "fault") == 0;
	bool evidence = fault || strcmp(outcome, "clean") == 0;
	g_autofree char *folder = g_strdup_printf("%s/trials/%06u", r->campaign->dir, number);
	g_autofree char *hash =
		g_strdup_printf("%064" G_GINT64_MODIFIER "x", plan[number - 1].mask + 16);
	g_autoptr(json_t) measures =
		json_pack("{s:i, s:i, s:i, s:i}", "faults", fault ? 2 : 0, "suppressed",
			  fault ? 1 : 0, "outside", 0, "window_us", 6048);
	g_autoptr(json_t) seconds =
		json_pack("{s:f, s:f, s:f}", "boot", 1.9, "deadline", 0.0, "total", 4.2);
	g_autoptr(json_t) faults = fault ? faults_of(h) : NULL;
	g_autoptr(json_t) order = ranking(r, number), members = marginals();
	StorePosterior p = {.trial = number,
			    .kind = (char *)"set",
			    .members = SPLIT,
			    .probability = json_real_value(
				    json_object_get(json_array_get(order, 0), "probability")),
			    .q_mean = 0.8,
			    .q_low = 0.6,
			    .q_high = 0.95,
			    .e_mean = 0.01,
			    .e_high = 0.05,
			    .ranking = order,
			    .marginals = members};
	StoreTrial t = {.number = number,
			.mask = plan[number - 1].mask,
			.build = hash,
			.clean = plan[number - 1].clean,
			.target = (char *) or (h, "vm-vtd"),
			.mode = (char *)plan[number - 1].mode,
			.purpose = (char *)plan[number - 1].purpose,
			.outcome = (char *)outcome,
			.reason = (char *) or (h, fault ? "2 faults in the window" : outcome),
			.evidence = folder,
			.measures = measures,
			.seconds = seconds};
	write_evidence(folder, fault, h);
	must(store_add_trial(r->store, r->campaign->id, sitting, &t, faults, evidence ? &p : NULL,
			     NULL, &error),
	     error);
}

static void finish(Run *r, const char *kind, const char *why, uint64_t members, double p,
		   const char *h)
{
	GError *error = NULL;
	g_autoptr(json_t) order = ranking(r, RUN_TRIALS), details = NULL;
	details = json_pack(
		"{s:O, s:O, s:o, s:{s:{s:f, s:f, s:f}, s:{s:f, s:f, s:f}}, s:b, s:i, s:[]}",
		"leading", json_array_get(order, 0), "ranking", order, "marginals", marginals(),
		"rates", "q", "mean", 0.81, "low", 0.62, "high", 0.96, "e", "mean", 0.01, "low",
		0.0, "high", 0.05, "cold_differs", 0, "hypotheses", 299, "untestable");
	StoreVerdict v = {.kind = (char *)kind,
			  .effect = (char *)"cures",
			  .members = members,
			  .probability = p,
			  .why = (char *)why,
			  .reason = (char *) or (h, "posterior, parent rule and confirmation hold"),
			  .details = details};
	must(store_finish(r->store, r->campaign->id, &v, &error), error);
}

static void fill(Run *r, const char *h)
{
	GError *error = NULL;
	gint64 id = r->campaign->id, sitting = store_begin_sitting(r->store, id, &error);
	g_autoptr(json_t) matrix =
		json_pack("{s:s, s:o, s:[{s:o, s:s, s:s}], s:[{s:o, s:o, s:s, s:o}],"
			  " s:[[],[],[],[],[],[],[i],[],[],[],[],[]], s:[[i, i]]}",
			  "source", "computed", "names", json_array(), "alone", "name",
			  text(or (h, run_names[0])), "result", "ok", "reason", "", "pairs", "a",
			  text(h ? h : run_names[4]), "b", text(h ? h : run_names[5]), "result",
			  "conflict", "reason", text(or (h, "iommu.c: hunk 1 does not apply")),
			  "depends", 5, "conflicts", 4, 5);
	g_autoptr(GPtrArray) all = store_candidates(r->store, id, &error);
	must(all != NULL, error);
	for (guint i = 0; i < all->len; i++)
		json_array_append_new(json_object_get(matrix, "names"),
				      text(((StoreCandidate *)all->pdata[i])->name));
	g_autoptr(json_t) environment =
		json_pack("{s:o, s:s}", "qemu", text(or (h, "QEMU emulator version 7.2.15")),
			  "libvirt", "9.0.0");
	must(store_set_document(r->store, id, "matrix", matrix, &error), error);
	must(store_set_document(r->store, id, "environment", environment, &error), error);
	add_build(r, sitting, 0, false, "ok", h);
	add_build(r, sitting, BROKEN, false, "unbuildable", h);
	add_build(r, sitting, BROKEN | MOVE, false, "unbuildable", h);
	for (unsigned i = 1; i <= RUN_TRIALS; i++) {
		uint64_t mask = plan[i - 1].mask;
		if (mask && (i == 1 || plan[i - 2].mask != mask) && !plan[i - 1].clean)
			add_build(r, sitting, mask, false, "ok", h);
		add_trial(r, sitting, i, h);
	}
	add_build(r, sitting, 0, true, "ok", h);
	add_build(r, sitting, SPLIT, true, "ok", h);
	must(store_add_event(r->store, id, "warning", "retry", 6,
			     or (h, "the agent did not answer"), &error),
	     error);
	StoreTimes times = {.total = 600,
			    .compile = 330,
			    .boot = 180,
			    .deadline = 20,
			    .source = 40,
			    .configure = 12,
			    .harness = 18};
	must(store_set_times(r->store, sitting, &times, &error), error);
}

void run_make(Run *r, RunKind kind, const char *hostile)
{
	GError *error = NULL;
	*r = (Run){.results = g_dir_make_tmp("kexsect-report-XXXXXX", &error)};
	must(r->results != NULL, error);
	r->store = store_open(r->results, STORE_WRITE, &error);
	must(r->store != NULL, error);
	add_campaign(r, hostile);
	if (kind != RUN_EMPTY)
		fill(r, hostile);
	if (kind == RUN_CAUSE)
		finish(r, "cause", "rule", SPLIT, 0.99836, hostile);
	else if (kind == RUN_NONE)
		finish(r, "none", "no_effect", 0, 0.9931, hostile);
	else if (kind == RUN_INCONCLUSIVE)
		finish(r, "inconclusive", "unfinished", 0, 0.83, hostile);
}

void run_clear(Run *r)
{
	store_campaign_free(r->campaign);
	store_free(r->store);
	assert_true(kx_remove_tree(r->results, NULL));
	g_free(r->results);
}
