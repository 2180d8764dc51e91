/* The entries of managedFields: read, written, found, capped. See managers.h; what writes do to them is in
 * managers_change.c. */
#include "api/machinery/fields/managers_int.h"

#include "api/machinery/fields/fields_v1.h"

#include <stdlib.h>

/* ---- reading ---- */

struct entry_reader {
	struct arena *a;
	struct json_scan *scan;
	bool is_own;
	struct err *err;
	struct slice operation, fields_type;
};

static int read_text(struct entry_reader *r, const char *what, struct slice *out)
{
	if (json_scan_next(r->scan) != JSON_TOKEN_STRING)
		return err_set(r->err, ERR_INVAL, "managedFields: %s must be a string", what);
	char *copy = arena_memdup(r->a, r->scan->text.ptr, r->scan->text.len);
	*out = (struct slice){copy, r->scan->escaped ? json_unescape(copy, r->scan->text) : r->scan->text.len};
	return 0;
}

static int read_member(struct entry_reader *r, struct manager *m)
{
	struct slice key = r->scan->key;
	if (slice_is(key, "manager"))
		return read_text(r, "manager", &m->name);
	if (slice_is(key, "operation"))
		return read_text(r, "operation", &r->operation);
	if (slice_is(key, "apiVersion"))
		return read_text(r, "apiVersion", &m->api_version);
	if (slice_is(key, "time"))
		return read_text(r, "time", &m->time);
	if (slice_is(key, "fieldsType"))
		return read_text(r, "fieldsType", &r->fields_type);
	if (slice_is(key, "subresource"))
		return read_text(r, "subresource", &m->subresource);
	if (slice_is(key, "fieldsV1")) {
		m->fields = fields_v1_read(r->a, r->scan, r->is_own, r->err);
		return m->fields ? 0 : r->err->code;
	}
	return json_scan_skip(r->scan) ? 0 : err_set(r->err, ERR_INVAL, "managedFields: %s", r->scan->error);
}

static int check_entry(struct entry_reader *r, struct manager *m)
{
	m->is_apply = slice_is(r->operation, "Apply");
	if (!m->is_apply && !slice_is(r->operation, "Update"))
		return err_set(r->err, ERR_INVAL, "managedFields: operation must be `Apply` or `Update`, not \"%.*s\"",
		        SLICE_FMT(r->operation));
	if (!m->api_version.len)
		return err_set(r->err, ERR_INVAL, "managedFields: an entry needs an apiVersion");
	if (!slice_is(r->fields_type, "FieldsV1"))
		return err_set(r->err, ERR_INVAL, "managedFields: fieldsType must be `FieldsV1`, not \"%.*s\"",
		        SLICE_FMT(r->fields_type));
	if (m->name.len > MANAGER_NAME_BYTES_MAX)
		return err_set(r->err, ERR_INVAL, "managedFields: a manager's name is longer than %d bytes",
		        MANAGER_NAME_BYTES_MAX);
	return 0;
}

static int read_entry(struct entry_reader *r, struct manager *m)
{
	r->operation = r->fields_type = SLICE_NULL;
	if (json_scan_next(r->scan) != JSON_TOKEN_OBJECT)
		return err_set(r->err, ERR_INVAL, "managedFields: every entry must be an object");
	while (json_scan_member(r->scan))
		if (read_member(r, m) != 0)
			return r->err->code;
	if (r->scan->error)
		return err_set(r->err, ERR_INVAL, "managedFields: %s", r->scan->error);
	return check_entry(r, m);
}

int managers_read(struct arena *a, struct slice text, bool is_own, struct managers *out, struct err *err)
{
	struct json_scan scan;
	struct err own = ERR_INIT;
	struct entry_reader r = {.a = a, .scan = &scan, .is_own = is_own, .err = err ? err : &own};
	struct manager **tail = &out->first;
	out->first = NULL;
	json_scan_init(&scan, text);
	if (json_scan_next(&scan) != JSON_TOKEN_ARRAY)
		return err_set(r.err, ERR_INVAL, "managedFields must be a list");
	while (json_scan_element(&scan)) {
		struct manager *m = ARENA_NEW(a, struct manager);
		if (read_entry(&r, m) != 0)
			return r.err->code;
		if (field_set_is_empty(m->fields))
			continue; /* owns nothing */
		*tail = m;
		tail = &m->next;
	}
	return json_scan_at_end(&scan) ? 0 : err_set(r.err, ERR_INVAL, "managedFields: %s", scan.error);
}

/* ---- order ---- */

int manager_order(const struct manager *x, const struct manager *y)
{
	if (x->is_apply != y->is_apply)
		return x->is_apply ? -1 : 1;
	int o = slice_cmp(x->time, y->time);
	o = o ? o : slice_cmp(x->name, y->name);
	o = o ? o : slice_cmp(x->api_version, y->api_version);
	return o ? o : slice_cmp(x->subresource, y->subresource);
}

