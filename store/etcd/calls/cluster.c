/* Cluster and MoveLeader: who the members are, and changing that.
 *
 * The raft configuration knows ids, peer addresses and who votes. What members say about themselves (name, client URLs)
 * and what is intended with them is kept in the system keyspace, "member/<id>" as JSON, published by each member when
 * it starts. A member added as a voter joins as a learner that the leader promotes as soon as it has caught up: so
 * adding one that never starts costs no quorum, and it is shown as what it is going to be.
 *
 * MemberDemote, which takes a vote away and leaves the member as a learner, is not of etcd's API.
 *
 * What can go wrong: another change is under way, a learner is not in sync, removing one would leave the others without
 * a majority that is there: all are answered with etcd's own words. */
#include "store/etcd/calls/cluster.h"

#include "base/check.h"
#include "base/json_lib.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/call.h"
#include "store/etcd/serve/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct known_member {
	uint64_t id;
	bool is_learner, is_voter_to_be;
	const char *name;
	const char *moved_to; /* the peer URL it was updated to; NULL: that of the configuration */
	char **peer_urls, **client_urls;
	size_t n_peer_urls, n_client_urls;
};

static const char member_prefix[] = "member/";

/* ---- records ---- */

static struct slice record_key(struct arena *a, uint64_t id)
{
	return slice_of(arena_printf(a, "%s%016" PRIx64, member_prefix, id));
}

/* "" for what is no text. */
static char *text_of(struct arena *a, const json_t *v)
{
	return arena_strdup(a, json_is_string(v) ? json_string_value(v) : "");
}

static char **strings_of(struct arena *a, const json_t *list, size_t *ret_n)
{
	size_t n = json_array_size(list);
	char **out = ARENA_ARRAY(a, char *, n + 1);
	for (size_t i = 0; i < n; i++)
		out[i] = text_of(a, json_array_get(list, i));
	*ret_n = n;
	return out;
}

/* libraft has no change of an address: a member that was updated has its URL in its record, and every member sends
 * there. */
static const char *moved_to(struct arena *a, const json_t *j)
{
	const char *text = text_of(a, json_object_get(j, "peerURL"));
	return text[0] && strlen(text) < RAFT_ADDRESS_BYTES_MAX ? text : NULL;
}

void etcd_cluster_take_addresses(struct etcd_service *s, const struct store_system_entry *entries, size_t n)
{
	struct arena a = ARENA_INIT;
	struct err err;
	for (size_t i = 0; i < n; i++) {
		size_t prefix = sizeof member_prefix - 1;
		if (!slice_starts(entries[i].key, member_prefix) || entries[i].key.len != prefix + 16)
			continue;
		char *hex = arena_memdup(&a, entries[i].key.ptr + prefix, 16);
		err = ERR_INIT;
		json_auto_t *j = json_lib_parse(entries[i].value, &err);
		const char *url = j ? moved_to(&a, j) : NULL;
		if (url)
			raft_engine_move_member(s->raft, strtoull(hex, NULL, 16), url);
	}
	arena_release(&a);
}

static void read_record(struct arena *a, struct slice text, struct known_member *m)
{
	struct err err = ERR_INIT;
	json_auto_t *j = json_lib_parse(text, &err);
	if (!j)
		return;
	m->name = text_of(a, json_object_get(j, "name"));
	m->moved_to = moved_to(a, j);
	if (m->moved_to)
		m->peer_urls[0] = (char *)m->moved_to;
	m->is_voter_to_be = json_lib_get_bool(j, "voter", false);
	m->client_urls = strings_of(a, json_object_get(j, "clientURLs"), &m->n_client_urls);
}

