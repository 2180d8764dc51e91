/* The space quota and the alarms.
 *
 * What counts against the quota is what the database file holds, free pages left out: they are used again before the
 * file grows, so deleting and compacting makes room at once and no defragmentation is needed. The size is read once a
 * second, and again before a write is turned away; in between the bytes of the writes let through are added. The
 * write-ahead log's few megabytes come on top.
 *
 * The write that would pass the quota raises the alarm NOSPACE. While it stands, puts, transactions with puts and new
 * leases are refused with etcd's words; reads, deletions, compaction and lease revocation go on. It is taken down by
 * `alarm disarm`, as in etcd, and raised again by the next write when there is still no room. CORRUPT refuses what
 * writes; it is raised when something in the database is rotten and no other member has it. Alarms are in the system
 * keyspace ("alarm/MEMBER/NAME"), so they stand on every member and over restarts, whichever member's disk they are
 * about. */
#include "store/etcd/serve/quota.h"

#include "base/check.h"
#include "base/log.h"
#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/call.h"
#include "store/etcd/serve/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* etcd's estimates (server/storage/quota.go): a pair's costs besides its bytes, and a lease's. */
enum { PAIR_BYTES = 256, LEASE_BYTES = 64 };

/* ---- raising them ---- */

struct raising {
	struct etcd_service *service;
	struct store_request request;
	struct store_system_entry entry;
};

static void raised(struct store_request *req)
{
	struct raising *r = CONTAINER_OF(req, struct raising, request);
	if (req->err.code) /* the next write that does not fit tries again */
		log_warn("store", "alarm not recorded", "error=\"%s\"", req->err.msg);
	r->service->calls--;
	store_request_release(req);
	free(r);
}

/* It stands here at once, and on the other members when it is recorded. */
static void raise_alarm(struct etcd_service *s, enum etcd_alarm alarm)
{
	LOOP_CHECK_OWNER(s->loop);
	struct raising *r = xcalloc(1, sizeof *r);
	s->alarms |= 1u << alarm;
	r->service = s;
	r->entry.key = etcd_alarm_key(&r->request.arena, s->options.member_id, alarm);
	r->request.type = STORE_REQUEST_SYSTEM;
	r->request.system =
	        (struct store_system_args){.expect_version = STORE_SYSTEM_ANY, .changes = &r->entry, .n_changes = 1};
	r->request.loop = s->loop;
	r->request.done = raised;
	s->calls++;
	store_submit(s->store, &r->request);
}

/* Each time that something is found: who disarms it without a mend hears of the next. */
static void look_at_rot(struct etcd_service *s, uint64_t rotten_alone)
{
	if (rotten_alone == s->rotten_alone)
		return;
	s->rotten_alone = rotten_alone;
	if (etcd_has_alarm(s, ETCD_ALARM_CORRUPT))
		return;
	log_error("store", "alarm raised", "alarm=CORRUPT mend=\"restore a snapshot, then alarm disarm\"");
	raise_alarm(s, ETCD_ALARM_CORRUPT);
}

bool etcd_is_disk_full(const struct etcd_service *s)
{
	struct raft_engine_counters n;
	LOOP_CHECK_OWNER(s->loop);
	raft_engine_counters(s->raft, &n);
	return n.is_disk_full;
}

void etcd_quota_tick(struct etcd_service *s)
{
	LOOP_CHECK_OWNER(s->loop);
	struct store_stats stats = {0};
	store_stats(s->store, &stats);
	s->in_use_bytes = stats.size_in_use_bytes;
	look_at_rot(s, stats.rotten_alone);
}

/* Is there no room for so many bytes more? */
static bool is_full(struct etcd_service *s, int64_t cost)
{
	int64_t quota = s->options.quota_bytes;
	if (quota <= 0)
		return false;
	if (s->in_use_bytes + cost > quota)
		etcd_quota_tick(s);
	if (s->in_use_bytes + cost > quota)
		return true;
	s->in_use_bytes += cost;
	return false;
}

