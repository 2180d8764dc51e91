/* What the server owns in an object, whatever the client sent: identity, times and names are given here, the rest is in
 * api/machinery/rules/prepare.c and in the rows of the kinds. See strategy.h. */
#include "api/server/strategy.h"

#include "api/machinery/fields/pack.h"
#include "api/machinery/rules/prepare.h"
#include "api/server/cache/object.h"
#include "api/server/call.h"
#include "base/check.h"
#include "base/pki/pki.h"
#include "base/time/rfc3339.h"

#include <time.h>

const char *strategy_time(struct arena *a, int64_t plus_s)
{
	char text[RFC3339_MAX];
	return arena_strdup(a, rfc3339_seconds(text, (int64_t)time(NULL) + plus_s));
}

const char *strategy_uid(struct arena *a)
{
	unsigned char b[16];
	char digits[2 * sizeof b + 1], *out = arena_alloc(a, sizeof digits + 4), *to = out;
	pki_random_name(b, sizeof b);
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* RFC 9562 section 5.4 */
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	hex_write(b, sizeof b, digits);
	for (size_t i = 0; i < sizeof digits; i++) { /* 8-4-4-4-12 */
		if (i == 8 || i == 12 || i == 16 || i == 20)
			*to++ = '-';
		*to++ = digits[i];
	}
	return out;
}

const char *strategy_random_suffix(struct arena *a)
{
	static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789"; /* no vowels: no words by chance */
	unsigned char r[5];
	char text[6] = {0};
	pki_random_name(r, sizeof r);
	for (size_t i = 0; i < sizeof r; i++)
		text[i] = alphabet[r[i] % (sizeof alphabet - 1)];
	return arena_strdup(a, text);
}

/* ---- creation ---- */

static void generate_name(struct arena *a, struct json *meta)
{
	struct slice base = json_get_str(meta, "generateName");
	if (json_get_str(meta, "name").len || !base.len)
		return;
	if (base.len > 58)
		base.len = 58;
	json_set_cstr(a, meta, "name", arena_printf(a, "%.*s%s", SLICE_FMT(base), strategy_random_suffix(a)));
}

static const char *const server_owned[] = {
        "resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"};

void strategy_prepare_create(struct call *c, const struct resource *r, struct json *object)
{
	struct arena *a = &c->arena;
	struct json *meta = json_need(a, object, "metadata", JSON_OBJECT);
	for (size_t i = 0; i < COUNT_OF(server_owned); i++)
		json_del(meta, server_owned[i]);
	generate_name(a, meta);
	if (r->namespaced)
		json_set_str(a, meta, "namespace", c->route.ns);
	json_set_cstr(a, meta, "uid", strategy_uid(a));
	json_set_cstr(a, meta, "creationTimestamp", strategy_time(a, 0));
	prepare_create(a, r, object);
}

/* ---- update ---- */

void strategy_prepare_update(
        struct call *c, const struct resource *r, const char *sub, struct json *object, const struct json *old)
{
	prepare_update(&c->arena, r, sub, object, old);
}

/* ---- writing ---- */

static void move_to_front(struct json *object, const char *name)
{
	struct json *v = json_get(object, name);
	if (!v || object->first == v)
		return;
	json_remove(object, v);
	json_insert(object, 0, v);
}

size_t strategy_write(struct strbuf *out, struct json *object)
{
	size_t metadata_end = 0;
	json_del(json_get(object, "metadata"), "resourceVersion");
	move_to_front(object, "metadata");
	move_to_front(object, "apiVersion");
	move_to_front(object, "kind");
	strbuf_addc(out, '{');
	JSON_FOREACH (it, object) {
		if (it != object->first)
			strbuf_addc(out, ',');
		json_write_str(out, it->key);
		strbuf_addc(out, ':');
		json_write(out, it);
		if (slice_is(it->key, "metadata"))
			metadata_end = out->len - 1;
	}
	strbuf_addc(out, '}');
	return metadata_end;
}

void strategy_write_changed(struct strbuf *out, struct json *object, const struct object *before)
{
	struct slice packed = object_packed(before);
	struct strbuf bare = STRBUF_INIT, managed = STRBUF_INIT;
	size_t metadata_end = strategy_write(packed.len ? &bare : out, object);
	if (packed.len) {
		size_t len = fields_packed_text_len(packed);
		strbuf_reserve(&managed, len);
		fields_unpack(packed, managed.data);
		object_lay_in(out, strbuf_slice(&bare), metadata_end, (struct slice){managed.data, len});
	}
	strbuf_release(&bare);
	strbuf_release(&managed);
}