static struct slice write_record(
        struct arena *a, const char *name, const char *const *client_urls, size_t n, bool voter, const char *moved_to)
{
	struct strbuf b = STRBUF_INIT;
	json_auto_t *j = json_object();
	json_t *urls = json_array();
	json_lib_set_cstr(j, "name", name);
	json_lib_set_bool(j, "voter", voter);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(urls, json_lib_new_str(slice_of(client_urls[i])));
	json_lib_set(j, "clientURLs", urls);
	if (moved_to)
		json_lib_set_cstr(j, "peerURL", moved_to);
	json_lib_write(&b, j);
	struct slice text = {arena_memdup(a, b.data, b.len), b.len};
	strbuf_release(&b);
	return text;
}

/* What the engine knows, with what the records say. */
static size_t merge(
        struct etcd_service *s, struct arena *a, const struct store_request *records, struct known_member **ret)
{
	struct raft_node_status status = {0};
	raft_engine_status(s->raft, &status);
	struct known_member *all = ARENA_ARRAY(a, struct known_member, status.n_members + 1);
	for (size_t i = 0; i < status.n_members; i++) {
		struct known_member *m = &all[i];
		m->id = status.members[i].id;
		m->name = "";
		m->peer_urls = ARENA_ARRAY(a, char *, 1);
		m->peer_urls[0] = arena_strdup(a, status.members[i].address);
		m->n_peer_urls = 1;
		struct slice key = record_key(a, m->id);
		for (size_t k = 0; k < records->system.n_entries; k++)
			if (slice_eq(records->system.entries[k].key, key))
				read_record(a, records->system.entries[k].value, m);
		m->is_learner = status.members[i].role != RAFT_HOST_VOTER;
	}
	*ret = all;
	return status.n_members;
}

static Etcdpb__Member *member_message(struct arena *a, const struct known_member *m)
{
	Etcdpb__Member *out = arena_alloc(a, sizeof *out);
	etcdpb__member__init(out);
	out->id = m->id;
	out->name = (char *)m->name;
	out->peerurls = m->peer_urls;
	out->n_peerurls = m->n_peer_urls;
	out->clienturls = m->client_urls;
	out->n_clienturls = m->n_client_urls;
	out->islearner = m->is_learner && !m->is_voter_to_be;
	return out;
}

static Etcdpb__Member **member_messages(struct arena *a, const struct known_member *m, size_t n)
{
	Etcdpb__Member **list = ARENA_ARRAY(a, Etcdpb__Member *, n + 1);
	for (size_t i = 0; i < n; i++)
		list[i] = member_message(a, &m[i]);
	return list;
}

/* ---- list ---- */

/* is_local: as this server knows them, which needs no quorum. */
static void read_records(struct etcd_call *c, bool is_local, void (*done)(struct etcd_call *c))
{
	c->request.type = STORE_REQUEST_SYSTEM_READ;
	c->request.system = (struct store_system_args){.prefix = SLICE("member/"), .is_local = is_local};
	etcd_submit(c, done);
}

static void reply_list(struct etcd_call *c)
{
	Etcdpb__MemberListResponse m = ETCDPB__MEMBER_LIST_RESPONSE__INIT;
	struct known_member *all;
	m.n_members = merge(c->service, &c->arena, &c->request, &all);
	m.members = member_messages(&c->arena, all, m.n_members);
	m.header = etcd_header(c->service, &c->arena, 0); /* membership has no place in the revisions */
	etcd_reply(c, &m.base);
}

static void list_done(struct etcd_call *c)
{
	if (c->request.err.code)
		etcd_reply_store_err(c, &c->request);
	else
		reply_list(c);
}

void etcd_member_list(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__MemberListRequest *r = etcd_unpack(c, &etcdpb__member_list_request__descriptor, message);
	if (!r)
		return;
	read_records(c, !r->linearizable, list_done);
}

/* ---- changes: a list of steps, one after the other ---- */

enum step {
	STEP_END,
	STEP_LOOK,   /* read the records: who is there? */
	STEP_RECORD, /* write what is intended with it */
	STEP_FORGET, /* remove its record */
	STEP_ADD,
	STEP_CHANGE, /* as the call says */
	STEP_ANSWER,
};

