/* See object_int.h. One pass of the scanner over the stored text finds metadata, labels, uid and the spans of all field
 * selectors: paths are walked together, a bit per path that still matches the members walked so far. */
#include "api/server/cache/object.h"

#include "base/check.h"
#include "base/json/scan.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATHS_MAX = 40, SEGMENTS_MAX = 4 };

struct path {
	struct slice segments[SEGMENTS_MAX];
	int count;
	struct span *out;
};

struct extraction {
	struct path paths[PATHS_MAX];
	int count;
	const char *base;   /* what spans count from */
	size_t metadata_at; /* offset behind the '{' of metadata; 0: none */
};

static void add_path(struct extraction *x, const char *dotted, struct span *out)
{
	CHECK(x->count < PATHS_MAX);
	struct path *p = &x->paths[x->count++];
	struct slice rest = slice_of(dotted);
	*p = (struct path){.out = out};
	while (rest.ptr && p->count < SEGMENTS_MAX)
		p->segments[p->count++] = slice_cut(&rest, '.');
}

static void take_value(struct extraction *x, struct json_scan *s, uint64_t leaves)
{
	if (!json_scan_skip(s) || slice_is(s->text, "null"))
		return;
	struct slice v = s->text;
	if (v.len >= 2 && v.ptr[0] == '"')
		v = (struct slice){v.ptr + 1, v.len - 2};
	for (int i = 0; i < x->count; i++)
		if (leaves >> i & 1)
			*x->paths[i].out = (struct span){(uint32_t)(v.ptr - x->base), (uint32_t)v.len};
}

static void walk(struct extraction *x, struct json_scan *s, int depth, uint64_t active)
{
	while (json_scan_member(s)) {
		uint64_t leaves = 0, inner = 0;
		for (int i = 0; i < x->count; i++) {
			struct path *p = &x->paths[i];
			if (!(active >> i & 1) || depth >= p->count || !slice_eq(p->segments[depth], s->key))
				continue;
			if (depth + 1 == p->count)
				leaves |= 1ull << i;
			else
				inner |= 1ull << i;
		}
		bool is_metadata = depth == 0 && slice_is(s->key, "metadata");
		if (!inner || leaves) {
			take_value(x, s, leaves);
			continue;
		}
		struct json_scan peek = *s;
		if (json_scan_next(&peek) != JSON_TOKEN_OBJECT) {
			json_scan_skip(s);
			continue;
		}
		*s = peek;
		if (is_metadata)
			x->metadata_at = json_scan_offset(s);
		walk(x, s, depth + 1, inner);
	}
}

static bool extract(struct extraction *x, struct slice text)
{
	struct json_scan s;
	json_scan_init(&s, text);
	x->base = text.ptr;
	if (json_scan_next(&s) != JSON_TOKEN_OBJECT)
		return false;
	walk(x, &s, 0, ~0ull);
	return !s.error && x->metadata_at;
}

static bool next_is_brace(struct slice text, size_t at)
{
	while (at < text.len && memchr(" \t\r\n", text.ptr[at], 4))
		at++;
	return at < text.len && text.ptr[at] == '}';
}

static struct rcbuf *insert_version(struct slice stored, size_t at, int64_t revision, size_t *added)
{
	char text[64];
	int n = snprintf(text, sizeof text, "\"resourceVersion\":\"%lld\"%s", (long long)revision,
	        next_is_brace(stored, at) ? "" : ",");
	struct rcbuf *b = rcbuf_new(stored.len + (size_t)n);
	memcpy(b->data, stored.ptr, at);
	memcpy(b->data + at, text, (size_t)n);
	memcpy(b->data + at + n, stored.ptr + at, stored.len - at);
	*added = (size_t)n;
	return b;
}

/* Our own writer puts metadata third, so this stops early. */
static size_t find_metadata(struct slice text)
{
	struct json_scan s;
	json_scan_init(&s, text);
	if (json_scan_next(&s) != JSON_TOKEN_OBJECT)
		return 0;
	while (json_scan_member(&s)) {
		if (slice_is(s.key, "metadata"))
			return json_scan_next(&s) == JSON_TOKEN_OBJECT ? json_scan_offset(&s) : 0;
		if (!json_scan_skip(&s))
			break;
	}
	return 0;
}