static void refuse(struct etcd_call *c)
{
	etcd_reply_err(c, GRPC_RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded");
}

/* The write that finds no room is answered when the alarm is recorded, so that who was refused finds it standing; when
 * it can't be recorded, the next write that does not fit tries again. */
static void refuse_with_alarm(struct etcd_call *c)
{
	struct etcd_service *s = c->service;
	struct store_system_entry *x = ARENA_NEW(&c->arena, struct store_system_entry);
	log_warn("store", "alarm raised", "alarm=NOSPACE in_use=%" PRId64 " quota=%" PRId64, s->in_use_bytes,
	        s->options.quota_bytes);
	s->alarms |= 1u << ETCD_ALARM_NOSPACE;
	x->key = etcd_alarm_key(&c->arena, s->options.member_id, ETCD_ALARM_NOSPACE);
	etcd_submit_system(c, x, 1, refuse);
}

static bool space_refused(struct etcd_call *c, int64_t cost)
{
	struct etcd_service *s = c->service;
	if (cost == 0)
		return false;
	if (etcd_has_alarm(s, ETCD_ALARM_NOSPACE))
		refuse(c);
	else if (is_full(s, cost))
		refuse_with_alarm(c);
	else
		return false;
	return true;
}

static int64_t branch_cost(const struct store_op *ops, size_t n);

static int64_t op_cost(const struct store_op *op)
{
	if (op->type == STORE_OP_PUT)
		return (int64_t)(PAIR_BYTES + op->put.key.len + op->put.value.len);
	if (op->type != STORE_OP_TXN)
		return 0;
	int64_t yes = branch_cost(op->txn.success, op->txn.n_success);
	int64_t no = branch_cost(op->txn.failure, op->txn.n_failure);
	return yes > no ? yes : no;
}

static int64_t branch_cost(const struct store_op *ops, size_t n)
{
	int64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += op_cost(&ops[i]);
	return sum;
}

bool etcd_op_refused(struct etcd_call *c)
{
	return space_refused(c, op_cost(&c->request.op));
}

bool etcd_lease_refused(struct etcd_call *c)
{
	return space_refused(c, LEASE_BYTES);
}

/* ---- Maintenance/Alarm ---- */

static void add_alarm(struct arena *a, Etcdpb__AlarmResponse *m, uint64_t member_id, enum etcd_alarm alarm)
{
	Etcdpb__AlarmMember *x = arena_alloc(a, sizeof *x);
	etcdpb__alarm_member__init(x);
	x->memberid = member_id;
	x->alarm = (Etcdpb__AlarmType)alarm;
	m->alarms[m->n_alarms++] = x;
}

static const struct etcd_alarm_entry *find_alarm(struct etcd_service *s, uint64_t member_id, enum etcd_alarm alarm)
{
	for (size_t i = 0; i < s->system.n_alarms; i++)
		if (s->system.alarms[i].member_id == member_id && s->system.alarms[i].alarm == alarm)
			return &s->system.alarms[i];
	return NULL;
}

static void send_alarms(struct etcd_call *c, Etcdpb__AlarmResponse *m)
{
	m->header = etcd_header(c->service, &c->arena, store_revision(c->service->store));
	etcd_reply(c, &m->base);
}

static void changed(struct etcd_call *c)
{
	Etcdpb__AlarmResponse m = ETCDPB__ALARM_RESPONSE__INIT;
	Etcdpb__AlarmMember *one;
	Etcdpb__AlarmRequest *r = c->state;
	if (c->request.err.code) {
		etcd_reply_store_err(c, &c->request);
		return;
	}
	log_warn("store",
	        r->action == ETCDPB__ALARM_REQUEST__ALARM_ACTION__ACTIVATE ? "alarm raised" : "alarm disarmed",
	        "alarm=%s member=%016" PRIx64, etcd_alarm_names[r->alarm], r->memberid);
	m.alarms = &one;
	add_alarm(&c->arena, &m, r->memberid, (enum etcd_alarm)r->alarm);
	send_alarms(c, &m);
}

/* Answers what is changed, as etcd does: an activation also what stood already, a deactivation only what stood. */
static void change(struct etcd_call *c, Etcdpb__AlarmRequest *r)
{
	Etcdpb__AlarmResponse m = ETCDPB__ALARM_RESPONSE__INIT;
	Etcdpb__AlarmMember *one;
	bool activate = r->action == ETCDPB__ALARM_REQUEST__ALARM_ACTION__ACTIVATE;
	bool is_one = r->alarm == ETCDPB__ALARM_TYPE__NOSPACE || r->alarm == ETCDPB__ALARM_TYPE__CORRUPT;
	bool stands = is_one && find_alarm(c->service, r->memberid, (enum etcd_alarm)r->alarm);
	m.alarms = &one;
	if (is_one && stands != activate) {
		struct store_system_entry *x = ARENA_NEW(&c->arena, struct store_system_entry);
		x->key = etcd_alarm_key(&c->arena, r->memberid, (enum etcd_alarm)r->alarm);
		x->is_delete = !activate;
		c->state = r;
		etcd_submit_system(c, x, 1, changed);
		return;
	}
	if (stands)
		add_alarm(&c->arena, &m, r->memberid, (enum etcd_alarm)r->alarm);
	send_alarms(c, &m);
}

void etcd_alarm(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	Etcdpb__AlarmRequest *r = etcd_unpack(c, &etcdpb__alarm_request__descriptor, message);
	Etcdpb__AlarmResponse m = ETCDPB__ALARM_RESPONSE__INIT;
	const struct etcd_system *y = &c->service->system;
	if (!r)
		return;
	if (r->action == ETCDPB__ALARM_REQUEST__ALARM_ACTION__ACTIVATE ||
	        r->action == ETCDPB__ALARM_REQUEST__ALARM_ACTION__DEACTIVATE) {
		change(c, r);
		return;
	}
	m.alarms = ARENA_ARRAY(&c->arena, Etcdpb__AlarmMember *, y->n_alarms + 1);
	for (size_t i = 0; i < y->n_alarms; i++)
		if (r->alarm == ETCDPB__ALARM_TYPE__NONE || (enum etcd_alarm)r->alarm == y->alarms[i].alarm)
			add_alarm(&c->arena, &m, y->alarms[i].member_id, y->alarms[i].alarm);
	send_alarms(c, &m);
}