struct member_op {
	struct etcd_call *call;
	const enum step *next;
	struct raft_engine_change change;
	enum raft_engine_change_kind kind;
	uint64_t id;
	const char *url;      /* ADD, UPDATE */
	const char *moved_to; /* for its record */
	const char *name;     /* what STEP_LOOK found, to be kept */
	const char *const *client_urls;
	size_t n_client_urls;
	bool is_learner, is_done;
	unsigned tries;
	uv_timer_t timer;
};

enum { CHANGE_TRIES = 20, CHANGE_RETRY_MS = 250 };

static void go_on(struct member_op *op);

static const char *change_text(const struct member_op *op, int *grpc)
{
	*grpc = GRPC_FAILED_PRECONDITION;
	switch (op->change.err.code) {
	case ERR_EXISTS:
		return "etcdserver: Peer URLs already exists";
	case ERR_NOT_FOUND:
		*grpc = GRPC_NOT_FOUND;
		return "etcdserver: member not found";
	case ERR_INVAL:
		return op->kind == RAFT_ENGINE_DEMOTE ? "etcdserver: can only demote a voting member"
		                                      : "etcdserver: can only promote a learner member";
	case ERR_FORBIDDEN:
		return "etcdserver: re-configuration failed due to not enough started members";
	case ERR_CONFLICT:
		if (op->kind == RAFT_ENGINE_PROMOTE)
			return "etcdserver: can only promote a learner member which is in sync with leader";
		*grpc = GRPC_UNAVAILABLE;
		return "etcdserver: unhealthy cluster";
	case ERR_TOO_BIG:
		return "etcdserver: too many members in cluster";
	case ERR_UNAVAILABLE:
		return "etcdserver: not leader";
	default:
		*grpc = GRPC_UNAVAILABLE;
		return "etcdserver: request timed out";
	}
}

static void failed(struct etcd_call *c)
{
	struct member_op *op = c->state;
	int grpc;
	const char *text = change_text(op, &grpc);
	etcd_reply_err(c, grpc, text);
}

/* What a client that has gone left behind is freed when the store answers, so every end goes through the store. */
static void end_failed(struct member_op *op)
{
	etcd_submit_next(op->call, &(struct store_request){.type = STORE_REQUEST_BARRIER}, failed);
}

static void retry_closed(uv_handle_t *h)
{
	struct member_op *op = h->data;
	raft_engine_change_members(op->call->service->raft, &op->change);
}

static void retry_now(uv_timer_t *t)
{
	uv_close((uv_handle_t *)t, retry_closed);
}

/* A leader that is to be removed hands over, and then the next one is asked; two changes at a time wait for each other.
 */
static bool may_retry(const struct member_op *op)
{
	int code = op->change.err.code;
	bool waits = code == ERR_BUSY || (code == ERR_CONFLICT && op->kind != RAFT_ENGINE_PROMOTE);
	return waits && op->tries < CHANGE_TRIES;
}

static void changed(struct raft_engine_change *change)
{
	struct member_op *op = CONTAINER_OF(change, struct member_op, change);
	if (may_retry(op)) {
		op->tries++;
		uv_timer_init(loop_uv(op->call->service->loop), &op->timer);
		op->timer.data = op;
		uv_timer_start(&op->timer, retry_now, CHANGE_RETRY_MS, 0);
	} else if (change->err.code) {
		end_failed(op);
	} else {
		go_on(op);
	}
}

static void change(struct member_op *op, enum raft_engine_change_kind kind)
{
	op->change = (struct raft_engine_change){
	        .kind = kind, .id = op->id, .loop = op->call->service->loop, .done = changed};
	snprintf(op->change.address, sizeof op->change.address, "%s", op->url ? op->url : "");
	op->call->is_out = true;
	raft_engine_change_members(op->call->service->raft, &op->change);
}

static void stored(struct etcd_call *c)
{
	if (c->request.err.code)
		etcd_reply_store_err(c, &c->request);
	else
		go_on(c->state);
}

