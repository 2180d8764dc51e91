/* `k3x-store member|leader`: who is in the cluster, and changing that. Members are named by id or by name.
 *
 * A member is added in two steps: `member add` makes it known, and the command that it prints starts it. It is a
 * learner until it has caught up and votes from then on; with --learner it stays one until `member promote`. */
#include "tools/store/members.h"
#include "tools/store/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- who is there ---- */

Etcdpb__MemberListResponse *store_members(struct store_command *m)
{
	Etcdpb__MemberListRequest r = ETCDPB__MEMBER_LIST_REQUEST__INIT;
	return store_command_call(m, "Cluster/MemberList", &r.base, &etcdpb__member_list_response__descriptor);
}

static void list_known(const struct store_command *m, const Etcdpb__MemberListResponse *all)
{
	for (size_t i = 0; i < all->n_members; i++)
		fprintf(stderr, "  %016" PRIx64 "  %s\n", all->members[i]->id,
		        all->members[i]->name[0] ? all->members[i]->name : "(not started yet)");
}

const Etcdpb__Member *store_member_find(
        struct store_command *m, const Etcdpb__MemberListResponse *all, const char *text)
{
	const Etcdpb__Member *found = NULL;
	char *end;
	uint64_t id = strtoull(text, &end, 16);
	bool is_id = *text && !*end;
	size_t n = 0;
	for (size_t i = 0; i < all->n_members; i++)
		if (strcmp(all->members[i]->name, text) == 0 || (is_id && all->members[i]->id == id)) {
			found = all->members[i];
			n++;
		}
	if (n == 1)
		return found;
	fprintf(stderr, "k3x-store %s: %s members have the id or name \"%s\". Those of the cluster are\n", m->name,
	        n ? "several" : "no", text);
	list_known(m, all);
	m->exit_code = err_exit_code(ERR_NOT_FOUND);
	return NULL;
}

bool store_members_as_endpoints(struct store_command *m)
{
	Etcdpb__MemberListResponse *all = store_members(m);
	if (!all)
		return false;
	struct flag_list list = {ARENA_ARRAY(&m->arena, const char *, all->n_members + 1), 0};
	for (size_t i = 0; i < all->n_members; i++) {
		const Etcdpb__Member *x = all->members[i];
		if (x->n_clienturls)
			list.items[list.count++] = x->clienturls[0];
		else
			fprintf(stderr, "k3x-store %s: member %016" PRIx64 " (peer %s) has not started yet\n", m->name,
			        x->id, x->n_peerurls ? x->peerurls[0] : "");
	}
	if (list.count)
		m->settings.endpoints = list;
	return true;
}

void *store_endpoint_call(struct store_command *m, const char *endpoint, const char *method,
        const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer, struct err *err)
{
	struct store_client *c = NULL;
	if (store_client_new(&m->settings, endpoint, &c, err) != 0)
		return NULL;
	void *got = store_client_call(c, method, request, answer, &m->arena, err);
	store_client_free(c);
	return got;
}

static const char *list_of(struct arena *a, char **urls, size_t n)
{
	const char *text = "";
	for (size_t i = 0; i < n; i++)
		text = arena_printf(a, "%s%s%s", text, i ? "," : "", urls[i]);
	return text;
}

static void print_members(struct store_command *m, Etcdpb__Member **all, size_t n)
{
	static const struct store_column columns[] = {{"ID", "id", STORE_COLUMN_TEXT},
	        {"NAME", "name", STORE_COLUMN_TEXT}, {"STATUS", "status", STORE_COLUMN_TEXT},
	        {"ROLE", NULL, STORE_COLUMN_TEXT}, {"PEER URL", "peer", STORE_COLUMN_TEXT},
	        {"CLIENT URLS", "client", STORE_COLUMN_TEXT}, {NULL, "learner", STORE_COLUMN_JSON}};
	struct store_table t = {columns, sizeof columns / sizeof *columns, ARENA_INIT, NULL, 0, 0};
	for (size_t i = 0; i < n; i++) {
		store_table_add(&t, "%016" PRIx64, all[i]->id);
		store_table_add(&t, "%s", all[i]->name);
		store_table_add(&t, "%s", all[i]->name[0] ? "started" : "unstarted");
		store_table_add(&t, "%s", all[i]->islearner ? "learner" : "voter");
		store_table_add(&t, "%s", list_of(&t.arena, all[i]->peerurls, all[i]->n_peerurls));
		store_table_add(&t, "%s", list_of(&t.arena, all[i]->clienturls, all[i]->n_clienturls));
		store_table_add(&t, "%s", all[i]->islearner ? "true" : "false");
	}
	store_table_print(&t, m->json);
}

