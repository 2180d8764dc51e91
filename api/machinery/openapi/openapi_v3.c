/* OpenAPI v3 documents: one per group version, and their index.
 *
 * The hash in the index must change when a document does, without building it: it is taken over the program's version,
 * the path, and, for groups of CRDs, the schemas they were given. */
#include "api/machinery/openapi/openapi_v3.h"
#include "api/machinery/openapi/openapi_int.h"

#include "base/hash.h"
#include "base/json/json.h"

#include <stdio.h>

#define NOT_SERVED "the server could not find the requested resource"

static void row_path(struct strbuf *out, const struct resource *r)
{
	strbuf_addf(out, "%s/%s", *r->group ? "apis" : "api", r->api_version);
}

/* FNV-1a, twice with different starts: no secret, only a name for a state. */
static void hash_bytes(uint64_t h[2], struct slice bytes)
{
	for (int i = 0; i < 2; i++) {
		h[i] = fnv1a64_add(h[i], bytes.ptr ? bytes.ptr : "", bytes.len);
		h[i] = fnv1a64_add(h[i], "\xff", 1);
	}
}

static void hash_add(uint64_t h[2], const char *text)
{
	hash_bytes(h, slice_of(text));
}

static void hash_rows(const struct resource_rows *rows, size_t from, size_t to, char out[65])
{
	uint64_t h[2] = {FNV1A64_INIT, 0x9e3779b97f4a7c15ull};
	char tables[SCHEMA_FINGERPRINT_MAX];
	schema_fingerprint(tables);
	hash_add(h, K3X_VERSION);
	hash_add(h, K3X_KUBE_VERSION);
	hash_add(h, tables);
	for (size_t i = from; i < to; i++) {
		hash_add(h, rows->rows[i]->api_version);
		hash_add(h, rows->rows[i]->plural);
		hash_bytes(h, rows->rows[i]->openapi_packed);
	}
	snprintf(out, 65, "%016llX%016llX", (unsigned long long)h[0], (unsigned long long)h[1]);
}

/* What others serve has no hash that is known here: it is asked for each time. */
static void put_extras(struct strbuf *out, struct discovery_extras extras)
{
	for (size_t i = 0; i < extras.count; i++) {
		const struct discovery_extra *x = &extras.items[i];
		if (x->resources.len)
			strbuf_addf(out, ",\"apis/%.*s/%.*s\":{\"serverRelativeURL\":\"/openapi/v3/apis/%.*s/%.*s\"}",
			        SLICE_FMT(x->group), SLICE_FMT(x->version), SLICE_FMT(x->group), SLICE_FMT(x->version));
	}
}

void openapi_v3_index(struct strbuf *out, struct discovery_extras extras)
{
	struct resource_rows rows;
	resource_rows_init(&rows);
	strbuf_adds(out, "{\"paths\":{");
	for (size_t i = 0; i < rows.count;) {
		size_t end = resource_rows_span(&rows, i, true);
		char hash[65];
		hash_rows(&rows, i, end, hash);
		strbuf_adds(out, i ? ",\"" : "\"");
		row_path(out, rows.rows[i]);
		strbuf_adds(out, "\":{\"serverRelativeURL\":\"/openapi/v3/");
		row_path(out, rows.rows[i]);
		strbuf_addf(out, "?hash=%s\"}", hash);
		i = end;
	}
	put_extras(out, extras);
	strbuf_adds(out, "}}\n");
	resource_rows_release(&rows);
}

/* "api/v1", "apis/apps/v1": the rows [from, to). False when not served. */
static bool find_rows(const struct resource_rows *rows, struct slice path, size_t *from, size_t *to)
{
	struct slice rest = path;
	struct slice first = slice_cut(&rest, '/');
	struct slice group = slice_is(first, "apis") ? slice_cut(&rest, '/') : SLICE("");
	if (!rest.len || (!slice_is(first, "api") && !(slice_is(first, "apis") && group.len)))
		return false;
	*from = resource_rows_find(rows, group, rest);
	if (*from == rows->count)
		return false;
	*to = resource_rows_span(rows, *from, true);
	return true;
}

int openapi_v3_hash(struct slice path, char out[65], struct err *err)
{
	struct resource_rows rows;
	size_t from, to;
	resource_rows_init(&rows);
	bool found = find_rows(&rows, path, &from, &to);
	if (found)
		hash_rows(&rows, from, to, out);
	resource_rows_release(&rows);
	return found ? 0 : err_set(err, ERR_NOT_FOUND, NOT_SERVED);
}

struct member_out {
	struct strbuf *out;
	const char *comma;
};

static void put_member(void *arg, struct slice name, struct slice value)
{
	struct member_out *m = arg;
	strbuf_adds(m->out, m->comma);
	json_write_str(m->out, name);
	strbuf_addc(m->out, ':');
	strbuf_add_slice(m->out, value);
	m->comma = ",";
}

int openapi_v3_document(struct strbuf *out, struct slice path, struct err *err)
{
	struct openapi o;
	size_t from, to;
	openapi_open(&o, out, true);
	bool found = find_rows(&o.rows, path, &from, &to);
	if (found) {
		for (size_t i = from; i < to; i++)
			openapi_want_row(&o, o.rows.rows[i]);
		strbuf_adds(out,
		        "{\"openapi\":\"3.0.0\",\"info\":{\"title\":\"Kubernetes\",\"version\":\"" K3X_KUBE_VERSION
		        "\"},\"paths\":{");
		openapi_each_path(&o, from, to, put_member, &(struct member_out){out, ""});
		strbuf_adds(out, "},\"components\":{\"schemas\":{");
		openapi_each_definition(&o, from, to, put_member, &(struct member_out){out, ""});
		strbuf_adds(out, "}}}\n");
	}
	openapi_close(&o);
	return found ? 0 : err_set(err, ERR_NOT_FOUND, NOT_SERVED);
}
