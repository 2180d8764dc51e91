/* See k3s_values.h.
 *
 *     value -> unsealed (of whatever provider its prefix names) -> protobuf turned into JSON -> in the version that is
 * stored
 *
 * kube-apiserver and k3x read any version and any encoding of a kind they serve, so the way is the same in and out.
 * What can go wrong: a value that no key of the configuration opens, one that does not read: both end the moving, with
 * the key's name; a kind that is not served is left out and counted. */
#include "tools/moving/k3s_values.h"

#include "api/machinery/codec/transcode.h"
#include "tools/moving/k3s_rules.h"

#include <string.h>
#include <unistd.h>

static const char not_served[] = "not served by k3x";

int k3s_values_open(struct k3s_values *v, const char *config, const char *own, struct k3s_table *table, struct err *err)
{
	v->table = table;
	if (!config && access(own, F_OK) == 0)
		config = own;
	return config ? sealer_new(config, false, &v->sealer, err) : 0;
}

void k3s_values_release(struct k3s_values *v)
{
	sealer_free(v->sealer);
	strbuf_release(&v->opened);
	strbuf_release(&v->text);
}

/* ---- whose it is ---- */

struct finding {
	struct slice key;
	const struct resource *row;
	size_t len;
};

static bool look_at_row(void *arg, const struct resource *r)
{
	struct finding *f = arg;
	if (r->storage_prefix && r->storage == r && slice_starts(f->key, r->storage_prefix) &&
	        strlen(r->storage_prefix) > f->len) {
		f->row = r;
		f->len = strlen(r->storage_prefix);
	}
	return true;
}

/* NULL: of a custom resource, or of nothing that is known. */
static const struct resource *row_of(struct slice key)
{
	struct finding f = {.key = key};
	resources_each(look_at_row, &f);
	return f.row;
}

/* ---- one value ---- */

static int unseal(struct k3s_values *v, const struct resource *row, struct slice key, struct slice *value,
        bool *ret_was_sealed, struct err *err)
{
	uint32_t seal;
	*ret_was_sealed = slice_starts(*value, "k8s:enc:");
	if (!*ret_was_sealed)
		return 0;
	if (!v->sealer)
		return err_set(err, ERR_INVAL,
		        "%.*s is encrypted, and there is no configuration that says how: name it with "
		        "--encryption-config",
		        SLICE_FMT(key));
	return sealer_open(v->sealer, row, key, *value, &v->opened, value, &seal, err);
}

/* NULL and err->code 0: a kind that is not served. */
static struct json *read_object(struct arena *a, struct slice key, struct slice value, struct err *err)
{
	struct json *object;
	if (!transcode_is_protobuf(value)) {
		object = json_parse(a, value, NULL, err);
	} else {
		object = transcode_from_protobuf(a, value, NULL, NULL, err);
		if (!object && strstr(err->msg, "is registered for version")) {
			*err = ERR_INIT;
			return NULL;
		}
	}
	if (!object)
		err_wrap(err, "%.*s", SLICE_FMT(key));
	return object;
}

/* In the form of the row that stores it: 1 it was changed, 0 it was so, negative it can't be. */
static int bring_to_form(struct arena *a, struct json *object, const struct resource *row)
{
	struct err err = ERR_INIT;
	struct slice version = json_get_str(object, "apiVersion");
	if (!row || slice_is(version, row->api_version))
		return 0;
	const struct resource *from = resource_find_kind(version, json_get_str(object, "kind"));
	if (!from || from->storage != row)
		return ERR_UNIMPLEMENTED;
	return resource_convert(a, object, from, row, &err) == 0 ? 1 : ERR_UNIMPLEMENTED;
}

/* What is read with an object, and never stored. */
static void drop_read_fields(struct json *object)
{
	struct json *meta = json_get(object, "metadata");
	if (meta) {
		json_del(meta, "resourceVersion");
		json_del(meta, "selfLink");
	}
}

static int move(struct k3s_values *v, struct arena *a, const struct store_kv *kv, struct slice *ret, struct err *err)
{
	const struct resource *row = row_of(kv->key);
	struct slice value = kv->value;
	bool was_sealed = false;
	if (unseal(v, row, kv->key, &value, &was_sealed, err) != 0)
		return err->code;
	struct json *object = read_object(a, kv->key, value, err);
	if (err->code)
		return err->code;
	const char *why = NULL;
	int form = 0;
	if (!object || (transcode_is_protobuf(value) && !row))
		why = not_served;
	else if (k3s_is_packaged(object))
		why = "of the add-ons, which each has its own of";
	else if ((form = bring_to_form(a, object, row)) < 0)
		why = not_served;
	if (!why) {
		drop_read_fields(object);
		strbuf_reset(&v->text);
		json_write(&v->text, object);
		*ret = strbuf_slice(&v->text);
	}
	if (why)
		k3s_table_count(v->table, kv->key, K3S_LEFT, why);
	else if (was_sealed)
		k3s_table_count(v->table, kv->key, K3S_CHANGED, "they were encrypted, and are plain then");
	else if (form > 0)
		k3s_table_count(v->table, kv->key, K3S_CHANGED, "of another version");
	else
		k3s_table_count(v->table, kv->key, K3S_TAKEN, NULL);
	return 0;
}

int k3s_values_move(struct k3s_values *v, const struct store_kv *kv, struct slice *ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	const char *why = k3s_why_left(kv->key);
	*ret = SLICE_NULL;
	if (why)
		k3s_table_count(v->table, kv->key, K3S_LEFT, why);
	int rc = why ? 0 : move(v, &a, kv, ret, err);
	arena_release(&a);
	return rc;
}