int store_member_list(int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__MemberListResponse *got = NULL;
	if (store_command_load(
	            &m, "member list", "k3x-store member list: the members of the cluster", NULL, 0, argc, argv) == 0 &&
	        store_command_wants(&m, 0, 0, "no arguments") == 0)
		got = store_members(&m);
	if (got)
		print_members(&m, got->members, got->n_members);
	return store_command_end(&m);
}

/* ---- changes ---- */

/* What is said besides the server's own words. */
static const struct hint {
	const char *part, *text;
} hints[] = {
        {"in sync with leader", "it is still catching up: see endpoint status --cluster, and try again"},
        {"not enough started members", "without it fewer than a majority would be up: start the others first"},
        {"unhealthy cluster",
                "another change is under way, or the cluster has no leader: see endpoint status --cluster"},
        {"Peer URLs already exists", "a member with this URL is there already: see member list"},
        {"unknown method MemberDemote",
                "etcd has no such call: remove the member, delete its data and add it again with --learner"},
};

static void *change(struct store_command *m, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer)
{
	struct err err = ERR_INIT;
	void *got = NULL;
	/* A change that was sent may have been made: the next endpoint is asked only when this one was not there. */
	for (size_t i = 0; !got && i < m->settings.endpoints.count; i++) {
		err = ERR_INIT;
		got = store_endpoint_call(m, m->settings.endpoints.items[i], method, request, answer, &err);
		if (!got && err.code != ERR_UNAVAILABLE)
			break;
	}
	if (got)
		return got;
	m->exit_code = store_tool_fail(m->name, &err);
	for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
		if (strstr(err.msg, hints[i].part))
			fprintf(stderr, "  %s\n", hints[i].text);
	return NULL;
}

static void print_added(struct store_command *m, const Etcdpb__MemberAddResponse *got, const char *name)
{
	const Etcdpb__Member *x = got->member;
	if (m->json) {
		print_members(m, (Etcdpb__Member *[]){got->member}, 1);
		return;
	}
	const char *cluster = "";
	for (size_t i = 0; i < got->n_members; i++) {
		const Etcdpb__Member *o = got->members[i];
		const char *who = o->id == x->id ? name : o->name;
		if (!who[0] || !o->n_peerurls)
			continue;
		cluster = arena_printf(&m->arena, "%s%s%s=%s", cluster, *cluster ? "," : "", who, o->peerurls[0]);
	}
	printf("member %016" PRIx64 " added as %s. Start it, with an empty data directory, by\n\n"
	       "  k3x-store serve --name %s --data-dir DIR \\\n    --initial-cluster-state existing \\\n"
	       "    --initial-cluster %s \\\n    --listen-peer-urls %s --initial-advertise-peer-urls %s \\\n"
	       "    --listen-client-urls URL --advertise-client-urls URL\n\nor, for etcd's scripts,\n\n"
	       "ETCD_NAME=\"%s\"\nETCD_INITIAL_CLUSTER=\"%s\"\nETCD_INITIAL_ADVERTISE_PEER_URLS=\"%s\"\n"
	       "ETCD_INITIAL_CLUSTER_STATE=\"existing\"\n",
	        x->id, x->islearner ? "a learner" : "a voter (once it has caught up)", name, cluster,
	        x->n_peerurls ? x->peerurls[0] : "URL", x->n_peerurls ? x->peerurls[0] : "URL", name, cluster,
	        x->n_peerurls ? x->peerurls[0] : "");
}

