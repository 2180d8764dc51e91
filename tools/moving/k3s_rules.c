/* See k3s_rules.h. Both ways the same stays behind: what every server makes anew from what does come along (addresses
 * and ports given out, endpoints of servers, priorities of requests), what runs out by itself (events, for their leases
 * do not come along), and what either packs with it. Left out, a thing is made anew; taken along, it would be wrong (a
 * server's address) or fight with what the other makes (a Deployment's selector never changes). */
#include "tools/moving/k3s_rules.h"

#include "api/server/auth/identity/join_token.h"
#include "base/check.h"

#include <string.h>

static const char made_anew[] = "made anew";

const char *k3s_why_left(struct slice key)
{
	static const struct {
		const char *prefix, *why;
	} rows[] = {{"/registry/events/", "events run out"}, {"/registry/masterleases/", made_anew},
	        {"/registry/ranges/", made_anew}, {"/registry/health", made_anew},
	        {"/registry/leases/kube-node-lease/", made_anew},
	        {"/registry/leases/kube-system/apiserver-", made_anew},
	        {"/registry/services/endpoints/default/kubernetes", made_anew},
	        {"/registry/endpointslices/default/kubernetes", made_anew}, {"/registry/flowschemas/", made_anew},
	        {"/registry/prioritylevelconfigurations/", made_anew},
	        {"/registry/apiregistration.k8s.io/apiservices/v1.", made_anew},
	        {"/registry/k3s.cattle.io/etcdsnapshotfiles/", "of snapshots that do not come along"},
	        {"/registry/k3x/", "k3x's own"}, {"/registry/clusterroles/system:k3x-", "k3x's own"},
	        {"/registry/clusterrolebindings/system:k3x-", "k3x's own"}};
	if (!slice_starts(key, "/registry/"))
		return "k3s's own";
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_starts(key, rows[i].prefix))
			return rows[i].why;
	return NULL;
}

bool k3s_is_packaged(const struct json *object)
{
	static const char *const names[] = {"coredns", "local-storage", "traefik", "ccm", "rolebindings", "runtimes",
	        "aggregated-metrics-reader", "auth-delegator", "auth-reader", "metrics-apiservice", "metrics-server",
	        "metrics-server-deployment", "metrics-server-service", "resource-reader"};
	const struct json *meta = json_get(object, "metadata");
	struct slice owner = json_get_str(json_get(meta, "annotations"), "objectset.rio.cattle.io/owner-name");
	if (slice_is(json_get_str(object, "kind"), "Addon"))
		owner = json_get_str(meta, "name");
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (slice_is(owner, names[i]))
			return true;
	return false;
}

/* ---- passwords ---- */

/* RFC 4180. */
static void add_field(struct strbuf *out, struct slice field)
{
	bool is_quoted = false;
	for (size_t i = 0; i < field.len; i++)
		is_quoted = is_quoted || strchr("\",\r\n", field.ptr[i]) || (i == 0 && field.ptr[i] == ' ');
	if (is_quoted)
		strbuf_addc(out, '"');
	for (size_t i = 0; i < field.len; i++) {
		if (field.ptr[i] == '"')
			strbuf_addc(out, '"');
		strbuf_addc(out, field.ptr[i]);
	}
	if (is_quoted)
		strbuf_addc(out, '"');
}

int k3s_passwd(struct strbuf *out, struct slice server_token, struct slice agent_token, struct err *err)
{
	struct join_token server, agent;
	if (join_token_parse(server_token, &server, err) != 0)
		return err_wrap(err, "server/token");
	agent = server;
	if (agent_token.len && join_token_parse(agent_token, &agent, err) != 0)
		return err_wrap(err, "server/agent-token");
	add_field(out, agent.secret);
	strbuf_adds(out, ",node,node,k3s:agent\n");
	add_field(out, server.secret);
	strbuf_adds(out, ",server,server,k3s:server\n");
	return 0;
}
