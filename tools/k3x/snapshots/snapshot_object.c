/* See snapshot_object.h. The schema is written as text, for that is how people know it; it is parsed when a cluster
 * has none yet. */
#include "tools/k3x/snapshots/snapshot_object.h"

#include "api/client/meta.h"
#include "base/check.h"
#include "base/hash.h"

#include <ctype.h>
#include <inttypes.h>

enum { NAME_PART_MAX = 200 };

static const char definition[] =
        "{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\","
        "\"metadata\":{\"name\":\"etcdsnapshotfiles.k3s.cattle.io\"},"
        "\"spec\":{\"group\":\"k3s.cattle.io\",\"scope\":\"Cluster\","
        "\"names\":{\"kind\":\"ETCDSnapshotFile\",\"listKind\":\"ETCDSnapshotFileList\","
        "\"plural\":\"etcdsnapshotfiles\",\"singular\":\"etcdsnapshotfile\"},"
        "\"versions\":[{\"name\":\"v1\",\"served\":true,\"storage\":true,\"subresources\":{\"status\":{}},"
        "\"additionalPrinterColumns\":["
        "{\"name\":\"SnapshotName\",\"type\":\"string\",\"jsonPath\":\".spec.snapshotName\"},"
        "{\"name\":\"Node\",\"type\":\"string\",\"jsonPath\":\".spec.nodeName\"},"
        "{\"name\":\"Location\",\"type\":\"string\",\"jsonPath\":\".spec.location\"},"
        "{\"name\":\"Size\",\"type\":\"string\",\"jsonPath\":\".status.size\"},"
        "{\"name\":\"CreationTime\",\"type\":\"string\",\"jsonPath\":\".status.creationTime\"}],"
        "\"schema\":{\"openAPIV3Schema\":{\"type\":\"object\","
        "\"description\":\"A snapshot of the datastore: a file of a server, or an object of an S3 store.\","
        "\"properties\":{\"spec\":{\"type\":\"object\",\"required\":[\"snapshotName\",\"nodeName\",\"location\"],"
        "\"properties\":{\"snapshotName\":{\"type\":\"string\"},\"nodeName\":{\"type\":\"string\"},"
        "\"location\":{\"type\":\"string\",\"description\":\"file:// or s3:// URL of it\"},"
        "\"metadata\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}},"
        "\"s3\":{\"type\":\"object\",\"properties\":{\"endpoint\":{\"type\":\"string\"},"
        "\"endpointCA\":{\"type\":\"string\"},\"skipSSLVerify\":{\"type\":\"boolean\"},"
        "\"bucket\":{\"type\":\"string\"},\"region\":{\"type\":\"string\"},\"prefix\":{\"type\":\"string\"},"
        "\"insecure\":{\"type\":\"boolean\"}}}}},"
        "\"status\":{\"type\":\"object\",\"properties\":{"
        "\"size\":{\"x-kubernetes-int-or-string\":true,\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}],"
        "\"description\":\"bytes, a quantity\"},"
        "\"creationTime\":{\"type\":\"string\",\"format\":\"date-time\"},\"readyToUse\":{\"type\":\"boolean\"},"
        "\"error\":{\"type\":\"object\",\"properties\":{\"time\":{\"type\":\"string\",\"format\":\"date-time\"},"
        "\"message\":{\"type\":\"string\"}}}}}}}}}]}}";

struct json *snapshot_object_definition(struct arena *a)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(a, SLICE(definition), NULL, &err);
	CHECK(v);
	return v;
}

const char *snapshot_object_name(struct arena *a, const struct snapshot_entry *e)
{
	char part[NAME_PART_MAX + 1];
	size_t n = 0;
	for (const char *p = e->name; *p && n < NAME_PART_MAX; p++)
		part[n++] = isalnum((unsigned char)*p) ? (char)tolower((unsigned char)*p) : '-';
	part[n] = 0;
	uint64_t hash = fnv1a64(e->location, strlen(e->location));
	return arena_printf(
	        a, "%s-%s-%06" PRIx64, e->is_in_s3 ? SNAPSHOT_PLACE_S3 : "local", part, (hash ^ hash >> 24) & 0xffffff);
}

