/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The space of sets of candidates: patches, options, parameters (docs/search.md §1). */
#include "subsets.h"

#include <string.h>

SearchMask subsets_closure(const Subsets *own, SearchMask set)
{
	SearchMask out = 0;

	for (SearchMask rest = set & own->all; rest; rest &= rest - 1)
		out |= own->closure_of[__builtin_ctzll(rest)];
	return out;
}

bool subsets_valid(const Subsets *own, SearchMask v)
{
	if ((v & ~own->all) || subsets_closure(own, v) != v)
		return false;
	for (guint i = 0; i < own->n_conflicts; i++) {
		if ((v & own->conflicts[i]) == own->conflicts[i])
			return false;
	}
	return true;
}

SearchMask subsets_add(const Subsets *own, SearchMask v, guint i)
{
	return v | own->closure_of[i];
}

SearchMask subsets_remove(const Subsets *own, SearchMask v, guint i)
{
	return v & ~own->dependents_of[i];
}

static inline bool set_in(const Set *set, SearchMask v)
{
	return (v & set->closure) == set->closure || (v & set->other) == set->other;
}

static void free_own(gpointer data)
{
	Subsets *own = data;

	g_free(own->conflicts);
	g_free(own->sets);
	g_free(own->prior);
	g_free(own);
}

static void begin(Search *s)
{
	SubsetsBelief *b = s->belief = g_new0(SubsetsBelief, 1);

	b->x = explicit_new(subsets(s)->n_sets, subsets(s)->prior);
	b->pair_poison = g_new0(double, (gsize)s->n * s->n);
	b->log_fine = g_new0(double, (gsize)s->n * s->n);
}

static void end(Search *s)
{
	SubsetsBelief *b = s->belief;

	explicit_free(b->x);
	g_free(b->pair_poison);
	g_free(b->log_fine);
	g_free(b);
}

static void inherit(Search *s, const Search *from)
{
	explicit_inherit(subsets_belief(s)->x, subsets_belief(from)->x);
}

static void observed(Search *s, SearchVariant v, guint faults, guint cleans)
{
	const Subsets *own = subsets(s);
	g_autofree bool *has = g_new(bool, own->n_sets);

	for (guint h = 0; h < own->n_sets; h++)
		has[h] = set_in(&own->sets[h], v);
	explicit_observed(subsets_belief(s)->x, has, faults, cleans);
}

static bool is_variant(const Search *s, SearchVariant v)
{
	return !(v & ~subsets(s)->all);
}

static bool is_valid(const Search *s, SearchVariant v)
{
	return subsets_valid(subsets(s), v);
}

static SearchVariant widen(const Search *s, SearchVariant v)
{
	for (guint i = 0; i < s->n; i++) {
		SearchMask wider = subsets_add(subsets(s), v, i);

		if (is_valid(s, wider))
			v = wider;
	}
	return v;
}

static SearchVariant everything(const Search *s)
{
	return widen(s, 0);
}

static SearchVariant realise(const Search *s, SearchMask members)
{
	return subsets_closure(subsets(s), members);
}

static bool has(const Search *s, const SearchHypothesis *h, SearchVariant v)
{
	const Subsets *own = subsets(s);

	if (h->kind != SEARCH_H_EITHER) {
		SearchMask closure = subsets_closure(own, h->members);

		return (v & closure) == closure;
	}
	for (SearchMask rest = h->members; rest; rest &= rest - 1) {
		SearchMask closure = own->closure_of[__builtin_ctzll(rest)];

		if ((v & closure) == closure)
			return true;
	}
	return false;
}

static bool contains(const Search *s, SearchVariant v, SearchVariant w)
{
	(void)s;
	return (v & w) == w;
}

static void classify(Search *s)
{
	explicit_classify(s, subsets_belief(s)->x);
}

/* Members of `set` that need, or are, something that spoils every variant. */
static SearchMask spoiled(const Search *s, SearchMask set)
{
	const SubsetsBelief *belief = subsets_belief(s);
	SearchMask out = 0;

	for (SearchMask rest = set; rest; rest &= rest - 1) {
		guint i = __builtin_ctzll(rest);

		for (SearchMask c = subsets(s)->closure_of[i]; c; c &= c - 1)
			out |= belief->poison[__builtin_ctzll(c)] > 0.5 ? (SearchMask)1 << i : 0;
	}
	return out;
}

/*
 * 'a or b' with a b that cannot be tested is not told apart from 'a', by nothing that can be done:
 * it counts as 'a' (§3.5), until something with b is tested.
 */
static void fold_untestable(Search *s)
{
	const Subsets *own = subsets(s);
	SearchMask bad = spoiled(s, own->all);

	for (guint h = own->n_sets; bad && h-- > 0 && own->sets[h].kind == SEARCH_H_EITHER;) {
		SearchMask members = own->sets[h].members, left = members & ~bad;

		if (left && left != members)
			explicit_fold(subsets_belief(s)->x, h, own->single[__builtin_ctzll(left)]);
	}
}

static void settle(Search *s)
{
	Explicit *x = subsets_belief(s)->x;
	const Set *best;

	explicit_weigh(s, x);
	fold_untestable(s);
	explicit_settle(s, x);
	if (x->p[x->best] <= s->leader.probability)
		return;
	best = &subsets(s)->sets[x->best];
	s->leader = (SearchHypothesis){best->kind, best->members, x->p[x->best]};
	s->leader_class = x->class_of[x->best];
}

