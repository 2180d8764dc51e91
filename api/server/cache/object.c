/* See object_int.h. One pass of the scanner over the stored text finds metadata, labels, uid and the spans of all field
 * selectors: paths are walked together, a bit per path that still matches the members walked so far. */
#include "api/server/cache/object.h"

#include "api/machinery/rules/custom/custom_kind.h"

#include "api/machinery/fields/pack.h"
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
	const char *base;    /* what spans count from */
	size_t metadata_at;  /* offset behind the '{' of metadata; 0: none */
	size_t metadata_end; /* of its '}' */
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
		if (is_metadata)
			x->metadata_end = json_scan_offset(s) - 1;
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

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool next_is_brace(struct slice text, size_t at)
{
	while (at < text.len && is_space(text.ptr[at]))
		at++;
	return at < text.len && text.ptr[at] == '}';
}

/* A copy without the bytes of `cut` (behind `at`, or none), and with the version at `at`. */
static struct rcbuf *insert_version(struct slice stored, size_t at, struct span cut, int64_t revision, size_t *added)
{
	char text[64];
	size_t skip = cut.len ? cut.offset : at;
	bool is_bare = next_is_brace(stored, skip == at ? at + cut.len : at);
	int n = snprintf(text, sizeof text, "\"resourceVersion\":\"%lld\"%s", (long long)revision, is_bare ? "" : ",");
	struct rcbuf *b = rcbuf_new(stored.len + (size_t)n - cut.len);
	char *to = b->data;
	memcpy(to, stored.ptr, at);
	memcpy(to + at, text, (size_t)n);
	memcpy(to + at + n, stored.ptr + at, skip - at);
	memcpy(to + skip + n, stored.ptr + skip + cut.len, stored.len - skip - cut.len);
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
	return insert_version(stored, at, (struct span){0}, revision, &added);
}

/* ---- managedFields ---- */

/* The bytes of the member whose value this is, with one comma. None when its name is not spelled as we do: then it
 * stays where it is. */
static struct span member_of(struct slice stored, struct span value, size_t metadata_at)
{
	static const char name[] = "\"managedFields\"";
	size_t begin = value.offset, end = value.offset + value.len, len = sizeof name - 1;
	while (begin > metadata_at && (is_space(stored.ptr[begin - 1]) || stored.ptr[begin - 1] == ':'))
		begin--;
	if (begin < metadata_at + len || memcmp(stored.ptr + begin - len, name, len) != 0)
		return (struct span){0};
	begin -= len;
	size_t before = begin, after = end;
	while (before > metadata_at && is_space(stored.ptr[before - 1]))
		before--;
	while (is_space(stored.ptr[after]))
		after++;
	if (before > metadata_at && stored.ptr[before - 1] == ',')
		begin = before - 1;
	else if (stored.ptr[after] == ',')
		end = after + 1;
	return (struct span){(uint32_t)begin, (uint32_t)(end - begin)};
}

/* Offsets in the stored text become those in the object's. */
static uint32_t moved(size_t offset, size_t at, size_t added, struct span cut)
{
	size_t to = offset >= at ? offset + added : offset;
	return (uint32_t)(cut.len && offset >= cut.offset ? to - cut.len : to);
}

static void shift(struct span *s, size_t at, size_t added, struct span cut)
{
	if (s->len)
		s->offset = moved(s->offset, at, added, cut);
}

void object_lay_in(struct strbuf *out, struct slice text, size_t at, struct slice managed)
{
	CHECK(at < text.len && text.ptr[at] == '}');
	strbuf_reserve(out, text.len + managed.len + 32);
	strbuf_add(out, text.ptr, at);
	if (text.ptr[at - 1] != '{')
		strbuf_addc(out, ',');
	strbuf_adds(out, "\"managedFields\":");
	strbuf_add_slice(out, managed);
	strbuf_add(out, text.ptr + at, text.len - at);
}

static const char managed_head[] = ",\"managedFields\":";

size_t object_managed_len(const struct object *o)
{
	return o->packed_len ? sizeof managed_head - 1 + fields_packed_text_len(object_packed(o)) : 0;
}

struct rcbuf *object_managed_text(const struct object *o)
{
	if (!o->packed_len)
		return NULL;
	struct rcbuf *b = rcbuf_new(object_managed_len(o));
	memcpy(b->data, managed_head, sizeof managed_head - 1);
	fields_unpack(object_packed(o), b->data + sizeof managed_head - 1);
	return b;
}