struct rcbuf *object_finish(struct slice stored, int64_t revision)
{
	size_t added, at = find_metadata(stored);
	if (!at)
		return rcbuf_copy(stored.ptr, stored.len);
	return insert_version(stored, at, revision, &added);
}

static void shift(struct span *s, size_t at, size_t by)
{
	if (s->len && s->offset >= at)
		s->offset += (uint32_t)by;
}

struct object *object_new(const struct resource *r, struct slice key, struct slice stored, int64_t revision)
{
	unsigned n = r->selector_count * 2u;
	struct object *o = malloc(sizeof *o + n * sizeof o->fields[0] + key.len + 1);
	CHECK(o != NULL);
	memset(o, 0, sizeof *o + n * sizeof o->fields[0]);
	struct extraction x = {0};
	add_path(&x, "metadata.labels", &o->labels);
	add_path(&x, "metadata.uid", &o->uid);
	for (unsigned i = 0; i < r->selector_count; i++) {
		add_path(&x, r->selectors[i].path, &o->fields[i]);
		if (r->selectors[i].fallback)
			add_path(&x, r->selectors[i].fallback, &o->fields[r->selector_count + i]);
	}
	if (!extract(&x, stored)) {
		free(o);
		return NULL;
	}
	size_t added;
	o->json = insert_version(stored, x.metadata_at, revision, &added);
	shift(&o->labels, x.metadata_at, added);
	shift(&o->uid, x.metadata_at, added);
	for (unsigned i = 0; i < n; i++)
		shift(&o->fields[i], x.metadata_at, added);
	atomic_init(&o->refs, 1);
	o->revision = revision;
	o->field_count = (uint16_t)n;
	char *copy = (char *)&o->fields[n];
	memcpy(copy, key.ptr, key.len);
	copy[key.len] = 0;
	o->key = (struct slice){copy, key.len};
	const char *slash = r->namespaced ? memchr(copy, '/', key.len) : NULL;
	o->namespace_len = slash ? (uint32_t)(slash - copy) : 0;
	return o;
}

struct object *object_ref(struct object *o)
{
	CHECK(atomic_load_explicit(&o->refs, memory_order_relaxed) > 0);
	atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return o;
}

void object_unref(struct object *o)
{
	if (!o || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
		return;
	rcbuf_unref(o->json);
	free(o);
}

/* Position of a field among the resource's selectors, -1 for the metadata fields, -2 when unknown. */
static int field_index(const struct resource *r, struct slice field)
{
	if (slice_is(field, "metadata.name") || slice_is(field, "metadata.namespace"))
		return -1;
	const struct resource_selector *s = resource_selector_find(r, field);
	return s ? (int)(s - r->selectors) : -2;
}

int object_filter_check(struct object_filter *f, const struct resource *r, struct err *err)
{
	for (size_t i = 0; i < f->fields.count; i++) {
		struct slice *field = &f->fields.requirements[i].field;
		const char *stored = resource_selector_stored_name(r, *field);
		if (field_index(r, *field) == -2 || (field_index(r, *field) >= 0 && !stored))
			return err_set(err, ERR_INVAL,
			        "\"%.*s\" is not a known field selector: only \"metadata.name\", "
			        "\"metadata.namespace\"%s",
			        SLICE_FMT(*field), r->selector_count ? " and those of the kind" : "");
		if (stored)
			*field = slice_of(stored);
	}
	return 0;
}

static struct slice field_value(const struct object *o, const struct resource *r, struct slice field)
{
	int i = field_index(r, field);
	if (i == -1)
		return slice_is(field, "metadata.name") ? object_name(o) : object_namespace(o);
	if (i < 0)
		return SLICE_NULL;
	struct slice v = object_span(o, o->fields[i]);
	if (!v.ptr)
		v = object_span(o, o->fields[r->selector_count + i]);
	return v.ptr ? v : slice_of(r->selectors[i].empty);
}

bool object_matches(const struct object *o, const struct object_filter *f, const struct resource *r)
{
	if (f->ns.len && !slice_eq(f->ns, object_namespace(o)))
		return false;
	if (f->name.len && !slice_eq(f->name, object_name(o)))
		return false;
	for (size_t i = 0; i < f->fields.count; i++) {
		const struct field_requirement *q = &f->fields.requirements[i];
		if (slice_eq(field_value(o, r, q->field), q->value) == q->negated)
			return false;
	}
	return !f->labels.count || label_selector_matches(&f->labels, object_span(o, o->labels));
}
