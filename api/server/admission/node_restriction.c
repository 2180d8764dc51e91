/* NodeRestriction: a kubelet writes its own Node, its own Lease and CSINode, and the status of its own pods; it makes
 * mirror pods alone, asks for certificates in its own name, and labels itself with what nobody selects for safety. Who
 * may read what is the Node authorizer's. Upstream: plugin/pkg/admission/noderestriction; the words are its. Of what
 * upstream checks, a mirror pod's owner may be absent here, for our kubelet names none. */
#include "api/server/admission/node_restriction.h"

#include "api/machinery/rules/groups/signers.h"
#include "api/server/admission/admission_int.h"
#include "api/server/auth/rights/node.h"
#include "api/server/auth/rights/node_graph.h"
#include "api/server/call.h"
#include "api/server/state.h"
#include "base/check.h"
#include "base/json/scan.h"

/* ---- pods ---- */

#define FORBID(a, err, ...) admission_forbid(a, err, arena_printf((a)->arena, __VA_ARGS__))

static bool is_on(const struct json *pod, struct slice node)
{
	return slice_eq(json_str(json_path(pod, "spec", "nodeName", NULL)), node);
}

static void note_ref(void *arg, enum node_ref kind, struct slice name)
{
	const char **what = arg;
	static const char *const names[] = {[NODE_REF_POD] = "pods",
	        [NODE_REF_SECRET] = "secrets",
	        [NODE_REF_CONFIG_MAP] = "configmaps",
	        [NODE_REF_CLAIM] = "persistentvolumeclaims",
	        [NODE_REF_ACCOUNT] = "a service account"};
	*what = names[kind];
}

/* Upstream requires an owner; here it may be absent. NULL: it is fine. */
static const char *why_not_owned(struct admission *a, struct slice node)
{
	const struct json *owners = json_path(a->object, "metadata", "ownerReferences", NULL);
	const struct json *it = owners ? owners->first : NULL;
	if (!it)
		return NULL;
	if (it->next)
		return "can only create pods with a single owner reference set to itself";
	if (!slice_is(json_get_str(it, "kind"), "Node") || !slice_is(json_get_str(it, "apiVersion"), "v1") ||
	        !slice_eq(json_get_str(it, "name"), node))
		return "can only create pods with an owner reference set to itself";
	if (!json_get_bool(it, "controller", false))
		return "can only create pods with a controller owner reference set to itself";
	if (json_get_bool(it, "blockOwnerDeletion", false))
		return "must not set blockOwnerDeletion on an owner reference";
	struct object *o = admission_lookup(a, "", "nodes", node);
	return o && slice_eq(object_span(o, o->uid), json_get_str(it, "uid"))
	               ? NULL
	               : "has another UID than that of the owner reference";
}

static int create_pod(struct admission *a, struct slice node, struct err *err)
{
	const char *refers = NULL, *why;
	if (!json_get(json_path(a->object, "metadata", "annotations", NULL), "kubernetes.io/config.mirror"))
		return FORBID(a, err,
		        "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"%.*s\" can only create "
		        "mirror pods",
		        SLICE_FMT(node));
	if (!is_on(a->object, node))
		return FORBID(
		        a, err, "node \"%.*s\" can only create pods with spec.nodeName set to itself", SLICE_FMT(node));
	if ((why = why_not_owned(a, node)))
		return FORBID(a, err, "node \"%.*s\" %s", SLICE_FMT(node), why);
	node_graph_each_ref(a->object, note_ref, &refers);
	if (refers)
		return FORBID(a, err, "node \"%.*s\" can not create pods that reference %s", SLICE_FMT(node), refers);
	return 0;
}

static int write_pod(struct admission *a, struct slice node, struct err *err)
{
	if (strcmp(a->sub, "eviction") == 0)
		return 0; /* the deletion that follows is asked about */
	if (*a->sub && strcmp(a->sub, "status") != 0)
		return FORBID(
		        a, err, "unexpected pod subresource \"%s\", only 'status' and 'eviction' are allowed", a->sub);
	if (a->operation == ADMISSION_CREATE)
		return create_pod(a, node, err);
	if (a->operation == ADMISSION_DELETE)
		return is_on(a->old, node)
		               ? 0
		               : FORBID(a, err, "node \"%.*s\" can only delete pods with spec.nodeName set to itself",
		                         SLICE_FMT(node));
	if (strcmp(a->sub, "status") != 0)
		return FORBID(a, err, "unexpected operation of node \"%.*s\"", SLICE_FMT(node));
	if (!is_on(a->old, node))
		return FORBID(a, err,
		        "node \"%.*s\" can only update pod status for pods with spec.nodeName set to itself",
		        SLICE_FMT(node));
	struct json *now = json_path(a->object, "metadata", "labels", NULL),
	            *before = json_path(a->old, "metadata", "labels", NULL);
	if ((now || before) && !json_equal(now, before))
		return FORBID(a, err, "node \"%.*s\" cannot update labels through pod status", SLICE_FMT(node));
	return 0;
}