static void split(const Search *s, SearchVariant v, double *ret)
{
	const Subsets *own = subsets(s);
	const Explicit *x = subsets_belief(s)->x;

	memset(ret, 0, s->classes->len * sizeof(*ret));
	for (guint k = 0; k < x->n_active; k++) {
		guint h = x->active[k];

		ret[x->class_of[h]] += set_in(&own->sets[h], v) ? x->weight[k] : 0;
	}
}

static void ranked(const Search *s, guint max, GArray *ret)
{
	const Explicit *x = subsets_belief(s)->x;
	g_autofree guint *top = g_new(guint, MIN(max, x->n) + 1);
	guint n = explicit_top(x, MIN(max, x->n), top);

	for (guint k = 0; k < n; k++) {
		const Set *set = &subsets(s)->sets[top[k]];
		SearchHypothesis h = {set->kind, set->members, x->p[top[k]]};

		g_array_append_val(ret, h);
	}
}

static double entropy(const Search *s)
{
	return explicit_entropy(subsets_belief(s)->x);
}

static void neighbours(const Search *s, SearchVariant v, GArray *ret)
{
	const Subsets *own = subsets(s);

	for (guint i = 0; i < s->n; i++) {
		SearchMask next = v >> i & 1 ? subsets_remove(own, v, i) : subsets_add(own, v, i);

		if (subsets_valid(own, next))
			g_array_append_val(ret, next);
	}
}

static double poison(Search *s, guint i)
{
	return subsets_belief(s)->poison[i];
}

/* "a + b"; many are shortened. */
static char *mask_names(const Search *s, SearchMask mask, const char *between)
{
	g_autoptr(GString) out = g_string_new(NULL);
	guint count = (guint)__builtin_popcountll(mask), shown = 0;

	for (SearchMask rest = mask; rest; rest &= rest - 1) {
		guint i = __builtin_ctzll(rest);

		if (shown == 4 && count > 5) {
			g_string_append_printf(out, " and %u more", count - shown);
			break;
		}
		g_string_append(out, shown ? between : "");
		if (s->names)
			g_string_append(out, s->names[i]);
		else
			g_string_append_printf(out, "#%u", i);
		shown++;
	}
	return g_string_free(g_steal_pointer(&out), FALSE);
}

static guint around(const Search *s, const SearchHypothesis *h, Around *ret)
{
	const Subsets *own = subsets(s);
	SearchMask closure = subsets_closure(own, h->members);
	guint n = 0;

	if (h->kind == SEARCH_H_EITHER) {
		for (SearchMask rest = h->members; rest; rest &= rest - 1)
			ret[n++] = (Around){own->closure_of[__builtin_ctzll(rest)], true, ""};
		ret[n] = (Around){0, false, ""};
		g_strlcpy(ret[n++].missing, "both", sizeof(ret->missing));
		return n;
	}
	ret[n++] = (Around){closure, true, ""};
	for (SearchMask rest = h->members; rest; rest &= rest - 1) {
		guint i = __builtin_ctzll(rest);
		g_autofree char *name = NULL;

		ret[n] = (Around){subsets_remove(own, closure, i), false, ""};
		name = mask_names(s, (SearchMask)1 << i, "");
		g_strlcpy(ret[n++].missing, name, sizeof(ret->missing));
	}
	return n;
}

/* For a parent that cannot be tested: a wider variant that has not the cause either. */
static bool substitute(Search *s, const SearchHypothesis *h, Around *a)
{
	g_autoptr(GArray) pool = NULL;
	SearchMask parent = a->variant;
	double best = 1;

	if (a->has)
		return false;
	pool = subsets_pool(s, NULL);
	for (guint k = 0; k < pool->len; k++) {
		SearchMask v = g_array_index(pool, SearchMask, k);

		double untestable;

		if ((v & parent) != parent || has(s, h, v))
			continue;
		untestable = search_untestable(s, v);
		if (!variant_is_hopeless(s, v, untestable) && untestable < best) {
			best = untestable;
			a->variant = v;
		}
	}
	return best < 1;
}

static char *name_variant(const Search *s, SearchVariant v)
{
	return v ? mask_names(s, v, " + ") : g_strdup("the base");
}

static char *name_members(const Search *s, const SearchHypothesis *h)
{
	return mask_names(s, h->members, h->kind == SEARCH_H_EITHER ? " or " : " + ");
}

static char *name_suspects(Search *s)
{
	g_autofree char *names = NULL;
	SearchMask out = 0;

	for (guint i = 0; i < s->n; i++)
		out |= subsets_belief(s)->poison[i] > 0.5 ? (SearchMask)1 << i : 0;
	names = mask_names(s, out, " + ");
	return *names ? g_strdup_printf("does not build or come up: %s", names) : g_strdup("");
}

const SearchSpace search_subsets = {
	.name = "subsets",
	.setup = subsets_setup,
	.free = free_own,
	.begin = begin,
	.end = end,
	.inherit = inherit,
	.observed = observed,
	.is_variant = is_variant,
	.is_valid = is_valid,
	.everything = everything,
	.widen = widen,
	.realise = realise,
	.has = has,
	.contains = contains,
	.classify = classify,
	.settle = settle,
	.split = split,
	.ranked = ranked,
	.marginal = subsets_marginal,
	.entropy = entropy,
	.pool = subsets_pool,
	.neighbours = neighbours,
	.testable_update = subsets_testable_update,
	.untestable = subsets_untestable,
	.poison = poison,
	.is_smallest = subsets_is_smallest,
	.around = around,
	.substitute = substitute,
	.name_variant = name_variant,
	.name_members = name_members,
	.name_suspects = name_suspects,
};
