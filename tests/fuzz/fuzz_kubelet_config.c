/* KubeletConfiguration: what is taken holds fields of the table alone, and its thresholds are read or refused. */
#include "base/check.h"
#include "node/config/config_table_int.h"
#include "node/config/kubelet_config.h"
#include "node/config/thresholds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct json *tree = json_new(&a, JSON_OBJECT);
	struct eviction_thresholds t;
	if (kubelet_config_merge(&a, tree, "fuzz", (struct slice){(const char *)data, size}, &err) == 0) {
		JSON_FOREACH (it, tree)
			CHECK(config_field_named(it->key));
		if (eviction_thresholds_read(tree, &t, &err) == 0)
			CHECK(t.count <= EVICTION_THRESHOLDS_MAX);
		else
			CHECK(err.msg[0]);
	} else {
		CHECK(err.msg[0]);
	}
	arena_release(&a);
	return 0;
}
