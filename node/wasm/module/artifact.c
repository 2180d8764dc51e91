/* Two forms are about: the one of the CNCF (config application/vnd.wasm.config.v0+json, layers application/wasm), and
 * the older one of wasm-to-oci (application/vnd.wasm.config.v1+json, application/vnd.wasm.content.layer.v1+wasm). Both
 * have the module as a layer as it is, packed in nothing. */
#include "node/wasm/module/artifact.h"

#include "base/json/json.h"

enum { HEX_BYTES = 64 };

static bool is_module(struct slice kind)
{
	return slice_is(kind, "application/wasm") || slice_is(kind, "application/vnd.wasm.content.layer.v1+wasm") ||
	       slice_is(kind, "application/vnd.module.wasm.content.layer.v1+wasm");
}

/* "sha256:HEX" */
static const char *hex_of(struct arena *a, struct slice digest)
{
	if (!slice_starts(digest, "sha256:") || digest.len != HEX_BYTES + 7)
		return NULL;
	for (size_t i = 7; i < digest.len; i++)
		if (!strchr("0123456789abcdef", digest.ptr[i]) || !digest.ptr[i])
			return NULL;
	return arena_memdup(a, digest.ptr + 7, HEX_BYTES);
}

static const char *name_of(struct arena *a, const struct json *layer)
{
	struct json *title = json_path(layer, "annotations", "org.opencontainers.image.title", NULL);
	const char *text = json_cstr(a, title);
	return !*text ? "/module.wasm" : *text == '/' ? text : arena_printf(a, "/%s", text);
}

int wasm_artifact_read(struct arena *a, struct slice manifest, struct wasm_artifact *ret, struct err *err)
{
	struct json *v = json_parse(a, manifest, NULL, err), *found = NULL;
	unsigned count = 0;
	if (!v)
		return err->code;
	JSON_FOREACH (it, json_get(v, "layers"))
		if (is_module(json_get_str(it, "mediaType")))
			found = it, count++;
	if (count != 1)
		return err_set(err, ERR_UNIMPLEMENTED,
		        "it is neither an ordinary image nor an artifact with one layer of type application/wasm (it "
		        "has %u)",
		        count);
	*ret = (struct wasm_artifact){.hex = hex_of(a, json_get_str(found, "digest")), .name = name_of(a, found)};
	return ret->hex ? 0 : err_set(err, ERR_INVAL, "the artifact's layer has no sha256 digest");
}
