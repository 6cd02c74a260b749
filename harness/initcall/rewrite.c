/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "initcall/order-internal.h"

/* Bytes of the ELF file that are to be others. */
typedef struct {
	size_t at, len;
	uint8_t bytes[8];
} Patch;

typedef struct {
	const InitcallRewrite *r;
	const InitcallOrder *order;
	InitcallKernel kernel;
	InitcallTable *table;
	GPtrArray *wanted; /* InitcallSlot of the table, in the new order */
	GArray *patches;   /* Patch */
} Rewrite;

static void rewrite_clear(Rewrite *x)
{
	g_clear_pointer(&x->wanted, g_ptr_array_unref);
	g_clear_pointer(&x->patches, g_array_unref);
	g_clear_pointer(&x->table, initcall_table_free);
	initcall_kernel_clear(&x->kernel);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Rewrite, rewrite_clear)

static const Initcall *call(const Rewrite *x, guint i)
{
	return x->order->calls->pdata[i];
}

static InitcallSlot *slot(const Rewrite *x, guint i)
{
	return x->table->slots->pdata[i];
}

/* ---- the order, in terms of this table ---- */

static bool refuse(const Rewrite *x, GError **error, const char *why, const char *name)
{
	g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
		    "%s: the order is not one of this kernel: %s%s", x->r->in, why, name);
	return false;
}

/* Addresses are what two files of one kernel have in common. */
static bool find_slots(Rewrite *x, GError **error)
{
	guint n = x->table->slots->len;
	g_autoptr(GHashTable) by_address = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
								 (GDestroyNotify)g_queue_free);
	if (x->order->calls->len != n)
		return refuse(x, error, "it has another number of initcalls", "");
	for (guint i = 0; i < n; i++) {
		GQueue *q = g_hash_table_lookup(by_address, &slot(x, i)->call.address);
		if (!q) {
			q = g_queue_new();
			g_hash_table_insert(by_address, &slot(x, i)->call.address, q);
		}
		g_queue_push_tail(q, slot(x, i));
	}
	for (guint i = 0; i < n; i++) {
		GQueue *q = g_hash_table_lookup(by_address, &call(x, i)->address);
		InitcallSlot *s = q ? g_queue_pop_head(q) : NULL;
		if (!s || g_strcmp0(s->call.function, call(x, i)->function) != 0)
			return refuse(x, error, "there is no initcall ", call(x, i)->function);
		g_ptr_array_add(x->wanted, s);
	}
	return true;
}

static bool check_levels(const Rewrite *x, GError **error)
{
	for (guint i = 0; i < x->wanted->len; i++) {
		int now = initcall_level_bound(slot(x, i)->call.level);
		int then = initcall_level_bound(call(x, i)->level);
		int from = initcall_level_bound(((InitcallSlot *)x->wanted->pdata[i])->call.level);
		if (i && then >= 0 && call(x, i - 1)->level < INITCALL_CONSOLE &&
		    call(x, i)->level < call(x, i - 1)->level)
			return refuse(x, error, "the levels are not in order at ",
				      call(x, i)->function);
		if (now == then && (then >= 0 || from == then))
			continue;
		if (now >= 0 && then >= 0 && from >= 0)
			continue;
		g_set_error(
			error, KX_ERROR, KX_ERROR_REFUSED,
			"%s: %s cannot become one of the %s initcalls, or stop being one: where "
			"they end is a constant in the kernel's code",
			x->r->in, call(x, i)->function,
			initcall_level_name(then < 0 ? call(x, i)->level : slot(x, i)->call.level));
		return false;
	}
	return true;
}

/* ---- what changes ---- */

static void put(Rewrite *x, size_t place, uint64_t value, size_t len)
{
	Patch p = {.at = place, .len = len};
	for (size_t i = 0; i < len; i++)
		p.bytes[i] = (uint8_t)(value >> 8 * i);
	const uint8_t *old = g_bytes_get_data(x->kernel.elf, NULL);
	if (place && memcmp(old + place, p.bytes, len) != 0)
		g_array_append_val(x->patches, p);
}

