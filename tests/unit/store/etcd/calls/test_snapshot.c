/* The Snapshot stream: what comes is a snapshot, and clients that go away, stall or are too many hold nothing up. */
#include "base/limits.h"
#include "base/pki/pki.h"
#include "tests/unit/store/etcd/rpc_fixture.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STALL_MS = 50 };

/* More than sockets and queues take. */
static int setup_with(uint64_t stall_ms)
{
	static char value[1 << 20];
	rpc_open(&(struct etcd_service_options){.snapshot_stall_ms = stall_ms});
	unit_noise(value, sizeof value - 1);
	for (int i = 0; i < 24; i++)
		rpc_put(arena_printf(rpc_arena(), "k%d", i), value);
	return 0;
}

static int setup(void **state)
{
	return setup_with(0);
}

static int setup_impatient(void **state)
{
	return setup_with(STALL_MS);
}

/* A client over the gateway that asks for a snapshot and never reads: its socket. */
static int ask_and_stall(void)
{
	static const char request[] =
	        "POST /v3/maintenance/snapshot HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
	struct sockaddr_in a = {.sin_family = AF_INET,
	        .sin_port = htons((uint16_t)etcd_service_port(rpc_service())),
	        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), room = 4096;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_true(write(fd, request, sizeof request - 1) == sizeof request - 1);
	return fd;
}

static bool has_one_open(void *arg)
{
	return !list_empty(&rpc_service()->snapshots);
}

static bool has_none(void *arg)
{
	return rpc_service()->n_snapshots == 0;
}

static bool has_all(void *arg)
{
	return rpc_service()->n_snapshots >= STORE_SNAPSHOTS_MAX;
}

static struct rpc_stream *ask(void)
{
	Etcdpb__LeaseStatus r = ETCDPB__LEASE_STATUS__INIT; /* empty, as its request */
	struct rpc_stream *s = rpc_stream_open("Maintenance/Snapshot", &etcdpb__snapshot_response__descriptor);
	rpc_stream_send(s, &r.base);
	rpc_stream_end(s);
	return s;
}

static void the_last_bytes_are_the_sha256_of_the_others(void **state)
{
	unsigned char want[32];
	struct pki_digest *d = pki_digest_new();
	struct rpc_stream *s = ask();
	Etcdpb__SnapshotResponse *m, *before = NULL;
	uint64_t bytes = 0;
	assert_int_equal(rpc_stream_status(s), GRPC_OK);
	while (rpc_stream_waiting(s)) {
		m = rpc_stream_next(s);
		assert_int_equal(m->header->revision, 25);
		if (before) {
			pki_digest_add(d, before->blob.data, before->blob.len);
			bytes += before->blob.len;
			assert_int_equal(before->remaining_bytes > 0, rpc_stream_waiting(s) > 0);
		}
		before = m;
	}
	pki_digest_get(d, want);
	pki_digest_free(d);
	assert_true(bytes > 24 << 20);
	assert_int_equal(before->blob.len, sizeof want);
	assert_memory_equal(before->blob.data, want, sizeof want);
}

static void a_client_that_takes_nothing_is_cut_off(void **state)
{
	int fd = ask_and_stall();
	rpc_wait(has_one_open, NULL);
	rpc_wait(has_none, NULL);
	close(fd);
}

static void a_client_that_goes_away_ends_it(void **state)
{
	struct rpc_stream *s = ask();
	rpc_wait(has_one_open, NULL);
	rpc_stream_cancel(s);
	rpc_wait(has_none, NULL);
}

static void no_more_than_some_at_a_time(void **state)
{
	int fds[STORE_SNAPSHOTS_MAX];
	for (int i = 0; i < STORE_SNAPSHOTS_MAX; i++)
		fds[i] = ask_and_stall();
	rpc_wait(has_all, NULL);
	assert_int_equal(rpc_stream_status(ask()), GRPC_RESOURCE_EXHAUSTED);
	for (int i = 0; i < STORE_SNAPSHOTS_MAX; i++)
		close(fds[i]);
	rpc_wait(has_none, NULL);
}

static void writes_go_on_meanwhile(void **state)
{
	int fd = ask_and_stall();
	rpc_wait(has_one_open, NULL);
	assert_int_equal(rpc_put("k", "v"), 26);
	close(fd);
	rpc_wait(has_none, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(the_last_bytes_are_the_sha256_of_the_others, setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(a_client_that_takes_nothing_is_cut_off, setup_impatient, rpc_teardown),
	        cmocka_unit_test_setup_teardown(a_client_that_goes_away_ends_it, setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(no_more_than_some_at_a_time, setup, rpc_teardown),
	        cmocka_unit_test_setup_teardown(writes_go_on_meanwhile, setup, rpc_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