static void store_record(struct member_op *op, bool forget)
{
	struct etcd_call *c = op->call;
	struct store_system_entry *e = ARENA_NEW(&c->arena, struct store_system_entry);
	*e = (struct store_system_entry){.key = record_key(&c->arena, op->id), .is_delete = forget};
	if (!forget)
		e->value = write_record(&c->arena, op->name ? op->name : "", op->client_urls, op->n_client_urls,
		        !op->is_learner, op->moved_to);
	etcd_submit_next(c,
	        &(struct store_request){.type = STORE_REQUEST_SYSTEM,
	                .system = {.expect_version = STORE_SYSTEM_ANY, .changes = e, .n_changes = 1}},
	        stored);
}

/* The list with the new member in it. */
static Etcdpb__Member *all_with(struct arena *a, const struct member_op *op, Etcdpb__MemberAddResponse *m)
{
	struct known_member *x = ARENA_NEW(a, struct known_member);
	Etcdpb__Member **list = ARENA_ARRAY(a, Etcdpb__Member *, m->n_members + 1);
	*x = (struct known_member){.id = op->id, .name = "", .is_learner = op->is_learner, .n_peer_urls = 1};
	x->peer_urls = ARENA_ARRAY(a, char *, 1);
	x->peer_urls[0] = (char *)op->url;
	memcpy(list, m->members, m->n_members * sizeof *list);
	list[m->n_members++] = member_message(a, x);
	m->members = list;
	return list[m->n_members - 1];
}

static void answer(struct etcd_call *c)
{
	struct member_op *op = c->state;
	Etcdpb__MemberAddResponse added = ETCDPB__MEMBER_ADD_RESPONSE__INIT;
	struct known_member *all;
	if (c->request.err.code) {
		etcd_reply_store_err(c, &c->request);
		return;
	}
	if (op->kind != RAFT_ENGINE_ADD || !op->url || op->is_done) {
		reply_list(c);
		return;
	}
	added.header = etcd_header(c->service, &c->arena, 0);
	added.n_members = merge(c->service, &c->arena, &c->request, &all);
	added.members = member_messages(&c->arena, all, added.n_members);
	for (size_t i = 0; i < added.n_members; i++)
		if (all[i].id == op->id)
			added.member = added.members[i];
	if (!added.member) /* the leader has it; this server hears of it in a moment */
		added.member = all_with(&c->arena, op, &added);
	etcd_reply(c, &added.base);
}

static void looked(struct etcd_call *c)
{
	static const enum step at_end = STEP_ANSWER;
	struct member_op *op = c->state;
	struct known_member *all;
	if (c->request.err.code) {
		etcd_reply_store_err(c, &c->request);
		return;
	}
	size_t n = merge(c->service, &c->arena, &c->request, &all), i = 0;
	while (i < n && all[i].id != op->id)
		i++;
	if (i == n) {
		etcd_reply_err(c, GRPC_NOT_FOUND, "etcdserver: member not found");
		return;
	}
	op->name = all[i].name;
	op->client_urls = (const char *const *)all[i].client_urls;
	op->n_client_urls = all[i].n_client_urls;
	op->moved_to = op->url ? op->url : all[i].moved_to;
	for (size_t k = 0; k < n && op->url; k++)
		if (k != i && strcmp(all[k].peer_urls[0], op->url) == 0) {
			etcd_reply_err(c, GRPC_FAILED_PRECONDITION, "etcdserver: Peer URLs already exists");
			return;
		}
	if (op->kind == RAFT_ENGINE_ADD)
		op->is_learner = all[i].is_learner && !all[i].is_voter_to_be;
	if (op->url && all[i].n_peer_urls && strcmp(all[i].peer_urls[0], op->url) == 0)
		op->next = &at_end; /* nothing to change */
	go_on(op);
}

