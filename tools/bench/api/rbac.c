/* `k3x bench rbac`: what a decision by roles costs, with 500 roles and 2,000 bindings of 1,000 users, 100 groups and
 * 100 namespaces. The index alone, without a server, on one thread; each question is one that dispatch would ask, by a
 * user with the groups that authentication gives. The peer walks all bindings of the cluster and of the namespace for
 * each question; its figures are not published, so there is nothing to compare with but the aim. */
#include "tools/bench/bench.h"

#include "api/server/auth/rights/rbac_index.h"
#include "api/server/cache/object.h"
#include "base/check.h"

#include <stdio.h>

enum { ROLES = 500, BINDINGS = 2000, USERS = 1000, GROUPS = 100, NAMESPACES = 100, ROUNDS = 9 };

static const struct resource *row_of(enum rbac_kind kind)
{
	static const char *const plurals[] = {"roles", "clusterroles", "rolebindings", "clusterrolebindings"};
	return resource_find_preferred(SLICE("rbac.authorization.k8s.io"), slice_of(plurals[kind]));
}

static void put(struct rbac_index *x, enum rbac_kind kind, const char *key, const struct strbuf *text)
{
	struct object *o = object_new(row_of(kind), slice_of(key), strbuf_slice(text), 1);
	CHECK(o != NULL);
	rbac_index_change(x, kind, NULL, o);
	object_unref(o);
}

/* Half are cluster roles, half of a namespace; eight rules each, the last of which is the one that is asked for. */
static void add_role(struct rbac_index *x, int i)
{
	struct strbuf text = STRBUF_INIT;
	char key[64];
	strbuf_addf(&text, "{\"metadata\":{\"name\":\"role-%d\"},\"rules\":[", i);
	for (int k = 0; k < 7; k++)
		strbuf_addf(&text,
		        "{\"verbs\":[\"get\",\"list\",\"watch\"],\"apiGroups\":[\"group-%d.example.com\"],"
		        "\"resources\":["
		        "\"widgets\",\"widgets/status\",\"gadgets\"]},",
		        k);
	strbuf_adds(&text,
	        "{\"verbs\":[\"create\",\"delete\",\"get\",\"list\",\"watch\"],\"apiGroups\":[\"\"],\"resources\":["
	        "\"pods\",\"services\",\"configmaps\"]}]}");
	if (i % 2)
		snprintf(key, sizeof key, "ns-%d/role-%d", i % NAMESPACES, i);
	else
		snprintf(key, sizeof key, "role-%d", i);
	put(x, i % 2 ? RBAC_ROLE : RBAC_CLUSTER_ROLE, key, &text);
	strbuf_release(&text);
}

/* One of twenty is of the whole cluster and its subject a group. */
static void add_binding(struct rbac_index *x, int i)
{
	struct strbuf text = STRBUF_INIT;
	char key[64];
	bool is_wide = i % 20 == 0;
	int role = is_wide ? i % ROLES / 2 * 2 : i % ROLES;
	int ns = role % NAMESPACES;
	strbuf_addf(&text,
	        "{\"metadata\":{\"name\":\"binding-%d\"},\"roleRef\":{\"kind\":\"%s\",\"name\":\"role-%d\"},"
	        "\"subjects\":[{"
	        "\"kind\":\"%s\",\"name\":\"%s-%d\"}]}",
	        i, role % 2 ? "Role" : "ClusterRole", role, is_wide ? "Group" : "User", is_wide ? "group" : "user",
	        is_wide ? i / 20 % GROUPS : i % USERS);
	if (is_wide)
		snprintf(key, sizeof key, "binding-%d", i);
	else
		snprintf(key, sizeof key, "ns-%d/binding-%d", ns, i);
	put(x, is_wide ? RBAC_CLUSTER_ROLE_BINDING : RBAC_ROLE_BINDING, key, &text);
	strbuf_release(&text);
}

/* ---- questions ---- */

struct asker {
	struct user *user;
	char ns[16];
};

static void make_asker(struct asker *a, int i)
{
	char name[32];
	snprintf(name, sizeof name, "user-%d", i);
	a->user = user_new(slice_of(name), SLICE_NULL);
	user_add_group(a->user, SLICE("system:authenticated"));
	snprintf(name, sizeof name, "group-%d", i % GROUPS);
	user_add_group(a->user, slice_of(name));
	user_add_group(a->user, SLICE("everybody"));
	snprintf(a->ns, sizeof a->ns, "ns-%d", i % ROLES % NAMESPACES);
}

/* Decisions per second; `allowed` counts those that were. */
static double measure(struct rbac_index *x, struct asker *askers, const char *resource, int n, int *allowed)
{
	double start = bench_now_ms();
	*allowed = 0;
	for (int i = 0; i < n; i++) {
		struct asker *k = &askers[i * 7 % USERS];
		struct rbac_grant g;
		struct attributes a = {.user = k->user,
		        .is_resource = true,
		        .verb = SLICE("get"),
		        .resource = slice_of(resource),
		        .ns = slice_of(k->ns),
		        .name = SLICE("one")};
		*allowed += rbac_index_allows(x, &a, &g);
	}
	return n / (bench_now_ms() - start) * 1000;
}

static double median_of(
        struct rbac_index *x, struct asker *askers, const char *resource, int n, int rounds, int *allowed)
{
	struct bench_samples s = {0};
	for (int i = 0; i < rounds; i++)
		bench_samples_add(&s, measure(x, askers, resource, n, allowed));
	double median = bench_samples_percentile(&s, 50);
	bench_samples_release(&s);
	return median;
}

int bench_rbac(struct bench_settings *s)
{
	int n = s->quick ? 100000 : 1000000, rounds = s->rounds ? (int)s->rounds : ROUNDS, allowed, refused;
	struct rbac_index *x = rbac_index_new(NULL);
	struct asker *askers = ARENA_ARRAY(&s->arena, struct asker, USERS);
	struct bench_report report = {0};
	for (int i = 0; i < ROLES; i++)
		add_role(x, i);
	for (int i = 0; i < BINDINGS; i++)
		add_binding(x, i);
	for (int i = 0; i < USERS; i++)
		make_asker(&askers[i], i);
	double yes = median_of(x, askers, "configmaps", n, rounds, &allowed);
	double no = median_of(x, askers, "secrets", n, rounds, &refused);
	printf("%d roles, %d bindings; of %d questions about configmaps %d allowed, about secrets %d\n", ROLES,
	        BINDINGS, n, allowed, refused);
	bench_report_add(&report, (struct bench_row){"rbac_decisions_per_s", "decisions by roles, all allowed", "/s",
	                                  yes, 0, 1000000, BENCH_HIGHER});
	bench_report_add(&report, (struct bench_row){"rbac_refusals_per_s", "decisions by roles, all refused", "/s", no,
	                                  0, 1000000, BENCH_HIGHER});
	bench_report_end(&report, s, "rbac", "Median of rounds, one thread, the index alone.");
	for (int i = 0; i < USERS; i++)
		user_unref(askers[i].user);
	rbac_index_free(x);
	return 0;
}
