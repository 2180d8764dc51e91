/* Protobuf and JSON: random instances of every type survive the way there and back, and upstream's own samples (when
 * the unpacked definitions have them) read the same in both forms. */
#include "api/machinery/codec/transcode.h"
#include "api/machinery/codec/decode.h"
#include "api/machinery/schema/resources.h"
#include "tests/unit/unit.h"

#include <dirent.h>

static struct arena arena;
static struct err err;
static uint64_t seed;

static unsigned dice(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

/* ---- random instances ---- */

static struct json *make_struct(const struct schema_type *type, int depth);

static struct json *make_text(void)
{
	static const char *const texts[] = {"a", "b-c", "\xc3\xa4\xe2\x82\xac", "long text with blanks", "\n\t\"\\"};
	return json_new_cstr(&arena, texts[dice(5)]);
}

static struct json *make_union(const struct schema_type *type, int depth)
{
	const struct schema_field *schema = schema_field_find(type, SLICE("schema"));
	const struct schema_field *other = &type->fields[schema == &type->fields[0] ? 1 : 0];
	if (depth < 6 && dice(2))
		return make_struct(schema->ref, depth + 1);
	if (other->container == SCHEMA_SINGLE)
		return json_new_bool(&arena, dice(2));
	struct json *list = json_new(&arena, JSON_ARRAY);
	json_append(list, other->kind == SCHEMA_STRING ? make_text() : make_struct(schema->ref, 100));
	return list;
}

static struct json *make_one(const struct schema_field *f, int depth)
{
	static const char *const quantities[] = {"1", "500m", "1Gi", "0", "1e3", "-3"};
	switch ((enum schema_kind)f->kind) {
	case SCHEMA_STRING:
	case SCHEMA_DURATION:
		return make_text();
	case SCHEMA_BOOL:
		return json_new_bool(&arena, dice(2));
	case SCHEMA_INT32:
		return json_new_int(&arena, dice(2) ? INT32_MIN : (int64_t)dice(1000));
	case SCHEMA_INT64:
		return json_new_int(&arena, dice(2) ? INT64_MIN : (int64_t)dice(1000000) << 30);
	case SCHEMA_DOUBLE:
		return json_new_number(&arena, dice(2) ? SLICE("0.1") : SLICE("-12.75"));
	case SCHEMA_BYTES:
		return json_new_cstr(&arena, "AAEC/w==");
	case SCHEMA_QUANTITY:
		return json_new_cstr(&arena, quantities[dice(6)]);
	case SCHEMA_INT_OR_STRING:
		return dice(2) ? json_new_int(&arena, dice(100)) : make_text();
	case SCHEMA_TIME:
		return json_new_cstr(&arena, "2024-02-29T23:59:59Z");
	case SCHEMA_MICRO_TIME:
		return json_new_cstr(&arena, "1969-12-31T23:59:59.000123Z");
	case SCHEMA_RAW:
	case SCHEMA_FIELDS_V1:
	case SCHEMA_ANY:
		return json_parse(&arena, SLICE("{\"f:x\":{\"a\":[1,null,\"b\"]}}"), NULL, &err);
	case SCHEMA_REF:
		break;
	}
	if (f->ref->flags & SCHEMA_TYPE_UNION)
		return make_union(f->ref, depth);
	if (f->ref->flags & SCHEMA_TYPE_LIST_WRAPPER) {
		struct json *list = json_new(&arena, JSON_ARRAY);
		json_append(list, make_text());
		return list;
	}
	return make_struct(f->ref, depth + 1);
}

static struct json *make_value(const struct schema_field *f, int depth)
{
	if (f->container == SCHEMA_SINGLE)
		return make_one(f, depth);
	struct json *v = json_new(&arena, f->container == SCHEMA_LIST ? JSON_ARRAY : JSON_OBJECT);
	for (unsigned i = 1 + dice(2); i > 0; i--) {
		if (f->container == SCHEMA_LIST)
			json_append(v, make_one(f, depth));
		else
			json_set(&arena, v, i == 1 ? "one" : "two", make_one(f, depth));
	}
	return v;
}

static bool has_wire(const struct schema_type *type, const struct schema_field *f)
{
	for (size_t i = 0; i < type->wire_count; i++)
		if (type->wire[i].inlined ? has_wire(type->wire[i].inlined,
		                                    schema_field_find(type->wire[i].inlined, slice_of(f->name)))
		                          : f && type->wire[i].field == f)
			return true;
	return false;
}

static struct json *make_struct(const struct schema_type *type, int depth)
{
	struct json *obj = json_new(&arena, JSON_OBJECT);
	for (size_t i = 0; i < type->field_count; i++) {
		const struct schema_field *f = &type->fields[i];
		bool is_deep = f->kind == SCHEMA_REF && depth > 3;
		if (dice(3) == 0 && !is_deep && has_wire(type, f))
			json_set(&arena, obj, f->name, make_value(f, depth));
	}
	return obj;
}

static void round_trip(const struct schema_type *type)
{
	struct json *before = make_struct(type, 0);
	if (decode_object(&arena, before, type, 0, NULL, &err) != 0)
		fail_msg("%s: %s", type->name, err.msg);
	struct strbuf bytes = STRBUF_INIT;
	if (transcode_message_encode(&bytes, before, type, &err) != 0)
		fail_msg("%s: %s", type->name, err.msg);
	struct json *after = transcode_message_decode(&arena, strbuf_slice(&bytes), type, &err);
	if (!after)
		fail_msg("%s: %s", type->name, err.msg);
	struct strbuf a = STRBUF_INIT;
	struct strbuf b = STRBUF_INIT;
	json_write(&a, before);
	json_write(&b, after);
	if (!json_equal(before, after))
		fail_msg("%s:\n%s\n%s", type->name, strbuf_cstr(&a), strbuf_cstr(&b));
	strbuf_release(&a);
	strbuf_release(&b);
	strbuf_release(&bytes);
}

static void random_instances_of_every_type_survive_the_round_trip(void **state)
{
	size_t tried = 0;
	for (size_t i = 0; i < schema_type_count(); i++) {
		const struct schema_type *type = schema_type_at(i);
		if (type->wire_count == 0 || type->flags & (SCHEMA_TYPE_UNION | SCHEMA_TYPE_LIST_WRAPPER))
			continue;
		for (int n = 0; n < 20; n++) {
			round_trip(type);
			arena_release(&arena);
			arena_init(&arena);
		}
		tried++;
	}
	assert_true(tried > 450);
}

/* ---- upstream's samples ---- */

#define SAMPLES "build/deps/k8s-api/usr/share/gocode/src/k8s.io/api/testdata/HEAD"

static struct slice read_all(const char *path)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	char *data = arena_alloc(&arena, 1 << 20);
	size_t n = fread(data, 1, 1 << 20, f);
	fclose(f);
	return (struct slice){data, n};
}