/* A server that has removed itself can't ask the others any more: it says who is left as it knows them. */
static void answer_removed(struct member_op *op)
{
	struct etcd_call *c = op->call;
	Etcdpb__MemberListResponse m = ETCDPB__MEMBER_LIST_RESPONSE__INIT;
	struct known_member *all;
	size_t n = merge(c->service, &c->arena, &(struct store_request){0}, &all);
	for (size_t i = 0; i < n; i++)
		if (all[i].id != op->id)
			all[m.n_members++] = all[i];
	m.members = member_messages(&c->arena, all, m.n_members);
	m.header = etcd_header(c->service, &c->arena, 0);
	etcd_reply(c, &m.base);
}

static void answer_removed_done(struct etcd_call *c)
{
	answer_removed(c->state);
}

static void go_on(struct member_op *op)
{
	static const struct store_request records = {
	        .type = STORE_REQUEST_SYSTEM_READ, .system = {.prefix = {"member/", 7}}};
	if (*op->next == STEP_FORGET && op->id == op->call->service->options.member_id) {
		etcd_submit_next(op->call,
		        &(struct store_request){.type = STORE_REQUEST_HASH, .revision_arg = INT64_MAX},
		        answer_removed_done); /* whatever is answered here and now */
		return;
	}
	switch (*op->next++) {
	case STEP_LOOK:
		etcd_submit_next(op->call, &records, looked);
		break;
	case STEP_RECORD:
		store_record(op, false);
		break;
	case STEP_FORGET:
		store_record(op, true);
		break;
	case STEP_ADD:
		change(op, RAFT_ENGINE_ADD);
		break;
	case STEP_CHANGE:
		change(op, op->kind);
		break;
	case STEP_ANSWER:
	case STEP_END:
		etcd_submit_next(op->call, &records, answer);
		break;
	}
}

static struct member_op *begin(struct etcd_call *c, enum raft_engine_change_kind kind, const enum step *steps)
{
	struct member_op *op = ARENA_NEW(&c->arena, struct member_op);
	op->call = c;
	op->kind = kind;
	op->next = steps;
	c->state = op;
	return op;
}

/* One address per member: a second would never be used. */
static const char *one_url(struct etcd_call *c, char **urls, size_t n)
{
	if (n == 1 && strlen(urls[0]) < RAFT_ADDRESS_BYTES_MAX &&
	        (strncmp(urls[0], "http://", 7) == 0 || strncmp(urls[0], "https://", 8) == 0))
		return arena_strdup(&c->arena, urls[0]);
	etcd_reply_err(c, GRPC_INVALID_ARGUMENT, "etcdserver: given member URLs are invalid");
	return NULL;
}

void etcd_member_add(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	static const enum step steps[] = {STEP_RECORD, STEP_ADD, STEP_ANSWER};
	Etcdpb__MemberAddRequest *r = etcd_unpack(c, &etcdpb__member_add_request__descriptor, message);
	const char *url = r ? one_url(c, r->peerurls, r->n_peerurls) : NULL;
	struct member_op *op = url ? begin(c, RAFT_ENGINE_ADD, steps) : NULL;
	if (!op)
		return;
	pki_random(&op->id, sizeof op->id);
	op->url = url;
	op->is_learner = r->islearner;
	go_on(op);
}

static void change_one(
        struct etcd_call *c, struct slice message, enum raft_engine_change_kind kind, const enum step *steps)
{
	Etcdpb__MemberRequest *r = etcd_unpack(c, &etcdpb__member_request__descriptor, message);
	struct member_op *op = r ? begin(c, kind, steps) : NULL;
	if (!op)
		return;
	op->id = r->id;
	op->is_learner = kind == RAFT_ENGINE_DEMOTE;
	go_on(op);
}

void etcd_member_remove(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	static const enum step steps[] = {STEP_CHANGE, STEP_FORGET, STEP_ANSWER};
	change_one(c, message, RAFT_ENGINE_REMOVE, steps);
}

void etcd_member_promote(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	static const enum step steps[] = {STEP_LOOK, STEP_CHANGE, STEP_RECORD, STEP_ANSWER};
	change_one(c, message, RAFT_ENGINE_PROMOTE, steps);
}