int store_member_add(int argc, char **argv)
{
	struct store_command m = {0};
	struct flag_list urls = {0};
	bool learner = false;
	Etcdpb__MemberAddRequest r = ETCDPB__MEMBER_ADD_REQUEST__INIT;
	const struct flag more[] = {
	        {"peer-urls", 0, FLAG_LIST, &urls, NULL, "where the others will reach it (needed)", NULL},
	        {"learner", 0, FLAG_BOOL, &learner, NULL, "without a vote, until member promote", NULL}};
	if (store_command_load(&m, "member add",
	            "k3x-store member add NAME --peer-urls URL: make a new member known, and say how to start it", more,
	            2, argc, argv) != 0 ||
	        store_command_wants(&m, 1, 1, "a NAME") != 0)
		return store_command_end(&m);
	if (!urls.count) {
		fprintf(stderr, "k3x-store member add: --peer-urls is needed, like http://10.0.0.4:2380\n");
		m.exit_code = 2;
		return store_command_end(&m);
	}
	r.peerurls = (char **)urls.items;
	r.n_peerurls = urls.count;
	r.islearner = learner;
	Etcdpb__MemberAddResponse *got =
	        change(&m, "Cluster/MemberAdd", &r.base, &etcdpb__member_add_response__descriptor);
	if (got && got->member)
		print_added(&m, got, store_command_argument(&m, 0));
	return store_command_end(&m);
}

/* Removes or promotes the member that the argument names. */
static int change_one(
        const char *name, const char *summary, const char *method, const char *done, int argc, char **argv)
{
	struct store_command m = {0};
	Etcdpb__MemberRequest r = ETCDPB__MEMBER_REQUEST__INIT;
	if (store_command_load(&m, name, summary, NULL, 0, argc, argv) != 0 ||
	        store_command_wants(&m, 1, 1, "an ID or name of a member") != 0)
		return store_command_end(&m);
	Etcdpb__MemberListResponse *all = store_members(&m);
	const Etcdpb__Member *x = all ? store_member_find(&m, all, store_command_argument(&m, 0)) : NULL;
	if (!x)
		return store_command_end(&m);
	r.id = x->id;
	Etcdpb__MemberListResponse *got = change(&m, method, &r.base, &etcdpb__member_list_response__descriptor);
	if (got && m.json)
		print_members(&m, got->members, got->n_members);
	else if (got)
		printf("member %016" PRIx64 "%s%s%s %s\n", x->id, x->name[0] ? " (" : "", x->name,
		        x->name[0] ? ")" : "", done);
	return store_command_end(&m);
}

int store_member_remove(int argc, char **argv)
{
	return change_one("member remove",
	        "k3x-store member remove ID|NAME: take a member out of the cluster. Its server stops by itself;\n"
	        "delete its data before it is added again. A leader hands over first.",
	        "Cluster/MemberRemove", "removed", argc, argv);
}

int store_member_promote(int argc, char **argv)
{
	return change_one("member promote",
	        "k3x-store member promote ID|NAME: give a learner that has caught up a vote", "Cluster/MemberPromote",
	        "promoted", argc, argv);
}

int store_member_demote(int argc, char **argv)
{
	return change_one("member demote",
	        "k3x-store member demote ID|NAME: take a member's vote away; it stays as a learner. A leader hands "
	        "over "
	        "first.",
	        "Cluster/MemberDemote", "demoted", argc, argv);
}

