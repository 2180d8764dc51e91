/* See storage_limits_int.h. Three limits: sizeLimit of an emptyDir, the ephemeral storage of the pod (its containers'
 * limits together, when every one has one, against all that it holds), and that of each container (its layer and its
 * logs). Upstream: pkg/kubelet/eviction (localStorageEviction). What lies in memory has a size of its own and cannot
 * exceed it. */
#include "node/pods/storage_limits_int.h"

#include "api/machinery/codec/resource_list.h"
#include "base/check.h"

#define EPHEMERAL SLICE("ephemeral-storage")

bool storage_is_local(const struct json *volume)
{
	const struct json *dir = json_get(volume, "emptyDir");
	return dir && !json_get_str(dir, "medium").len;
}

static const struct json *size_limit(const struct json *volume)
{
	return storage_is_local(volume) ? json_path(volume, "emptyDir", "sizeLimit", NULL) : NULL;
}

static const struct json *limit_of(const struct json *container)
{
	return json_get_slice(json_path(container, "resources", "limits", NULL), EPHEMERAL);
}

static const char *const lists[] = {"containers", "initContainers"};

bool storage_has_limits(const struct json *spec)
{
	JSON_FOREACH (v, json_get(spec, "volumes"))
		if (size_limit(v))
			return true;
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (c, json_get(spec, lists[i]))
			if (limit_of(c))
				return true;
	return false;
}

static const struct json *named(const struct json *list, const char *name)
{
	JSON_FOREACH (it, list)
		if (slice_is(json_get_str(it, "name"), name))
			return it;
	return NULL;
}

/* Upstream ends every one of these with a space. */
static const char *volume_excess(struct arena *a, const struct json *spec, const struct storage_use *u)
{
	const struct json *limit = size_limit(named(json_get(spec, "volumes"), u->name));
	if (!limit || quantity_json_value(limit) <= 0 || u->bytes <= quantity_json_value(limit))
		return NULL;
	return arena_printf(
	        a, "Usage of EmptyDir volume \"%s\" exceeds the limit \"%.*s\". ", u->name, SLICE_FMT(json_str(limit)));
}

static const char *container_excess(struct arena *a, const struct json *spec, const struct storage_use *u)
{
	const struct json *limit = limit_of(named(json_get(spec, "containers"), u->name));
	if (!limit)
		limit = limit_of(named(json_get(spec, "initContainers"), u->name));
	if (!limit || u->bytes <= quantity_json_value(limit))
		return NULL;
	return arena_printf(a, "Container %s exceeded its local ephemeral storage limit \"%.*s\". ", u->name,
	        SLICE_FMT(json_str(limit)));
}

static bool every_main_has_one(const struct json *spec)
{
	JSON_FOREACH (c, json_get(spec, "containers"))
		if (!limit_of(c))
			return false;
	return true;
}

static const char *pod_excess(
        struct arena *a, const struct json *spec, const struct storage_use *uses, size_t uses_count)
{
	struct resource_list limits = resource_list_of_pod(a, spec, "limits");
	const struct quantity *limit = resource_list_get(&limits, EPHEMERAL);
	char text[QUANTITY_TEXT_MAX];
	int64_t sum = 0;
	for (size_t i = 0; i < uses_count; i++)
		sum += uses[i].bytes;
	if (!limit || !every_main_has_one(spec) || sum <= quantity_value(limit))
		return NULL;
	quantity_format(limit, text);
	return arena_printf(a, "Pod ephemeral local storage usage exceeds the total limit of containers %s. ", text);
}

const char *storage_excess(struct arena *a, const struct json *spec, const struct storage_use *uses, size_t uses_count)
{
	const char *why = NULL;
	CHECK(spec);
	for (size_t i = 0; i < uses_count && !why; i++)
		why = uses[i].is_volume ? volume_excess(a, spec, &uses[i]) : NULL;
	if (!why)
		why = pod_excess(a, spec, uses, uses_count);
	for (size_t i = 0; i < uses_count && !why; i++)
		why = uses[i].is_volume ? NULL : container_excess(a, spec, &uses[i]);
	return why;
}