/* "apps.v1.Deployment.pb" of a kind that we serve. */
static const struct schema_type *sample_type(const char *name)
{
	char group[100], version[20], kind[100], api_version[128];
	if (strcmp(name, "core.v1.WatchEvent.pb") == 0) /* has no apiVersion and kind: only found in watch streams */
		return NULL;
	const char *kind_at = NULL;
	const char *version_at = NULL;
	for (const char *c = name; *c; c++)
		if (*c == '.' && strcmp(c, ".pb") != 0) {
			version_at = kind_at;
			kind_at = c + 1;
		}
	if (!version_at)
		return NULL;
	snprintf(group, sizeof(group), "%.*s", (int)(version_at - name - 1), name);
	snprintf(version, sizeof(version), "%.*s", (int)(kind_at - version_at - 1), version_at);
	snprintf(kind, sizeof(kind), "%.*s", (int)(strlen(kind_at) - 3), kind_at);
	if (strcmp(group, "core") == 0)
		snprintf(api_version, sizeof(api_version), "%s", version);
	else
		snprintf(api_version, sizeof(api_version), "%s/%s", group, version);
	return resource_kind_type(slice_of(api_version), slice_of(kind));
}

static bool compare_sample(const char *name, const struct schema_type *type)
{
	struct slice pb = read_all(arena_printf(&arena, SAMPLES "/%s", name));
	struct slice text = read_all(arena_printf(&arena, SAMPLES "/%.*sjson", (int)strlen(name) - 2, name));
	struct json *from_json = json_parse(&arena, text, NULL, &err);
	assert_non_null(from_json);
	if (decode_object(&arena, from_json, type, 0, NULL, &err) != 0) {
		print_message("%s: json: %s\n", name, err.msg);
		return false;
	}
	struct json *from_pb = transcode_from_protobuf(&arena, pb, NULL, NULL, &err);
	if (!from_pb) {
		print_message("%s: pb: %s\n", name, err.msg);
		return false;
	}
	struct strbuf again = STRBUF_INIT;
	bool ok = json_equal(from_json, from_pb);
	if (!ok) {
		struct strbuf a = STRBUF_INIT;
		struct strbuf b = STRBUF_INIT;
		json_write(&a, from_json);
		json_write(&b, from_pb);
		print_message("%s:\n%s\n%s\n", name, strbuf_cstr(&a), strbuf_cstr(&b));
		strbuf_release(&a);
		strbuf_release(&b);
	}
	assert_int_equal(transcode_tree_to_protobuf(&again, from_json, &err), 0);
	struct json *third = transcode_from_protobuf(&arena, strbuf_slice(&again), NULL, NULL, &err);
	ok = ok && json_equal(third, from_json);
	strbuf_release(&again);
	return ok;
}