int store_member_update(int argc, char **argv)
{
	struct store_command m = {0};
	struct flag_list urls = {0};
	Etcdpb__MemberUpdateRequest r = ETCDPB__MEMBER_UPDATE_REQUEST__INIT;
	const struct flag more[] = {
	        {"peer-urls", 0, FLAG_LIST, &urls, NULL, "where the others reach it from now on (needed)", NULL}};
	if (store_command_load(&m, "member update",
	            "k3x-store member update ID|NAME --peer-urls URL: change the address of a member", more, 1, argc,
	            argv) != 0 ||
	        store_command_wants(&m, 1, 1, "an ID or name of a member") != 0)
		return store_command_end(&m);
	if (!urls.count) {
		fprintf(stderr, "k3x-store member update: --peer-urls is needed, like http://10.0.0.4:2380\n");
		m.exit_code = 2;
		return store_command_end(&m);
	}
	Etcdpb__MemberListResponse *all = store_members(&m);
	const Etcdpb__Member *x = all ? store_member_find(&m, all, store_command_argument(&m, 0)) : NULL;
	if (!x)
		return store_command_end(&m);
	r.id = x->id;
	r.peerurls = (char **)urls.items;
	r.n_peerurls = urls.count;
	Etcdpb__MemberListResponse *got =
	        change(&m, "Cluster/MemberUpdate", &r.base, &etcdpb__member_list_response__descriptor);
	if (got && m.json)
		print_members(&m, got->members, got->n_members);
	else if (got)
		printf("member %016" PRIx64 " updated\n", x->id);
	return store_command_end(&m);
}

/* ---- leadership ---- */

struct view {
	const char *leader_url;
	uint64_t leader, furthest;
	uint64_t furthest_index;
};

/* Who leads, and which other voter is furthest, by what each says of itself. */
static void look_around(struct store_command *m, const Etcdpb__MemberListResponse *all, struct view *v)
{
	Etcdpb__LeaseStatus empty = ETCDPB__LEASE_STATUS__INIT;
	for (size_t i = 0; i < all->n_members; i++) {
		const Etcdpb__Member *x = all->members[i];
		struct err err = ERR_INIT;
		Etcdpb__StatusResponse *s = NULL;
		if (x->n_clienturls)
			s = store_endpoint_call(m, x->clienturls[0], "Maintenance/Status", &empty.base,
			        &etcdpb__status_response__descriptor, &err);
		if (!s)
			continue;
		if (s->leader == x->id) {
			v->leader = x->id;
			v->leader_url = x->clienturls[0];
		} else if (!s->islearner && s->raftindex >= v->furthest_index) {
			v->furthest = x->id;
			v->furthest_index = s->raftindex;
		}
	}
}

static int move_leader(struct store_command *m, const Etcdpb__MemberListResponse *all, struct err *err)
{
	struct view v = {0};
	Etcdpb__MoveLeaderRequest r = ETCDPB__MOVE_LEADER_REQUEST__INIT;
	const char *to = store_command_argument(m, 0);
	const Etcdpb__Member *x = to ? store_member_find(m, all, to) : NULL;
	if (to && !x)
		return 0;
	look_around(m, all, &v);
	if (!v.leader_url)
		return err_set(err, ERR_UNAVAILABLE, "no member says that it leads: see endpoint status --cluster");
	r.targetid = x ? x->id : v.furthest;
	if (!r.targetid)
		return err_set(err, ERR_CONFLICT, "there is no other voter that is up");
	if (r.targetid == v.leader) {
		printf("%016" PRIx64 " leads already\n", v.leader);
		return 0;
	}
	if (!store_endpoint_call(
	            m, v.leader_url, "Maintenance/MoveLeader", &r.base, &etcdpb__header_response__descriptor, err))
		return err->code;
	if (m->json)
		json_lib_print(stdout, json_pack("{s:o, s:o}", "from", json_sprintf("%016" PRIx64, v.leader), "to",
		                               json_sprintf("%016" PRIx64, r.targetid)));
	else
		printf("leadership moved from %016" PRIx64 " to %016" PRIx64 "\n", v.leader, r.targetid);
	return 0;
}

int store_leader_move(int argc, char **argv)
{
	struct store_command m = {0};
	struct err err = ERR_INIT;
	if (store_command_load(&m, "leader move",
	            "k3x-store leader move [ID|NAME]: let another member lead: this one, or the voter that is furthest",
	            NULL, 0, argc, argv) != 0 ||
	        store_command_wants(&m, 0, 1, "at most one ID or name of a member") != 0)
		return store_command_end(&m);
	Etcdpb__MemberListResponse *all = store_members(&m);
	if (all && move_leader(&m, all, &err) != 0)
		m.exit_code = store_tool_fail("leader move", &err);
	return store_command_end(&m);
}