/* The record goes first: else the leader might promote it again in between. */
void etcd_member_demote(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	static const enum step steps[] = {STEP_LOOK, STEP_RECORD, STEP_CHANGE, STEP_ANSWER};
	change_one(c, message, RAFT_ENGINE_DEMOTE, steps);
}

/* In place: the record says where it is now. */
void etcd_member_update(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	static const enum step steps[] = {STEP_LOOK, STEP_RECORD, STEP_ANSWER};
	Etcdpb__MemberUpdateRequest *r = etcd_unpack(c, &etcdpb__member_update_request__descriptor, message);
	const char *url = r ? one_url(c, r->peerurls, r->n_peerurls) : NULL;
	struct member_op *op = url ? begin(c, RAFT_ENGINE_ADD, steps) : NULL;
	if (!op)
		return;
	op->id = r->id;
	op->url = url;
	op->is_done = true; /* the answer is a list */
	go_on(op);
}

/* ---- the leader moves ---- */

static void moved(struct etcd_call *c)
{
	Etcdpb__HeaderResponse m = ETCDPB__HEADER_RESPONSE__INIT;
	m.header = etcd_header(c->service, &c->arena, store_revision(c->service->store));
	etcd_reply(c, &m.base);
}

static void lead_asked(struct raft_engine_change *change);

static void look_again_closed(uv_handle_t *h)
{
	struct member_op *op = h->data;
	lead_asked(&op->change);
}

static void look_again(uv_timer_t *t)
{
	uv_close((uv_handle_t *)t, look_again_closed);
}

/* Answered when the target leads, or has not after five seconds. */
static void lead_asked(struct raft_engine_change *change)
{
	struct member_op *op = CONTAINER_OF(change, struct member_op, change);
	struct etcd_service *s = op->call->service;
	if (!change->err.code && raft_engine_leader(s->raft) == op->id) {
		etcd_submit_next(op->call, &(struct store_request){.type = STORE_REQUEST_BARRIER}, moved);
	} else if (change->err.code || ++op->tries > 100) {
		change->err.code = change->err.code ? change->err.code : ERR_TIMEOUT;
		end_failed(op);
	} else {
		uv_timer_init(loop_uv(s->loop), &op->timer);
		op->timer.data = op;
		uv_timer_start(&op->timer, look_again, 50, 0);
	}
}

static bool is_voter(struct etcd_service *s, uint64_t id)
{
	struct raft_node_status r;
	raft_engine_status(s->raft, &r);
	for (size_t i = 0; i < r.n_members; i++)
		if (r.members[i].id == id)
			return r.members[i].role == RAFT_HOST_VOTER;
	return false;
}

void etcd_move_leader(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__MoveLeaderRequest *r = etcd_unpack(c, &etcdpb__move_leader_request__descriptor, message);
	struct member_op *op = r ? begin(c, RAFT_ENGINE_LEAD, NULL) : NULL;
	if (!op)
		return;
	if (raft_engine_leader(c->service->raft) != c->service->options.member_id) {
		etcd_reply_err(c, GRPC_FAILED_PRECONDITION, "etcdserver: not leader");
		return;
	}
	if (!is_voter(c->service, r->targetid)) {
		etcd_reply_err(c, GRPC_FAILED_PRECONDITION, "etcdserver: bad leader transferee");
		return;
	}
	op->id = r->targetid;
	op->change = (struct raft_engine_change){
	        .kind = RAFT_ENGINE_LEAD, .id = op->id, .loop = c->service->loop, .done = lead_asked};
	c->is_out = true;
	raft_engine_change_members(c->service->raft, &op->change);
}

/* ---- once a second ---- */

struct own_request {
	struct store_request req;
	struct etcd_service *service;
};

static struct own_request *own_request(
        struct etcd_service *s, enum store_request_type type, void (*done)(struct store_request *req))
{
	struct own_request *o = xcalloc(1, sizeof *o);
	o->service = s;
	o->req.type = type;
	o->req.loop = s->loop;
	o->req.done = done;
	s->calls++;
	return o;
}