static void upstream_samples_read_the_same_in_both_forms(void **state)
{
	DIR *dir = opendir(SAMPLES);
	if (!dir) {
		print_message("skipped: no samples below build/deps (make deps unpacks them)\n");
		skip();
	}
	size_t same = 0;
	size_t bad = 0;
	for (struct dirent *e; (e = readdir(dir));) {
		size_t n = strlen(e->d_name);
		const struct schema_type *type =
		        n > 3 && strcmp(e->d_name + n - 3, ".pb") == 0 ? sample_type(e->d_name) : NULL;
		if (type) {
			*(compare_sample(e->d_name, type) ? &same : &bad) += 1;
			arena_release(&arena);
			arena_init(&arena);
		}
	}
	closedir(dir);
	print_message("%zu samples\n", same);
	assert_int_equal(bad, 0);
	assert_true(same > 50);
}

/* ---- envelopes, lists, watch frames ---- */

static void lists_are_written_item_by_item(void **state)
{
	struct strbuf out = STRBUF_INIT;
	assert_int_equal(transcode_to_protobuf(&out,
	                         SLICE("{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
	                               "\"7\"},\"items\":["
	                               "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"containers\":[{\"name\":\"c\"}]}},{"
	                               "\"metadata\":{\"name\":\"b\"}}]}"),
	                         &err),
	        0);
	struct json *list = transcode_from_protobuf(&arena, strbuf_slice(&out), NULL, NULL, &err);
	assert_non_null(list);
	assert_int_equal(json_get(list, "items")->count, 2);
	assert_true(slice_is(json_str(json_path(list, "metadata", "resourceVersion", NULL)), "7"));
	assert_true(slice_is(json_str(json_path(json_at(json_get(list, "items"), 1), "metadata", "name", NULL)), "b"));
	strbuf_release(&out);
}

static void watch_frames_carry_their_length(void **state)
{
	struct strbuf out = STRBUF_INIT;
	assert_int_equal(transcode_watch_frame(&out, "ADDED",
	                         SLICE("{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"}}"), &err),
	        0);
	const unsigned char *b = (const unsigned char *)out.data;
	assert_int_equal(((size_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3]) + 4, out.len);
	const struct schema_type *type = schema_type_find(SLICE("io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent"));
	struct json *event = transcode_message_decode(&arena, (struct slice){out.data + 4, out.len - 4}, type, &err);
	assert_true(slice_is(json_get_str(event, "type"), "ADDED"));
	assert_true(slice_is(json_str(json_path(event, "object", "metadata", "name", NULL)), "a"));
	strbuf_release(&out);
}

static void what_has_no_protobuf_form_is_refused(void **state)
{
	struct strbuf out = STRBUF_INIT;
	strbuf_adds(&out, "x");
	assert_int_equal(
	        transcode_to_protobuf(&out, SLICE("{\"kind\":\"Foo\",\"apiVersion\":\"example.com/v1\"}"), &err),
	        ERR_NOT_ACCEPTABLE);
	assert_int_equal(
	        transcode_to_protobuf(&out, SLICE("{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\"}"), &err),
	        ERR_NOT_ACCEPTABLE);
	assert_int_equal(
	        transcode_to_protobuf(&out, SLICE("{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"spec\":1}"), &err),
	        ERR_INVAL);
	assert_string_equal(strbuf_cstr(&out), "x");
	strbuf_release(&out);
}

