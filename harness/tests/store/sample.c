/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/fs.h"
#include "sample.h"

int sample_setup(void **state)
{
	*state = g_dir_make_tmp("kexsect-store-XXXXXX", NULL);
	return *state ? 0 : -1;
}

int sample_teardown(void **state)
{
	bool gone = kx_remove_tree(*state, NULL);
	g_free(*state);
	return gone ? 0 : -1;
}

StoreCampaign *sample_campaign(Store *s, const char *name)
{
	StoreCampaign *c = g_new0(StoreCampaign, 1);
	c->name = g_strdup(name);
	c->digest = g_strdup("0123456789abcdef");
	c->title = g_strdup("A \"quoted\" title — with ünïcode");
	c->question = g_strdup("Which?");
	c->effect = g_strdup("cures");
	c->state_reason = g_strdup("");
	c->config = json_pack("{s:s, s:[s, s]}", "base", "linux-6.1", "targets", "vm-1", "vm-2");
	char *patch = (char *)"patch", *parameter = (char *)"parameter";
	StoreCandidate k[3] = {
		{patch, (char *)"a", (char *)"first", (char *)"a", (char *)"/patches/a.patch", 0},
		{patch, (char *)"b", (char *)"second", (char *)"b", (char *)"/patches/b.patch", 0},
		{parameter, (char *)"c", (char *)"third", (char *)"c=1", (char *)"", 1}};
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	for (int i = 0; i < 3; i++)
		g_ptr_array_add(all, &k[i]);
	g_autoptr(GError) error = NULL;
	if (!store_add_campaign(s, c, all, &error))
		fail_msg("%s", error->message);
	return c;
}

bool sample_trial(Store *s, const StoreCampaign *c, gint64 sitting, unsigned number, uint64_t mask,
		  const char *outcome, GError **error)
{
	g_autofree char *evidence = g_strdup_printf("%s/trials/%06u", c->dir, number);
	g_autoptr(json_t) measures = json_pack("{s:i}", "faults", 3);
	g_autoptr(json_t) plan = json_pack("{s:s, s:f}", "reason", "halves it", "bits", 0.5);
	g_autoptr(json_t) seconds = json_pack("{s:f, s:f}", "boot", 1.5, "total", 4.0);
	g_autoptr(json_t) faults = json_pack("[{s:s, s:s, s:s, s:b}, {s:s}]", "device", "00:02.0",
					     "address", "0x1ffde000", "reason", "root entry",
					     "in_window", 1, "device", "00:03.0");
	g_autoptr(json_t) ranking = json_pack("[{s:s, s:[s], s:f}]", "kind", "set", "members", "a",
					      "probability", 0.75);
	g_autoptr(json_t) marginals = json_pack("[f, f, f]", 0.75, 0.125, 0.0);
	StoreTrial t = {.number = number,
			.mask = mask,
			.build = (char *)"3f2a",
			.target = (char *)"vm",
			.mode = (char *)"kexec",
			.purpose = (char *)"search",
			.outcome = (char *)outcome,
			.reason = (char *)"3 faults",
			.evidence = evidence,
			.measures = measures,
			.seconds = seconds,
			.plan = plan};
	StorePosterior p = {.kind = (char *)"set",
			    .members = 1,
			    .probability = 0.75,
			    .q_mean = 0.9,
			    .ranking = ranking,
			    .marginals = marginals};
	StoreTimes times = {.total = 10.0 * number, .boot = 4.0 * number};
	return store_add_trial(s, c->id, sitting, &t, faults, &p, &times, error);
}
