/* See pod_fields.h. */
#include "node/ground/pod_fields.h"

#include "api/machinery/codec/quantity.h"
#include "node/ground/machine.h"
#include "node/ground/node_record.h"

#include <unistd.h>

static const char *map_text(struct arena *a, const struct json *map)
{
	struct strbuf b = STRBUF_INIT;
	JSON_FOREACH (it, map) {
		strbuf_addf(&b, "%s%.*s=", b.len ? "\n" : "", SLICE_FMT(it->key));
		json_write_str(&b, json_str(it));
	}
	const char *ret = arena_memdup(a, b.data ? b.data : "", b.len);
	strbuf_release(&b);
	return ret;
}

static const char *map_member(struct arena *a, const struct json *map, struct slice path, size_t prefix)
{
	struct slice key = {path.ptr + prefix, path.len - prefix};
	if (key.len < 2 || key.ptr[key.len - 1] != ']')
		return NULL;
	key.len--;
	if (key.len >= 2 && (key.ptr[0] == '\'' || key.ptr[0] == '"') && key.ptr[key.len - 1] == key.ptr[0]) {
		key.ptr++;
		key.len -= 2;
	}
	return json_cstr(a, json_get_slice(map, key));
}

static const char *join_ips(struct arena *a, const char *const ips[2], size_t n)
{
	return n == 2 ? arena_printf(a, "%s,%s", ips[0], ips[1]) : n ? ips[0] : "";
}

const char *pod_field(const struct pod *p, struct arena *a, struct slice path)
{
	struct json *labels = json_get(p->meta, "labels"), *annotations = json_get(p->meta, "annotations");
	if (slice_starts(path, "metadata.labels["))
		return map_member(a, labels, path, strlen("metadata.labels["));
	if (slice_starts(path, "metadata.annotations["))
		return map_member(a, annotations, path, strlen("metadata.annotations["));
	if (slice_is(path, "metadata.labels"))
		return map_text(a, labels);
	if (slice_is(path, "metadata.annotations"))
		return map_text(a, annotations);
	if (slice_is(path, "metadata.name"))
		return p->name;
	if (slice_is(path, "metadata.namespace"))
		return p->ns;
	if (slice_is(path, "metadata.uid"))
		return p->uid;
	if (slice_is(path, "spec.nodeName"))
		return p->n->o.node_name;
	if (slice_is(path, "spec.serviceAccountName"))
		return json_cstr(a, json_get(p->spec, "serviceAccountName"));
	const char *ips[2];
	if (slice_is(path, "status.podIP"))
		return pod_ip(p);
	if (slice_is(path, "status.podIPs"))
		return join_ips(a, ips, pod_ips(p, ips));
	if (slice_is(path, "status.hostIP"))
		return p->n->o.node_ip;
	if (slice_is(path, "status.hostIPs"))
		return join_ips(a, ips, pod_host_ips(p, ips));
	return NULL;
}

const char *pod_resource_field(
        const struct pod *p, struct arena *a, const struct json *container, const struct json *ref, struct err *err)
{
	struct slice resource = json_get_str(ref, "resource"), named = json_get_str(ref, "containerName");
	if (named.len)
		container = pod_container_spec(p, arena_memdup(a, named.ptr, named.len));
	struct json *divisor = json_get(ref, "divisor");
	struct slice rest = resource, kind = slice_cut(&rest, '.');
	struct json *v = json_get_slice(
	        json_path(container, "resources", arena_memdup(a, kind.ptr ? kind.ptr : "", kind.len), NULL), rest);
	bool is_cpu = slice_is(rest, "cpu");
	int64_t value = is_cpu ? quantity_json_milli(v) : quantity_json_value(v);
	if (!value && slice_is(kind, "limits")) /* no limit: what the node has */
		value = is_cpu                     ? sysconf(_SC_NPROCESSORS_ONLN) * 1000
		        : slice_is(rest, "memory") ? node_memory_bytes()
		                                   : 0;
	int64_t by = is_cpu ? quantity_json_milli(divisor) : quantity_json_value(divisor);
	if (!slice_is(kind, "limits") && !slice_is(kind, "requests")) {
		err_set(err, ERR_INVAL, "resource \"%.*s\" of a resourceFieldRef is not limits.NAME or requests.NAME",
		        SLICE_FMT(resource));
		return NULL;
	}
	if (by <= 0)
		by = is_cpu ? 1000 : 1;
	return arena_printf(a, "%lld", (long long)((value + by - 1) / by));
}