static void broken_bodies_are_refused(void **state)
{
	assert_null(transcode_from_protobuf(&arena, SLICE("{}"), NULL, NULL, &err));
	assert_null(transcode_from_protobuf(&arena, SLICE("k8s\0\x0a\xff"), NULL, NULL, &err));
	assert_null(transcode_from_protobuf(&arena, SLICE("k8s\0"), NULL, NULL, &err));
	assert_int_equal(err.code, ERR_INVAL);
	/* a core List in a List in a List ...: bounded */
	struct strbuf body = STRBUF_INIT;
	for (int i = 0; i < 200; i++) {
		struct strbuf outer = STRBUF_INIT;
		strbuf_add(&outer, "k8s\0\x0a\x0a\x0a\x02v1\x12\x04List", 16);
		/* raw = List {items = 2: RawExtension {raw = 1}}; built from inside out with 5-byte lengths */
		size_t n = body.len;
		unsigned char head[18] = {0x12};
		size_t lens[3] = {n + 12, n + 6, n};
		for (int k = 0; k < 3; k++) {
			static const unsigned char tags[3] = {0x12, 0x12, 0x0a};
			head[k * 6] = tags[k];
			for (int j = 0; j < 5; j++)
				head[k * 6 + 1 + j] = (unsigned char)((lens[k] >> (7 * j) & 0x7f) | (j < 4 ? 0x80 : 0));
		}
		strbuf_add(&outer, head, sizeof(head));
		strbuf_add(&outer, body.data ? body.data : "", n);
		strbuf_release(&body);
		body = outer;
	}
	assert_null(transcode_from_protobuf(&arena, strbuf_slice(&body), NULL, NULL, &err));
	assert_non_null(strstr(err.msg, "too deep"));
	strbuf_release(&body);
}

static void repeated_map_keys_keep_the_last_value(void **state)
{
	const struct schema_type *type = schema_type_find(SLICE("io.k8s.api.core.v1.ConfigMap"));
	struct json *v = transcode_message_decode(&arena,
	        SLICE("\x12\x06\x0a\x01k\x12\x01"
	              "a"
	              "\x12\x06\x0a\x01k\x12\x01"
	              "b"),
	        type, &err);
	assert_non_null(v);
	assert_int_equal(json_get(v, "data")->count, 1);
	assert_true(slice_is(json_str(json_path(v, "data", "k", NULL)), "b"));
}

/* A Pod whose metadata.creationTimestamp is the message `time`, in its envelope. */
static struct slice pod_made_at(struct arena *a, struct slice time)
{
	struct strbuf meta = STRBUF_INIT, out = STRBUF_INIT;
	strbuf_addc(&meta, 8 << 3 | 2);
	strbuf_addc(&meta, (char)time.len);
	strbuf_add_slice(&meta, time);
	strbuf_add(&out, "k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod", 15);
	strbuf_addf(&out, "\x12%c\x0a%c", (int)meta.len + 2, (int)meta.len);
	strbuf_add_slice(&out, strbuf_slice(&meta));
	struct slice copy = {arena_memdup(a, out.data, out.len), out.len};
	strbuf_release(&meta);
	strbuf_release(&out);
	return copy;
}

/* What is decoded encodes to what decodes to the same: 1970, with nanoseconds that a text does not have, the zero time.
 */
static void times_survive_a_round_trip(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *text; /* NULL: null */
	} times[] = {
	        {"", 0, NULL},
	        {"\x08\x00", 2, "1970-01-01T00:00:00Z"},
	        {"\x08\x00\x10\x00", 4, "1970-01-01T00:00:00Z"},
	        {"\x08\x00\x10\x07", 4, "1970-01-01T00:00:00Z"},
	        {"\x08\x01", 2, "1970-01-01T00:00:01Z"},
	};
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		struct arena a = ARENA_INIT;
		struct strbuf text = STRBUF_INIT, again = STRBUF_INIT;
		struct json *first = transcode_from_protobuf(
		        &a, pod_made_at(&a, (struct slice){times[i].bytes, times[i].len}), NULL, NULL, &err);
		if (!first)
			fail_msg("%zu: %s", i, err.msg);
		struct slice made = json_str(json_path(first, "metadata", "creationTimestamp", NULL));
		assert_true(times[i].text ? slice_is(made, times[i].text) : !made.ptr);
		json_write(&text, first);
		assert_int_equal(transcode_to_protobuf(&again, strbuf_slice(&text), &err), 0);
		assert_true(json_equal(first, transcode_from_protobuf(&a, strbuf_slice(&again), NULL, NULL, &err)));
		strbuf_release(&text);
		strbuf_release(&again);
		arena_release(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(random_instances_of_every_type_survive_the_round_trip),
	        cmocka_unit_test(upstream_samples_read_the_same_in_both_forms),
	        cmocka_unit_test(lists_are_written_item_by_item),
	        cmocka_unit_test(watch_frames_carry_their_length),
	        cmocka_unit_test(what_has_no_protobuf_form_is_refused),
	        cmocka_unit_test(broken_bodies_are_refused),
	        cmocka_unit_test(times_survive_a_round_trip),
	        cmocka_unit_test(repeated_map_keys_keep_the_last_value),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&arena);
	return rc;
}