static int by_order(const void *x, const void *y)
{
	return manager_order(*(struct manager *const *)x, *(struct manager *const *)y);
}

static size_t count(const struct managers *m)
{
	size_t n = 0;
	for (const struct manager *it = m->first; it; it = it->next)
		n++;
	return n;
}

void managers_sort(struct arena *a, struct managers *m)
{
	size_t n = count(m), i = 0;
	struct manager **all = ARENA_ARRAY(a, struct manager *, n + 1);
	for (struct manager *it = m->first; it; it = it->next)
		all[i++] = it;
	qsort(all, n, sizeof *all, by_order);
	for (i = 0; i < n; i++)
		all[i]->next = all[i + 1];
	m->first = all[0];
}

/* ---- writing ---- */

static void write_entry(struct strbuf *out, const struct manager *m)
{
	strbuf_adds(out, "{\"manager\":");
	json_write_str(out, m->name);
	strbuf_adds(out,
	        m->is_apply ? ",\"operation\":\"Apply\",\"apiVersion\":" : ",\"operation\":\"Update\",\"apiVersion\":");
	json_write_str(out, m->api_version);
	if (m->time.len) {
		strbuf_adds(out, ",\"time\":");
		json_write_str(out, m->time);
	}
	strbuf_adds(out, ",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":");
	fields_v1_write(out, m->fields);
	if (m->subresource.len) {
		strbuf_adds(out, ",\"subresource\":");
		json_write_str(out, m->subresource);
	}
	strbuf_addc(out, '}');
}

void managers_write(struct strbuf *out, const struct managers *m)
{
	strbuf_addc(out, '[');
	for (const struct manager *it = m->first; it; it = it->next) {
		if (it != m->first)
			strbuf_addc(out, ',');
		write_entry(out, it);
	}
	strbuf_addc(out, ']');
}

/* ---- finding ---- */

static bool is_same(const struct manager *x, const struct manager *y)
{
	return x->is_apply == y->is_apply && slice_eq(x->name, y->name) && slice_eq(x->subresource, y->subresource) &&
	       (x->is_apply || slice_eq(x->api_version, y->api_version));
}

struct manager *managers_find(const struct managers *m, const struct manager *like)
{
	for (struct manager *it = m->first; it; it = it->next)
		if (is_same(it, like))
			return it;
	return NULL;
}

bool managers_equal(const struct managers *x, const struct managers *y)
{
	if (count(x) != count(y))
		return false;
	for (const struct manager *it = x->first; it; it = it->next) {
		const struct manager *other = managers_find(y, it);
		if (!other || !slice_eq(it->api_version, other->api_version) ||
		        !field_set_equal(it->fields, other->fields))
			return false;
	}
	return true;
}

void managers_drop_empty(struct managers *m)
{
	for (struct manager **at = &m->first; *at;)
		if (field_set_is_empty((*at)->fields))
			*at = (*at)->next;
		else
			at = &(*at)->next;
}

void managers_remove(struct managers *m, const struct manager *gone)
{
	for (struct manager **at = &m->first; *at; at = &(*at)->next)
		if (*at == gone) {
			*at = gone->next;
			return;
		}
}

/* ---- the cap ---- */

static struct manager *next_updater(const struct managers *m, const struct manager *after)
{
	struct manager *it = after ? after->next : m->first;
	while (it && it->is_apply)
		it = it->next;
	return it;
}

static size_t count_updaters(const struct managers *m)
{
	size_t n = 0;
	for (struct manager *it = next_updater(m, NULL); it; it = next_updater(m, it))
		n++;
	return n;
}

/* The entry that old ones of a version are folded into: the first of them, which gets another name with the second. */
void managers_cap(struct arena *a, struct managers *m)
{
	size_t n = count_updaters(m);
	if (n <= MANAGERS_UPDATERS_MAX)
		return;
	managers_sort(a, m);
	struct manager **old = ARENA_ARRAY(a, struct manager *, n);
	size_t count_old = 0;
	for (struct manager *it = next_updater(m, NULL); it; it = next_updater(m, it))
		old[count_old++] = it;
	for (size_t i = 0; i < count_old && n > MANAGERS_UPDATERS_MAX; i++) {
		struct manager *bucket = NULL;
		for (size_t k = 0; k < i && !bucket; k++)
			if (old[k] && slice_eq(old[k]->api_version, old[i]->api_version))
				bucket = old[k];
		if (!bucket)
			continue;
		bucket->name = SLICE("ancient-changes");
		bucket->subresource = SLICE_NULL;
		bucket->fields = field_set_union(a, bucket->fields, old[i]->fields);
		bucket->time = old[i]->time;
		managers_remove(m, old[i]);
		old[i] = NULL;
		n--;
	}
}