/* ---- nodes ---- */

static bool is_below(struct slice prefix, const char *domain)
{
	size_t n = strlen(domain);
	return slice_is(prefix, domain) ||
	       (prefix.len > n && slice_ends(prefix, domain) && prefix.ptr[prefix.len - n - 1] == '.');
}

/* Labels of Kubernetes that a kubelet says of itself, and those of others; what is below node-restriction.kubernetes.io
 * is there for administrators to rely on. */
static bool is_own_label(const struct user *u, struct slice label)
{
	static const char *const own[] = {"kubernetes.io/hostname", "kubernetes.io/arch", "kubernetes.io/os",
	        "beta.kubernetes.io/arch", "beta.kubernetes.io/os", "beta.kubernetes.io/instance-type",
	        "node.kubernetes.io/instance-type", "topology.kubernetes.io/region", "topology.kubernetes.io/zone",
	        "failure-domain.beta.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
	        "failure-domain.kubernetes.io/region", "failure-domain.kubernetes.io/zone"};
	static const char *const of_servers[] = {"node-role.kubernetes.io/control-plane",
	        "node-role.kubernetes.io/etcd", "node-role.kubernetes.io/master"};
	struct slice name = label, domain = slice_cut(&name, '/');
	if (!name.ptr || slice_is_any(label, own, COUNT_OF(own)))
		return true;
	if (slice_is_any(label, of_servers, COUNT_OF(of_servers)))
		return user_is_in(u, SERVER_NODES_GROUP);
	if (is_below(domain, "kubelet.kubernetes.io") || is_below(domain, "node.kubernetes.io"))
		return true;
	return !is_below(domain, "kubernetes.io") && !is_below(domain, "k8s.io");
}

static void note_label(const struct user *u, struct slice label, struct strbuf *out)
{
	if (is_own_label(u, label))
		return;
	strbuf_adds(out, out->len ? ", " : "");
	strbuf_add_slice(out, label);
}

static void changed_labels(struct admission *a, struct strbuf *out)
{
	struct json *now = json_path(a->object, "metadata", "labels", NULL),
	            *before = json_path(a->old, "metadata", "labels", NULL);
	JSON_FOREACH (it, now) {
		struct json *was = json_get_slice(before, it->key);
		if (!was || !json_equal(was, it))
			note_label(a->call->user, it->key, out);
	}
	JSON_FOREACH (it, before)
		if (!json_get_slice(now, it->key))
			note_label(a->call->user, it->key, out);
}

static bool is_same(const struct json *x, const struct json *y)
{
	bool none_x = !x || !x->first, none_y = !y || !y->first;
	return none_x || none_y ? none_x && none_y : json_equal(x, y);
}

static int write_node(struct admission *a, struct slice node, struct err *err)
{
	CLEANUP(cleanup_strbuf) struct strbuf labels = STRBUF_INIT;
	if (!slice_eq(a->name, node))
		return FORBID(a, err, "node \"%.*s\" is not allowed to modify node \"%.*s\"", SLICE_FMT(node),
		        SLICE_FMT(a->name));
	if (a->operation == ADMISSION_DELETE)
		return 0;
	changed_labels(a, &labels);
	if (labels.len)
		return FORBID(a, err, "node \"%.*s\" is not allowed to %s labels: %s", SLICE_FMT(node),
		        a->old ? "modify" : "set the following", strbuf_cstr(&labels));
	/* Routes on every other node follow from it: only who hands the networks out may write it. */
	if (!slice_eq(json_str(json_path(a->object, "spec", "podCIDR", NULL)),
	            json_str(json_path(a->old, "spec", "podCIDR", NULL))) ||
	        !is_same(json_path(a->object, "spec", "podCIDRs", NULL), json_path(a->old, "spec", "podCIDRs", NULL)))
		return FORBID(a, err, "node \"%.*s\" is not allowed to modify its pod CIDR", SLICE_FMT(node));
	if (!a->old)
		return 0;
	if (!is_same(json_path(a->object, "spec", "taints", NULL), json_path(a->old, "spec", "taints", NULL)))
		return FORBID(a, err, "node \"%.*s\" is not allowed to modify taints", SLICE_FMT(node));
	if (!is_same(json_path(a->object, "metadata", "ownerReferences", NULL),
	            json_path(a->old, "metadata", "ownerReferences", NULL)))
		return FORBID(a, err, "node \"%.*s\" is not allowed to modify ownerReferences", SLICE_FMT(node));
	return 0;
}

