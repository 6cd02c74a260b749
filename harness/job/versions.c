/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "job/versions.h"

#include "base/error.h"
#include "base/proc.h"
#include "kernel/kernel.h"

typedef struct {
	const CampaignVersion *version;
	ExpandStepFunc step;
	gpointer user;
} Progress;

static void on_step(const char *step, uint64_t done, uint64_t total, const char *detail,
		    gpointer user)
{
	const Progress *p = user;
	if (!p->step)
		return;
	g_autofree char *text =
		g_strdup_printf("%s: %s %s", p->version->name, step, detail ? detail : "");
	p->step(text, p->user);
}

bool versions_prepare(Campaign *c, const char *cache, bool skip, ExpandStepFunc step, gpointer user,
		      GError **error)
{
	unsigned there = 0;
	for (unsigned i = 0; i < c->versions_count; i++) {
		const CampaignVersion *v = &c->versions[i];
		Progress p = {v, step, user};
		g_autoptr(GError) why = NULL;
		if (kernel_prepare_source(cache, v->base, on_step, &p, &why)) {
			there++;
		} else if (skip && !kx_cancelled()) {
			g_warning("version %s is left out: %s", v->name, why->message);
			campaign_leave_out(c, i, why->message);
		} else {
			g_set_error(error, why->domain, why->code,
				    "version %s: %s (--skip-missing runs the others)", v->name,
				    why->message);
			return false;
		}
	}
	if (there || !c->versions_count)
		return true;
	g_set_error(error, KX_ERROR, KX_ERROR_MISSING, "%s: there is no source of any version",
		    c->path);
	return false;
}