static void own_free(struct own_request *o)
{
	o->service->calls--;
	store_request_release(&o->req);
	free(o);
}

static void published(struct store_request *req)
{
	struct own_request *o = CONTAINER_OF(req, struct own_request, req);
	o->service->is_publishing = false;
	o->service->is_published = req->err.code == 0;
	own_free(o);
}

static void publish_as(struct etcd_service *s, bool is_voter, const char *moved_to)
{
	const char *const urls[] = {s->options.client_url};
	struct own_request *o = own_request(s, STORE_REQUEST_SYSTEM, published);
	struct store_system_entry *e = ARENA_NEW(&o->req.arena, struct store_system_entry);
	e->key = record_key(&o->req.arena, s->options.member_id);
	e->value = write_record(&o->req.arena, s->options.name, urls, 1, is_voter, moved_to);
	o->req.system = (struct store_system_args){.expect_version = STORE_SYSTEM_ANY, .changes = e, .n_changes = 1};
	s->is_publishing = true;
	store_submit(s->store, &o->req);
}

struct promotion {
	struct raft_engine_change change;
	struct etcd_service *service;
};

static void promoted(struct raft_engine_change *change)
{
	struct promotion *p = CONTAINER_OF(change, struct promotion, change);
	if (change->err.code == 0)
		log_info("store", "member promoted", "member=%016" PRIx64, change->id);
	p->service->is_promoting = false;
	p->service->calls--;
	free(p);
}

static void promote(struct etcd_service *s, uint64_t id)
{
	struct promotion *p = xcalloc(1, sizeof *p);
	p->service = s;
	p->change =
	        (struct raft_engine_change){.kind = RAFT_ENGINE_PROMOTE, .id = id, .loop = s->loop, .done = promoted};
	s->is_promoting = true;
	s->calls++;
	raft_engine_change_members(s->raft, &p->change);
}

/* Reads what this member's record says before it writes one, so that a restart changes nothing and a learner stays one;
 * and promotes, on the leader. */
static void records_read(struct store_request *req)
{
	struct own_request *o = CONTAINER_OF(req, struct own_request, req);
	struct etcd_service *s = o->service;
	struct known_member *all;
	s->is_publishing = false;
	size_t n = req->err.code ? 0 : merge(s, &req->arena, req, &all);
	for (size_t i = 0; i < n; i++) {
		bool is_self = all[i].id == s->options.member_id;
		if (is_self && strcmp(all[i].name, s->options.name) == 0 && all[i].n_client_urls == 1 &&
		        strcmp(all[i].client_urls[0], s->options.client_url) == 0)
			s->is_published = true;
		else if (is_self && !s->close_steps)
			publish_as(s, all[i].is_voter_to_be || !all[i].is_learner, all[i].moved_to);
		if (all[i].is_learner && all[i].is_voter_to_be && !s->is_promoting &&
		        raft_engine_leader(s->raft) == s->options.member_id)
			promote(s, all[i].id);
	}
	own_free(o);
}

static bool has_learners(struct etcd_service *s)
{
	struct raft_node_status status;
	if (raft_engine_leader(s->raft) != s->options.member_id)
		return false;
	raft_engine_status(s->raft, &status);
	for (size_t i = 0; i < status.n_members; i++)
		if (status.members[i].role != RAFT_HOST_VOTER)
			return true;
	return false;
}

void etcd_cluster_tick(struct etcd_service *s)
{
	if (s->is_publishing || !raft_engine_leader(s->raft))
		return;
	if (s->is_published && (s->is_promoting || !has_learners(s)))
		return;
	struct own_request *o = own_request(s, STORE_REQUEST_SYSTEM_READ, records_read);
	o->req.system.prefix = slice_of(member_prefix);
	s->is_publishing = true;
	store_submit(s->store, &o->req);
}
