/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/json.h"
#include "oracle/oracle.h"

void oracle_result_free(OracleResult *r)
{
	if (!r)
		return;
	g_free(r->reason);
	g_free(r->answered);
	g_clear_pointer(&r->faults, g_ptr_array_unref);
	g_clear_pointer(&r->parts, g_array_unref);
	g_free(r);
}

static json_t *time_json(gint64 us)
{
	return us >= 0 ? json_integer(us) : json_null();
}

static json_t *parts_json(const GArray *parts)
{
	json_t *list = json_array();
	for (guint i = 0; i < parts->len; i++) {
		const OraclePartSeen *p = &g_array_index(parts, OraclePartSeen, i);
		json_array_append_new(
			list, json_pack("{s:o, s:o, s:o, s:I, s:I}", "name", kx_json_text(p->name),
					"start_us", time_json(p->start_us), "length_us",
					time_json(p->length_us), "faults", (json_int_t)p->faults,
					"suppressed", (json_int_t)p->suppressed));
	}
	return list;
}

json_t *oracle_fault_to_json(const OracleFault *f)
{
	json_t *o = fault_to_json(f->fault);
	json_object_set_new(o, "source", json_string(f->source));
	json_object_set_new(o, "in_window", json_boolean(f->in_window));
	json_object_set_new(o, "counts", json_boolean(f->counts));
	if (f->part)
		json_object_set_new(o, "part", kx_json_text(f->part));
	return o;
}

json_t *oracle_result_to_json(const OracleResult *r, size_t max_faults)
{
	json_t *o = json_object();
	json_object_set_new(o, "outcome", json_string(outcome_name(r->outcome)));
	json_object_set_new(o, "reason", kx_json_text(r->reason));
	json_object_set_new(o, "identity", r->answered ? kx_json_text(r->answered) : json_null());
	json_t *m = json_object();
	json_object_set_new(m, "faults", json_integer((json_int_t)r->measures.faults));
	json_object_set_new(m, "suppressed", json_integer((json_int_t)r->measures.suppressed));
	json_object_set_new(m, "outside", json_integer((json_int_t)r->measures.outside));
	json_object_set_new(m, "window_us", time_json(r->measures.window_us));
	if (r->blocked_asked)
		json_object_set_new(m, "blocked_us", time_json(r->measures.blocked_us));
	if (r->parts->len)
		json_object_set_new(m, "parts", parts_json(r->parts));
	json_object_set_new(o, "measures", m);
	json_t *faults = json_array();
	for (guint i = 0; i < r->faults->len && i < max_faults; i++)
		json_array_append_new(faults,
				      oracle_fault_to_json(g_ptr_array_index(r->faults, i)));
	json_object_set_new(o, "faults", faults);
	return o;
}
