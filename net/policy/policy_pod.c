/* See policy_pod_int.h. The packed form is JSON of short names: {"n":node,"c":created,"l":labels,"a":[addresses],
 * "p":[{"n":name,"t":protocol,"p":number}]}. A pod of the node's network has no address here, for its packets are the
 * node's; nor has one that has ended, whose address may be another's by now. */
#include "net/policy/policy_pod_int.h"

#include "base/json/scan.h"

/* ---- packing ---- */

static bool has_ended(const struct json *status)
{
	struct slice phase = json_get_str(status, "phase");
	return slice_is(phase, "Succeeded") || slice_is(phase, "Failed");
}

static void pack_addresses(struct arena *a, struct json *to, const struct json *pod)
{
	const struct json *status = json_get(pod, "status"), *list = json_get(status, "podIPs");
	if (json_get_bool(json_get(pod, "spec"), "hostNetwork", false) || has_ended(status))
		return;
	struct json *addresses = json_set(a, to, "a", json_new(a, JSON_ARRAY));
	struct slice only = json_get_str(status, "podIP");
	JSON_FOREACH (it, list)
		json_append(addresses, json_new_str(a, json_get_str(it, "ip")));
	if (!addresses->first && only.len)
		json_append(addresses, json_new_str(a, only));
}

static void pack_ports(struct arena *a, struct json *to, const struct json *containers)
{
	JSON_FOREACH (c, containers)
		JSON_FOREACH (port, json_get(c, "ports")) {
			struct slice name = json_get_str(port, "name"), protocol = json_get_str(port, "protocol");
			if (!name.len)
				continue;
			struct json *p = json_new(a, JSON_OBJECT);
			json_set_str(a, p, "n", name);
			json_set_str(a, p, "t", protocol.len ? protocol : SLICE("TCP"));
			json_set_int(a, p, "p", json_get_int(port, "containerPort", 0));
			json_append(json_need(a, to, "p", JSON_ARRAY), p);
		}
}

struct rcbuf *policy_pod_pack(struct slice object)
{
	struct arena a = ARENA_INIT;
	struct strbuf out = STRBUF_INIT;
	const struct json *pod = json_parse(&a, object, NULL, NULL);
	const struct json *meta = json_get(pod, "metadata"), *spec = json_get(pod, "spec");
	struct json *to = json_new(&a, JSON_OBJECT), *labels = json_get(meta, "labels");
	json_set_str(&a, to, "n", json_get_str(spec, "nodeName"));
	json_set_str(&a, to, "c", json_get_str(meta, "creationTimestamp"));
	if (json_is(labels, JSON_OBJECT))
		json_set(&a, to, "l", json_copy(&a, labels));
	pack_addresses(&a, to, pod);
	pack_ports(&a, to, json_get(spec, "containers"));
	JSON_FOREACH (c, json_get(spec, "initContainers")) /* those that go on running serve ports, too */
		if (slice_is(json_get_str(c, "restartPolicy"), "Always")) {
			struct json *one = json_new(&a, JSON_ARRAY);
			json_append(one, json_copy(&a, c));
			pack_ports(&a, to, one);
		}
	json_write(&out, to);
	struct rcbuf *packed = rcbuf_copy(out.data, out.len);
	strbuf_release(&out);
	arena_release(&a);
	return packed;
}

/* ---- reading ---- */

static void read_ports(struct arena *a, const struct json *list, struct policy_pod *ret)
{
	ret->ports = ARENA_ARRAY(a, struct policy_pod_port, (list ? list->count : 0) + 1);
	JSON_FOREACH (it, list) {
		struct policy_pod_port *p = &ret->ports[ret->ports_count];
		int64_t number = json_get_int(it, "p", 0);
		p->name = json_get_str(it, "n");
		p->number = (unsigned)number;
		ret->ports_count +=
		        policy_protocol_parse(json_get_str(it, "t"), &p->protocol) && number > 0 && number < 65536;
	}
}

void policy_pod_read(struct arena *a, const struct rcbuf *packed, struct policy_pod *ret)
{
	struct slice text = {packed->data, packed->len};
	const struct json *v = json_parse(a, text, NULL, NULL), *addresses = json_get(v, "a");
	*ret = (struct policy_pod){
	        .node = json_get_str(v, "n"), .created = json_get_str(v, "c"), .labels = json_find(text, "l", NULL)};
	ret->addresses = ARENA_ARRAY(a, struct policy_network, (addresses ? addresses->count : 0) + 1);
	JSON_FOREACH (it, addresses) {
		struct policy_network *n = &ret->addresses[ret->addresses_count];
		ret->addresses_count += policy_network_parse(json_str(it), n) && n->prefix == (n->is_v6 ? 128u : 32u);
	}
	read_ports(a, json_get(v, "p"), ret);
}
