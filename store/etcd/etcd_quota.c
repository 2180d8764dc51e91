/* The space quota and the alarms.
 *
 * What counts against the quota is what the database file holds, free pages left out: they are used again before the
 * file grows, so deleting and compacting makes room at once and no defragmentation is needed. The size is read once a
 * second, and again before a write is turned away; in between the bytes of the writes let through are added. The
 * write-ahead log's few megabytes come on top.
 *
 * The write that would pass the quota raises the alarm NOSPACE. While it stands, puts, transactions with puts and new
 * leases are refused with etcd's words; reads, deletions, compaction and lease revocation go on. It is taken down by
 * `alarm disarm`, as in etcd, and raised again by the next write when there is still no room. CORRUPT refuses all of
 * KV and Lease. Alarms stand in memory: after a restart the first write that does not fit raises NOSPACE again. */
#include "store/etcd/etcd_int.h"

#include "base/check.h"
#include "base/log.h"

#include <inttypes.h>

/* etcd's estimates (server/storage/quota.go): a pair's costs besides its bytes, and a lease's. */
enum { PAIR_BYTES = 256, LEASE_BYTES = 64 };

static const char *const alarm_names[] = {"NONE", "NOSPACE", "CORRUPT"};

bool etcd_has_alarm(const struct etcd_service *s, enum etcd_alarm alarm)
{
	return (s->alarms >> alarm) & 1;
}

static void set_alarm(struct etcd_service *s, enum etcd_alarm alarm, bool on)
{
	if (etcd_has_alarm(s, alarm) == on)
		return;
	s->alarms ^= 1u << alarm;
	log_warn("store", on ? "alarm raised" : "alarm disarmed", "alarm=%s in_use=%" PRId64 " quota=%" PRId64,
	        alarm_names[alarm], s->in_use_bytes, s->options.quota_bytes);
}

void etcd_quota_tick(struct etcd_service *s)
{
	struct store_stats stats = {0};
	store_stats(s->store, &stats);
	s->in_use_bytes = stats.size_in_use_bytes;
}

bool etcd_corrupt_refused(struct etcd_call *c)
{
	if (!etcd_has_alarm(c->service, ETCD_ALARM_CORRUPT))
		return false;
	etcd_reply_err(c, GRPC_DATA_LOSS, "etcdserver: corrupt cluster");
	return true;
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

static bool space_refused(struct etcd_call *c, int64_t cost)
{
	struct etcd_service *s = c->service;
	if (cost == 0)
		return false;
	if (!etcd_has_alarm(s, ETCD_ALARM_NOSPACE) && is_full(s, cost))
		set_alarm(s, ETCD_ALARM_NOSPACE, true);
	if (!etcd_has_alarm(s, ETCD_ALARM_NOSPACE))
		return false;
	etcd_reply_err(c, GRPC_RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded");
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

static void change(struct etcd_service *s, const Etcdpb__AlarmRequest *r)
{
	bool is_ours = !r->memberid || r->memberid == s->options.member_id;
	for (int a = ETCD_ALARM_NOSPACE; a <= ETCD_ALARM_CORRUPT; a++)
		if (is_ours && r->action && r->alarm == a)
			set_alarm(s, (enum etcd_alarm)a, r->action == 1);
}

void etcd_alarm(struct etcd_call *c, struct slice message)
{
	Etcdpb__AlarmRequest *r = etcd_unpack(c, &etcdpb__alarm_request__descriptor, message);
	Etcdpb__AlarmResponse m = ETCDPB__ALARM_RESPONSE__INIT;
	Etcdpb__AlarmMember members[3], *list[3];
	if (!r)
		return;
	uint32_t before = c->service->alarms;
	change(c->service, r);
	/* GET answers what stands; the others what they have changed. */
	uint32_t shown = r->action ? before ^ c->service->alarms : c->service->alarms;
	for (int a = ETCD_ALARM_NOSPACE; a <= ETCD_ALARM_CORRUPT; a++) {
		if (!((shown >> a) & 1) || (!r->action && r->alarm && r->alarm != a))
			continue;
		etcdpb__alarm_member__init(&members[m.n_alarms]);
		members[m.n_alarms].memberid = c->service->options.member_id;
		members[m.n_alarms].alarm = a;
		list[m.n_alarms] = &members[m.n_alarms];
		m.n_alarms++;
	}
	m.alarms = list;
	m.header = etcd_header(c->service, &c->arena, store_revision(c->service->store));
	etcd_reply(c, &m.base);
}

size_t etcd_alarm_texts(struct etcd_service *s, struct arena *a, char **texts)
{
	size_t n = 0;
	for (int i = ETCD_ALARM_NOSPACE; i <= ETCD_ALARM_CORRUPT; i++)
		if (etcd_has_alarm(s, (enum etcd_alarm)i))
			texts[n++] =
			        arena_printf(a, "memberID:%" PRIu64 " alarm:%s ", s->options.member_id, alarm_names[i]);
	return n;
}
