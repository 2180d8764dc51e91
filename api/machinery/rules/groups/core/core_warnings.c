/* What is told of kinds of the core group that are accepted: services with addresses that one day will be none, volumes
 * and claims with what is old. Upstream: pkg/api/service, pkg/api/persistentvolume, pkg/api/persistentvolumeclaim. */
#include "api/machinery/rules/groups/core/core_int.h"
#include "api/machinery/rules/warnings.h"

#include "base/check.h"
#include "base/ip.h"

/* ---- services ---- */

/* Valid already, by the rules of old: what is no address to stricter ones has a zero before a number. */
static void warn_of_address(struct warnings *w, const char *field, struct slice text)
{
	char canonical[IP_TEXT_MAX];
	struct ip ip;
	if (text.len > 7 && slice_starts(text, "::ffff:")) /* IPv4 in IPv6's clothes, in its usual form */
		return;
	if (!ip_parse(text, &ip))
		warning_add(w,
		        "%s: IP address was accepted, but will be invalid in a future Kubernetes release: "
		        "ParseAddr(\"%.*s\"): IPv4 field has octet with leading zero",
		        field, SLICE_FMT(text));
	else if (ip.family == IP_V6 && !slice_is(text, ip_write(&ip, canonical)))
		warning_add(w,
		        "%s: IPv6 address \"%.*s\" is not in RFC 5952 canonical format (\"%s\"), which may cause "
		        "controller apply-loops",
		        field, SLICE_FMT(text), canonical);
}

static void warn_of_range(struct warnings *w, const char *field, struct slice text)
{
	struct slice bits = text, address = slice_cut(&bits, '/');
	char canonical[IP_TEXT_MAX];
	struct ip ip;
	if (!ip_parse(address, &ip))
		warning_add(w,
		        "%s: IP prefix was accepted, but will be invalid in a future Kubernetes release: "
		        "netip.ParsePrefix(\"%.*s\"): ParseAddr(\"%.*s\"): IPv4 field has octet with leading zero",
		        field, SLICE_FMT(text), SLICE_FMT(address));
	else if (ip.family == IP_V6 && !slice_is(address, ip_write(&ip, canonical)))
		warning_add(w,
		        "%s: IPv6 prefix \"%.*s\" is not in RFC 5952 canonical format (\"%s/%.*s\"), which may cause "
		        "controller apply-loops",
		        field, SLICE_FMT(text), canonical, SLICE_FMT(bits));
}

static void warn_of_each(struct warnings *w, const struct json *spec, const char *list,
        void (*warn)(struct warnings *w, const char *field, struct slice text))
{
	int i = 0;
	JSON_FOREACH (it, json_get(spec, list))
		warn(w, arena_printf(w->arena, "spec.%s[%d]", list, i++), slice_trim(json_str(it)));
}

void warn_of_service(struct warnings *w, const struct json *object, const struct json *old)
{
	static const char hints[] = "service.kubernetes.io/topology-aware-hints",
	                  mode[] = "service.kubernetes.io/topology-mode";
	const struct json *spec = json_get(object, "spec");
	struct slice ip = json_get_str(spec, "clusterIP"), balancer = json_get_str(spec, "loadBalancerIP");
	if (json_path(object, "metadata", "annotations", hints, NULL))
		warning_add(w, "annotation %s is deprecated, please use %s instead", hints, mode);
	if (ip.len && !slice_is(ip, "None"))
		warn_of_each(w, spec, "clusterIPs", warn_of_address);
	warn_of_each(w, spec, "externalIPs", warn_of_address);
	if (balancer.len)
		warn_of_address(w, "spec.loadBalancerIP", balancer);
	warn_of_each(w, spec, "loadBalancerSourceRanges", warn_of_range);
}

/* ---- storage ---- */

static void warn_of_class_annotation(struct warnings *w, const struct json *object)
{
	static const char key[] = "volume.beta.kubernetes.io/storage-class";
	if (json_path(object, "metadata", "annotations", key, NULL))
		warning_add(w,
		        "metadata.annotations[%s]: deprecated since v1.8; use \"storageClassName\" attribute instead",
		        key);
}

void warn_of_volume(struct warnings *w, const struct json *object, const struct json *old)
{
	static const struct {
		const char *member, *field, *message;
	} kinds[] = {{"cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"},
	        {"photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
	        {"scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
	        {"storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"},
	        {"glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
	        {"rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"}};
	const struct json *spec = json_get(object, "spec");
	int i = 0;
	warn_of_class_annotation(w, object);
	if (slice_is(json_get_str(spec, "persistentVolumeReclaimPolicy"), "Recycle"))
		warning_add(w,
		        "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the "
		        "recommended approach is to use dynamic provisioning.");
	JSON_FOREACH (it, json_path(spec, "nodeAffinity", "required", "nodeSelectorTerms", NULL))
		warn_of_node_term(
		        w, arena_printf(w->arena, "spec.nodeAffinity.required.nodeSelectorTerms[%d]", i++), it);
	for (size_t k = 0; k < COUNT_OF(kinds); k++)
		if (json_get(spec, kinds[k].member))
			warning_add(w, "spec.%s: %s", kinds[k].field, kinds[k].message);
}

void warn_of_claim(struct warnings *w, const struct json *object, const struct json *old)
{
	warn_of_class_annotation(w, object);
	warn_of_claim_spec(w, "spec", json_get(object, "spec"));
}