struct rcbuf *object_whole(const struct object *o)
{
	struct rcbuf *managed = object_managed_text(o);
	if (!managed)
		return rcbuf_ref(o->json);
	struct rcbuf *b = rcbuf_new((size_t)o->json->len + managed->len);
	memcpy(b->data, o->json->data, o->managed_at);
	memcpy(b->data + o->managed_at, managed->data, managed->len);
	memcpy(b->data + o->managed_at + managed->len, o->json->data + o->managed_at, o->json->len - o->managed_at);
	rcbuf_unref(managed);
	return b;
}

/* ---- objects ---- */

static void add_paths(struct extraction *x, const struct resource *r, struct object *o, struct span *managed)
{
	add_path(x, "metadata.labels", &o->labels);
	add_path(x, "metadata.uid", &o->uid);
	if (managed)
		add_path(x, "metadata.managedFields", managed);
	for (unsigned i = 0; i < r->selector_count; i++) {
		add_path(x, r->selectors[i].path, &o->fields[i]);
		if (r->selectors[i].fallback)
			add_path(x, r->selectors[i].fallback, &o->fields[r->selector_count + i]);
	}
}

/* The object on the heap: the draft, then its key, then packed managedFields. */
static struct object *finish(const struct object *draft, struct slice key, struct slice managed)
{
	size_t head = sizeof *draft + draft->field_count * sizeof draft->fields[0], packed_len = 0;
	char room[4096], *packed = room;
	if (managed.len) {
		size_t bound = fields_pack_bound(managed.len);
		packed = bound > sizeof room ? xmalloc(bound) : room;
		packed_len = fields_pack(managed, packed);
	}
	struct object *o = xmalloc(head + key.len + 1 + packed_len);
	char *tail = (char *)o + head;
	memcpy((void *)o, draft, head);
	memcpy(tail, key.ptr, key.len);
	tail[key.len] = 0;
	memcpy(tail + key.len + 1, packed, packed_len);
	o->key = (struct slice){tail, key.len};
	o->packed_len = (uint32_t)packed_len;
	if (packed != room)
		free(packed);
	return o;
}

/* An object in the making: its fields are as many as a resource can have selectors for. */
union draft {
	struct object object;
	char room[sizeof(struct object) + 2u * PATHS_MAX * sizeof(struct span)];
};

static struct object *make(
        const struct resource *r, struct slice key, struct slice stored, int64_t revision, bool is_whole)
{
	unsigned n = r->selector_count * 2u;
	union draft draft = {0};
	struct object *o = &draft.object;
	struct extraction x = {0};
	struct span managed = {0}, cut = {0};
	CHECK(n <= 2u * PATHS_MAX);
	add_paths(&x, r, o, is_whole ? NULL : &managed);
	if (!extract(&x, stored))
		return NULL;
	if (managed.len && stored.ptr[managed.offset] == '[')
		cut = member_of(stored, managed, x.metadata_at);
	size_t added;
	o->json = insert_version(stored, x.metadata_at, cut, revision, &added);
	o->managed_at = moved(x.metadata_end, x.metadata_at, added, cut);
	shift(&o->labels, x.metadata_at, added, cut);
	shift(&o->uid, x.metadata_at, added, cut);
	for (unsigned i = 0; i < n; i++)
		shift(&o->fields[i], x.metadata_at, added, cut);
	atomic_init(&o->refs, 1);
	o->revision = revision;
	o->field_count = (uint16_t)n;
	const char *slash = r->namespaced ? memchr(key.ptr, '/', key.len) : NULL;
	o->namespace_len = slash ? (uint32_t)(slash - key.ptr) : 0;
	if (r->conversion)
		o->is_of_other_version = !slice_is(json_find(stored, "apiVersion", NULL), r->api_version);
	return finish(o, key, cut.len ? (struct slice){stored.ptr + managed.offset, managed.len} : SLICE_NULL);
}

/* Custom resources may be older than their definition. */
static struct object *make_renewed(
        const struct resource *r, struct slice key, struct slice stored, int64_t revision, bool is_whole)
{
	struct strbuf text = STRBUF_INIT;
	bool is_renewed = r->custom && custom_kind_renew(r, stored, &text);
	struct object *o = make(r, key, is_renewed ? strbuf_slice(&text) : stored, revision, is_whole);
	strbuf_release(&text);
	return o;
}

struct object *object_new(const struct resource *r, struct slice key, struct slice stored, int64_t revision)
{
	return make_renewed(r, key, stored, revision, false);
}

struct object *object_new_whole(const struct resource *r, struct slice key, struct slice stored, int64_t revision)
{
	return make_renewed(r, key, stored, revision, true);
}

struct object *object_of_text(struct slice key, struct rcbuf *text)
{
	struct object draft = {.json = text};
	CHECK(text != NULL);
	atomic_init(&draft.refs, 1);
	return finish(&draft, key, SLICE_NULL);
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