static bool put_entries(Rewrite *x, GError **error)
{
	for (guint i = 0; i < x->wanted->len; i++) {
		const InitcallSlot *place = slot(x, i), *what = x->wanted->pdata[i];
		int64_t offset = (int64_t)(what->call.address - place->entry);
		if (x->table->entry_size == 4 && (offset < INT32_MIN || offset > INT32_MAX))
			return refuse(x, error, "out of reach of its entry: ", what->call.function);
		put(x, place->at, x->table->entry_size == 4 ? (uint64_t)offset : what->call.address,
		    x->table->entry_size);
		if (what != place)
			put(x, what->named_at, place->entry, 8);
	}
	return true;
}

/* The first place of a level or of one behind it. */
static uint64_t begin_of(const Rewrite *x, int bound, InitcallLevel level)
{
	for (guint i = 0; i < x->wanted->len; i++)
		if (initcall_level_bound(call(x, i)->level) >= bound && call(x, i)->level >= level)
			return slot(x, i)->entry;
	return x->table->bounds[INITCALL_BOUNDS - 1];
}

static void put_bounds(Rewrite *x)
{
	InitcallTable *t = x->table;
	for (int i = 0; i < INITCALL_BOUNDS - 1; i++) {
		uint64_t value = begin_of(x, i, INITCALL_PURE);
		put(x, t->bounds_at[i], value, 8);
		put(x, t->bounds_named_at[i], value, 8);
	}
	put(x, t->rootfs_named_at, begin_of(x, 5, INITCALL_ROOTFS), 8);
}

/* Every place where the text stands. Returns how many there are. */
static unsigned put_identity(const Rewrite *x, uint8_t *bytes, size_t len)
{
	size_t n = strlen(x->r->identity);
	unsigned count = 0;
	for (uint8_t *p = bytes; (p = memmem(p, len - (size_t)(p - bytes), x->r->identity, n));) {
		memcpy(p, x->r->new_identity, n);
		p += n;
		count++;
	}
	return count;
}

static bool find_identity(Rewrite *x, GError **error)
{
	if (!x->r->identity)
		return true;
	size_t n = strlen(x->r->identity), len, seen = 0;
	const uint8_t *bytes = g_bytes_get_data(x->kernel.elf, &len), *p = bytes;
	if (!n || strlen(x->r->new_identity) != n) {
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "the new identity '%s' is not as long as '%s'", x->r->new_identity,
			    x->r->identity);
		return false;
	}
	while ((p = memmem(p, len - (size_t)(p - bytes), x->r->identity, n))) {
		size_t place = (size_t)(p - bytes);
		for (size_t i = 0; i < n; i += 8) {
			Patch part = {.at = place + i, .len = MIN(8, n - i)};
			memcpy(part.bytes, x->r->new_identity + i, part.len);
			g_array_append_val(x->patches, part);
		}
		p += n;
		seen++;
	}
	if (!seen)
		g_set_error(error, KX_ERROR, KX_ERROR_INPUT,
			    "%s: its version string does not hold '%s'", x->r->in, x->r->identity);
	return seen > 0;
}

/* ---- reading it back ---- */

static gint by_place(gconstpointer a, gconstpointer b)
{
	const Patch *x = a, *y = b;
	return x->at < y->at ? -1 : x->at > y->at;
}

static bool only_patched(const Rewrite *x, const uint8_t *now, size_t len)
{
	size_t old_len, at = 0;
	const uint8_t *old = g_bytes_get_data(x->kernel.elf, &old_len);
	if (len != old_len)
		return false;
	for (guint i = 0; i < x->patches->len; i++) {
		const Patch *p = &g_array_index(x->patches, Patch, i);
		if (p->at < at || memcmp(old + at, now + at, p->at - at) != 0 ||
		    memcmp(now + p->at, p->bytes, p->len) != 0)
			return false;
		at = p->at + p->len;
	}
	return memcmp(old + at, now + at, len - at) == 0;
}

