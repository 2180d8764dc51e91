/* A class's pathPattern, and a path of the config: what comes out lies beneath its base, whatever goes in. The input is
 * a pattern, a line break, and what a claim's label says. */
#include "base/check.h"
#include "tools/provisioner/local_path.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The last word on it: no name of the path is empty or a way up. */
static void check_beneath(const char *path)
{
	struct slice rest = slice_of(path);
	CHECK(rest.len && path[0] != '/' && path[rest.len - 1] != '/');
	while (rest.len) {
		struct slice name = slice_cut(&rest, '/');
		CHECK(name.len && !slice_is(name, ".") && !slice_is(name, ".."));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = {(const char *)data, size}, pattern = slice_cut(&rest, '\n');
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct json *claim = json_new(&a, JSON_OBJECT), *meta = json_need(&a, claim, "metadata", JSON_OBJECT);
	struct json *config = json_new(&a, JSON_OBJECT), *entry = json_new(&a, JSON_OBJECT);
	const char *folder, *base;
	json_set_cstr(&a, meta, "name", "claim");
	json_set_cstr(&a, meta, "namespace", "ns");
	json_set_str(&a, json_need(&a, meta, "labels", JSON_OBJECT), "l", rest);
	if (local_path_folder(&a, pattern, "pvc-1", claim, &folder, &err) == 0)
		check_beneath(folder);
	json_append(json_need(&a, config, "nodePathMap", JSON_ARRAY), entry);
	json_set_cstr(&a, entry, "node", "n");
	json_append(json_need(&a, entry, "paths", JSON_ARRAY), json_new_str(&a, pattern));
	err = ERR_INIT;
	if (local_path_base(&a, config, SLICE("n"), SLICE_NULL, rest, &base, &err) == 0) {
		CHECK(base[0] == '/');
		check_beneath(base + 1);
	}
	arena_release(&a);
	return 0;
}