/* ---- leases, CSINodes ---- */

static int write_lease(struct admission *a, struct slice node, struct err *err)
{
	if (!slice_is(a->ns, "kube-node-lease"))
		return FORBID(a, err, "can only access leases in the \"kube-node-lease\" system namespace");
	if (!slice_eq(a->name, node))
		return FORBID(a, err, "can only access node lease with the same name as the requesting node");
	return 0;
}

static int write_csi_node(struct admission *a, struct slice node, struct err *err)
{
	return slice_eq(a->name, node)
	               ? 0
	               : FORBID(a, err, "can only access CSINode with the same name as the requesting node");
}

/* ---- certificates ---- */

/* What kubelets are known by is asked for by the node of that name; what does not read is the signer's to tell. */
static int request_certificate(struct admission *a, struct slice node, struct err *err)
{
	const struct json *spec = json_get(a->object, "spec");
	struct slice signer = json_get_str(spec, "signerName"), name = a->call->user->name;
	struct signer_request r;
	struct err odd = ERR_INIT;
	if (a->operation != ADMISSION_CREATE ||
	        (!slice_is(signer, SIGNER_KUBELET_CLIENT) && !slice_is(signer, SIGNER_KUBELET_SERVING)) ||
	        signer_request_read(a->arena, spec, &r, &odd) != 0 || slice_eq(r.info.common_name, name))
		return 0;
	return FORBID(a, err, "can only create a node CSR with CN=%.*s", SLICE_FMT(name));
}

/* ---- tokens ---- */

/* A token of a pod that is here, and of its account. */
static int make_token(struct admission *a, struct slice node, struct err *err)
{
	if (strcmp(a->sub, "token") != 0)
		return 0;
	struct json *ref = json_path(a->object, "spec", "boundObjectRef", NULL);
	struct slice name = json_get_str(ref, "name");
	if (!slice_is(json_get_str(ref, "kind"), "Pod") || !name.len)
		return FORBID(a, err, "node requested token not bound to a pod");
	if (!json_get_str(ref, "uid").len)
		return FORBID(a, err, "node requested token with a pod binding without a uid");
	struct object *o = admission_lookup(
	        a, "", "pods", slice_of(arena_printf(a->arena, "%.*s/%.*s", SLICE_FMT(a->ns), SLICE_FMT(name))));
	if (o && (!slice_eq(json_find(object_text(o), "spec", "nodeName", NULL), node) ||
	                 !slice_eq(json_find(object_text(o), "spec", "serviceAccountName", NULL), a->name)))
		return FORBID(a, err,
		        "node requested token bound to a pod scheduled on a different node, or of another account");
	return 0; /* a pod that is not there is told by who binds the token */
}

static const struct {
	const char *group, *plural;
	int (*check)(struct admission *a, struct slice node, struct err *err);
} rows[] = {
        {"", "pods", write_pod},
        {"", "nodes", write_node},
        {"", "serviceaccounts", make_token},
        {"coordination.k8s.io", "leases", write_lease},
        {"storage.k8s.io", "csinodes", write_csi_node},
        {"certificates.k8s.io", "certificatesigningrequests", request_certificate},
};

int admit_node_restriction(struct admission *a, struct err *err)
{
	struct slice node;
	if (!node_identity(a->call->user, &node))
		return 0;
	if (!node.len)
		return FORBID(a, err, "could not determine node from user \"%.*s\"", SLICE_FMT(a->call->user->name));
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strcmp(a->resource->plural, rows[i].plural) == 0 && strcmp(a->resource->group, rows[i].group) == 0)
			return rows[i].check(a, node, err);
	return 0;
}