static bool check(const Rewrite *x, GBytes *elf, GError **error)
{
	GError *e = NULL;
	gsize len;
	const uint8_t *bytes = g_bytes_get_data(elf, &len);
	const char *wrong = only_patched(x, bytes, len) ? NULL : "other bytes changed as well";
	g_autoptr(InitcallTable) t = NULL;
	if (!wrong) {
		t = initcall_table_read(elf, x->r->in, x->kernel.map, x->r->map, &e);
		wrong = t ? NULL : e->message;
	}
	for (guint i = 0; !wrong && i < x->wanted->len; i++) {
		const Initcall *now = &((InitcallSlot *)t->slots->pdata[i])->call;
		if (now->address != call(x, i)->address)
			wrong = "it has another order";
		else if (x->table->has_levels && initcall_level_bound(now->level) !=
							 initcall_level_bound(call(x, i)->level))
			wrong = "its levels are others";
	}
	if (wrong)
		g_set_error(error, KX_ERROR, KX_ERROR_FAILED,
			    "%s: the rewritten kernel does not read back as it should: %s",
			    x->r->in, wrong);
	g_clear_error(&e);
	return !wrong;
}

/* ---- the new file ---- */

static bool write_patches(const Rewrite *x, const char *path, GError **error)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0;
	for (guint i = 0; ok && i < x->patches->len; i++) {
		const Patch *p = &g_array_index(x->patches, Patch, i);
		ok = pwrite(fd, p->bytes, p->len, (off_t)p->at) == (ssize_t)p->len;
	}
	if (!ok)
		kx_set_errno(error, errno, "cannot write %s", path);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool write_elf(const Rewrite *x, GError **error)
{
	g_autofree char *tmp = g_strdup_printf("%s.tmp-%d", x->r->out, (int)getpid());
	bool ok = kx_copy_file(x->r->in, tmp, error) && write_patches(x, tmp, error);
	GMappedFile *file = ok ? g_mapped_file_new(tmp, FALSE, error) : NULL;
	if (file) {
		g_autoptr(GBytes) bytes = g_mapped_file_get_bytes(file);
		g_mapped_file_unref(file);
		ok = check(x, bytes, error);
	}
	ok = ok && file;
	if (ok && rename(tmp, x->r->out) != 0) {
		kx_set_errno(error, errno, "cannot write %s", x->r->out);
		ok = false;
	}
	if (!ok)
		unlink(tmp);
	return ok;
}

static bool write_image(const Rewrite *x, GError **error)
{
	const InitcallImage *image = x->kernel.image;
	gsize len;
	const void *old = g_bytes_get_data(x->kernel.elf, &len);
	uint8_t *elf = g_memdup2(old, len);
	for (guint i = 0; i < x->patches->len; i++) {
		const Patch *p = &g_array_index(x->patches, Patch, i);
		memcpy(elf + p->at, p->bytes, p->len);
	}
	g_autoptr(GBytes) kernel = g_bytes_new_take(elf, len);
	if (!check(x, kernel, error))
		return false;
	g_autoptr(GByteArray) out =
		initcall_image_with(image, x->kernel.file, kernel, x->r->in, error);
	if (!out)
		return false;
	if (x->r->identity) /* the version string of the setup code */
		put_identity(x, out->data, MIN(image->setup_len, out->len));
	initcall_image_sum(image, out);
	return kx_write_file(x->r->out, (const char *)out->data, out->len, error);
}

bool initcall_rewrite(const InitcallRewrite *r, const InitcallOrder *order, GError **error)
{
	g_auto(Rewrite) x = {.r = r, .order = order};
	x.wanted = g_ptr_array_new();
	x.patches = g_array_new(FALSE, FALSE, sizeof(Patch));
	if (!initcall_kernel_open(&x.kernel, r->in, r->map, error) ||
	    !(x.table = initcall_kernel_table(&x.kernel, error)) || !find_slots(&x, error) ||
	    !check_levels(&x, error) || !put_entries(&x, error))
		return false;
	put_bounds(&x);
	if (!find_identity(&x, error))
		return false;
	g_array_sort(x.patches, by_place);
	return x.kernel.image ? write_image(&x, error) : write_elf(&x, error);
}
