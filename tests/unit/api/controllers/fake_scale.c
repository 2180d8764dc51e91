/* The subresource scale of the API server in memory (fake_api.h), for kinds whose selector has labels alone. */
#include "tests/unit/api/controllers/fake_api.h"

#include "base/check.h"

struct rcbuf *fake_scale_of(struct arena *a, struct slice text)
{
	static const char *const seen[] = {"name", "namespace", "uid", "resourceVersion"};
	const struct json *object = json_parse(a, text, NULL, NULL), *meta = json_get(object, "metadata");
	struct json *scale = json_new(a, JSON_OBJECT), *to = json_need(a, scale, "metadata", JSON_OBJECT),
	            *status = json_need(a, scale, "status", JSON_OBJECT);
	struct strbuf out = STRBUF_INIT;
	for (size_t i = 0; i < COUNT_OF(seen); i++)
		json_set_str(a, to, seen[i], json_get_str(meta, seen[i]));
	json_set_int(a, json_need(a, scale, "spec", JSON_OBJECT), "replicas",
	        json_get_int(json_get(object, "spec"), "replicas", 1));
	json_set_int(a, status, "replicas", json_get_int(json_get(object, "status"), "replicas", 0));
	JSON_FOREACH (it, json_path(object, "spec", "selector", "matchLabels", NULL))
		strbuf_addf(&out, "%s%.*s=%.*s", out.len ? "," : "", SLICE_FMT(it->key), SLICE_FMT(it->text));
	json_set_str(a, status, "selector", strbuf_slice(&out));
	strbuf_reset(&out);
	json_write(&out, scale);
	struct rcbuf *json = rcbuf_copy(out.data, out.len);
	strbuf_release(&out);
	return json;
}
