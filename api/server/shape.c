/* The forms an object can be asked for in: as another version of its kind, as table row, as metadata only, as YAML or
 * protobuf. JSON in the stored version is not touched: those are the bytes of the cache. */
#include "api/server/shape.h"

#include "api/machinery/table/table.h"
#include "api/machinery/codec/transcode.h"
#include "base/json/scan.h"
#include "base/yaml.h"

#include <time.h>

const char *shape_content_type(enum call_format f)
{
	static const char *const types[] = {"application/json", "application/yaml", TRANSCODE_CONTENT_TYPE};
	return types[f];
}

/* The raw metadata object, "{}" when there is none. */
static struct slice metadata_of(struct slice object_text)
{
	struct slice m = json_find(object_text, "metadata", NULL);
	return m.ptr ? m : SLICE("{}");
}

void shape_partial(struct strbuf *out, struct slice object_text)
{
	strbuf_adds(out, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":");
	strbuf_add_slice(out, metadata_of(object_text));
	strbuf_addc(out, '}');
}

void shape_table_head(struct strbuf *out, const struct resource *r, struct slice list_metadata, bool with_columns)
{
	strbuf_adds(out, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":");
	strbuf_add_slice(out, list_metadata);
	strbuf_adds(out, ",\"columnDefinitions\":");
	if (with_columns)
		table_write_columns(out, r);
	else
		strbuf_adds(out, "null");
	strbuf_adds(out, ",\"rows\":[");
}

void shape_table_row(struct strbuf *out, const struct resource *r, struct slice object_text, struct slice include)
{
	strbuf_adds(out, "{\"cells\":");
	table_write_cells(out, r, object_text, (int64_t)time(NULL));
	if (slice_is(include, "Object")) {
		strbuf_adds(out, ",\"object\":");
		strbuf_add_slice(out, object_text);
	} else if (!slice_is(include, "None")) {
		strbuf_adds(out, ",\"object\":");
		shape_partial(out, object_text);
	}
	strbuf_addc(out, '}');
}

struct rcbuf *shape_convert(struct rcbuf *text, const struct resource *from, const struct resource *to, struct err *err)
{
	struct slice now = {text->data, text->len};
	if (from->conversion ? slice_is(json_find(now, "apiVersion", NULL), to->api_version) : from == to)
		return rcbuf_ref(text);
	struct arena a = ARENA_INIT;
	struct rcbuf *result = NULL;
	struct json *tree = json_parse(&a, now, NULL, err);
	if (tree && resource_convert(&a, tree, from, to, err) == 0) {
		struct strbuf out = STRBUF_INIT;
		json_write(&out, tree);
		result = rcbuf_copy(out.data, out.len);
		strbuf_release(&out);
	}
	arena_release(&a);
	return result;
}

static int encode_yaml(struct strbuf *text, struct strbuf *out, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct json *tree = json_parse(&a, strbuf_slice(text), NULL, err);
	if (tree)
		yaml_write(out, tree);
	arena_release(&a);
	return tree ? 0 : err->code;
}

int shape_encode(enum call_format f, struct strbuf *text, struct strbuf *out, struct err *err)
{
	if (f == FORMAT_YAML)
		return encode_yaml(text, out, err);
	if (f == FORMAT_PROTOBUF)
		return transcode_to_protobuf(out, strbuf_slice(text), err);
	*out = *text;
	strbuf_init(text);
	return 0;
}
