/* The OpenAPI v2 document, over all group versions.
 *
 * Definitions and path items come one by one as JSON. The JSON document strings them together; the protobuf one parses
 * each into a small arena and writes it in gnostic's form, so that at no time more than one of them is a tree. */
#include "api/machinery/openapi/openapi_v2.h"
#include "api/machinery/openapi/openapi_int.h"
#include "api/machinery/codec/wire.h"

#include "base/check.h"
#include "base/json/json.h"

struct member_out {
	struct strbuf *out;
	const char *comma;
	bool is_path;
};

static void open_all(struct openapi *o, struct strbuf *out)
{
	openapi_open(o, out, false);
	for (size_t i = 0; i < o->rows.count; i++)
		openapi_want_row(o, o->rows.rows[i]);
}

static void put_member(void *arg, struct slice name, struct slice value)
{
	struct member_out *m = arg;
	strbuf_adds(m->out, m->comma);
	json_write_str(m->out, name);
	strbuf_addc(m->out, ':');
	strbuf_add_slice(m->out, value);
	m->comma = ",";
}

void openapi_v2_json(struct strbuf *out)
{
	struct openapi o;
	open_all(&o, out);
	strbuf_adds(out, "{\"swagger\":\"2.0\",\"info\":{\"title\":\"Kubernetes\",\"version\":\"" K3X_KUBE_VERSION
	                 "\"},\"paths\":{");
	openapi_each_path(&o, 0, o.rows.count, put_member, &(struct member_out){out, "", true});
	strbuf_adds(out, "},\"definitions\":{");
	openapi_each_definition(&o, 0, o.rows.count, put_member, &(struct member_out){out, "", false});
	strbuf_adds(out, "}}\n");
	openapi_close(&o);
}

static void put_piece(void *arg, struct slice name, struct slice value)
{
	struct member_out *m = arg;
	struct arena a = ARENA_INIT;
	struct json *v = json_parse(&a, value, NULL, NULL);
	CHECK(v); /* written by us a moment ago */
	if (m->is_path)
		openapi_gnostic_path(m->out, 2, name, v);
	else
		openapi_gnostic_definition(m->out, 1, name, v);
	arena_release(&a);
}

void openapi_v2_protobuf(struct strbuf *out)
{
	struct openapi o;
	open_all(&o, out);
	wire_put_bytes(out, 1, SLICE("2.0"));
	size_t info = wire_begin(out, 2);
	wire_put_bytes(out, 1, SLICE("Kubernetes"));
	wire_put_bytes(out, 2, SLICE(K3X_KUBE_VERSION));
	wire_end(out, info);
	size_t paths = wire_begin(out, 8);
	openapi_each_path(&o, 0, o.rows.count, put_piece, &(struct member_out){out, "", true});
	wire_end(out, paths);
	size_t definitions = wire_begin(out, 9);
	openapi_each_definition(&o, 0, o.rows.count, put_piece, &(struct member_out){out, "", false});
	wire_end(out, definitions);
	openapi_close(&o);
}