/* Settings that are not there are left out. */
static void set(struct arena *a, struct json *object, const char *key, const char *text)
{
	if (text && *text)
		json_set_cstr(a, object, key, text);
}

static void set_s3(struct arena *a, struct json *spec, const struct s3_settings *v)
{
	struct json *s3 = json_need(a, spec, "s3", JSON_OBJECT);
	set(a, s3, "endpoint", v->endpoint);
	set(a, s3, "endpointCA", v->endpoint_ca);
	set(a, s3, "bucket", v->bucket);
	set(a, s3, "region", v->region);
	set(a, s3, "prefix", v->folder);
	if (v->skip_ssl_verify)
		json_set_bool(a, s3, "skipSSLVerify", true);
	if (v->is_insecure)
		json_set_bool(a, s3, "insecure", true);
}

/* The objects of a server's files go with its Node. */
static void set_owner(struct arena *a, struct json *meta, const struct snapshot_place *p)
{
	struct json *owner = json_new(a, JSON_OBJECT);
	json_set_cstr(a, owner, "apiVersion", "v1");
	json_set_cstr(a, owner, "kind", "Node");
	json_set_cstr(a, owner, "name", p->node);
	json_set_str(a, owner, "uid", p->uid);
	json_append(json_need(a, meta, "ownerReferences", JSON_ARRAY), owner);
}

struct json *snapshot_object_new(struct arena *a, const struct snapshot_entry *e, const struct snapshot_place *p)
{
	struct json *o = json_new(a, JSON_OBJECT);
	const char *place = e->is_in_s3 ? SNAPSHOT_PLACE_S3 : p->node;
	json_set_cstr(a, o, "apiVersion", "k3s.cattle.io/v1");
	json_set_cstr(a, o, "kind", "ETCDSnapshotFile");
	struct json *meta = json_need(a, o, "metadata", JSON_OBJECT), *spec = json_need(a, o, "spec", JSON_OBJECT);
	json_set_cstr(a, meta, "name", snapshot_object_name(a, e));
	json_set_cstr(a, json_need(a, meta, "labels", JSON_OBJECT), SNAPSHOT_PLACE_LABEL, place);
	json_set_cstr(a, spec, "snapshotName", e->name);
	json_set_cstr(a, spec, "nodeName", place);
	json_set_cstr(a, spec, "location", e->location);
	if (e->is_in_s3)
		set_s3(a, spec, p->s3);
	else if (p->uid.len)
		set_owner(a, meta, p);
	return o;
}

struct json *snapshot_object_status(struct arena *a, const struct snapshot_entry *e)
{
	struct json *o = json_new(a, JSON_OBJECT), *status = json_need(a, o, "status", JSON_OBJECT);
	json_set_cstr(a, status, "size", arena_printf(a, "%" PRId64, e->size));
	json_set_cstr(a, status, "creationTime", kube_time_text(a, e->created_s));
	json_set_bool(a, status, "readyToUse", true);
	return o;
}

static bool is_same(const struct json *s3, const char *key, const char *setting)
{
	struct slice have = json_get_str(s3, key);
	return slice_eq(have.ptr ? have : SLICE(""), slice_of(setting ? setting : ""));
}

bool snapshot_object_is_ours(const struct json *object, const struct snapshot_place *p, bool knows_s3)
{
	const struct json *s3 = json_path(object, "spec", "s3", NULL);
	struct slice place = json_str(json_path(object, "metadata", "labels", SNAPSHOT_PLACE_LABEL, NULL));
	if (s3 || slice_is(place, SNAPSHOT_PLACE_S3))
		return knows_s3 && is_same(s3, "endpoint", p->s3->endpoint) && is_same(s3, "bucket", p->s3->bucket) &&
		       is_same(s3, "prefix", p->s3->folder);
	return slice_is(place, p->node);
}
