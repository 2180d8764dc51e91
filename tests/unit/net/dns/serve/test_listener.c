/* Listeners: questions over UDP and TCP on a socket, pieces of any size, clients that go away, and the end at any time.
 */
#include "tests/unit/unit.h"

#include "net/dns/conf/conf.h"
#include "net/dns/resolve/chain.h"
#include "net/dns/resolve/metrics.h"
#include "net/dns/serve/listener.h"
#include "net/dns/zone/zone.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>

static struct loop loop;
static struct metrics *metrics;
static struct zone *zone;
static struct chain *chain;
static struct listener *listener;
static struct arena arena;
static uv_timer_t wake; /* sockets of the test are no handles of the loop */
static unsigned closed;

static int find(void *arg, struct arena *a, const char *pattern, const char ***ret, size_t *ret_n, struct err *e)
{
	*ret_n = 0;
	return 0;
}

static int read_file(void *arg, struct arena *a, const char *path, struct slice *ret, struct err *e)
{
	*ret = SLICE(". {\n hosts {\n 10.0.0.1 a.org\n 10.0.0.2 a.org\n }\n forward slow.org 127.0.0.1:1 {\n }\n}\n");
	return 0;
}

static bool is_synced(void *arg)
{
	return true;
}

static void is_closed(void *arg)
{
	closed++;
}

static int setup(void **state)
{
	const struct corefile_source source = {find, read_file, NULL};
	struct chain_env env = {&loop, NULL, NULL, is_synced, NULL, NULL};
	struct listener_options o = {.loop = &loop, .address = "127.0.0.1", .asked_port = 53, .chain = &chain};
	struct conf *conf;
	struct err err = ERR_INIT;
	loop_init(&loop, "test");
	loop_own(&loop);
	uv_timer_init(loop_uv(&loop), &wake);
	env.metrics = metrics = metrics_new();
	env.zone = zone = zone_new();
	assert_int_equal(conf_read(&source, "Corefile", &conf, &err), 0);
	chain = chain_new(&env, conf);
	unsigned tries = 0;
	while (listener_new(&o, &listener, &err) != 0) /* a port that is free for both */
		assert_true(++tries < 100);
	return 0;
}

static int teardown(void **state)
{
	closed = 0;
	if (listener)
		listener_close(listener, is_closed, NULL);
	else
		closed++;
	chain_close(chain, true, is_closed, NULL);
	while (closed < 2)
		loop_turn(&loop);
	listener = NULL;
	uv_close((uv_handle_t *)&wake, NULL);
	loop_stop(&loop);
	loop_run(&loop);
	loop_release(&loop);
	metrics_free(metrics);
	zone_free(zone);
	arena_release(&arena);
	return 0;
}

static size_t question(uint16_t id, const char *name, uint8_t *out)
{
	struct dns_message m = {.id = id, .type = DNS_A, .klass = DNS_CLASS_IN};
	assert_int_equal(dns_name_parse(&m.name, slice_of(name), NULL), 0);
	return dns_message_write(&m, out, 512);
}

static int client(int type)
{
	struct sockaddr_in s = {.sin_family = AF_INET,
	        .sin_port = htons((uint16_t)listener_port(listener)),
	        .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, type, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&s, sizeof s), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void tick(uv_timer_t *t)
{
}

/* Turns the loop until so many bytes have come; 0: until the other side has closed. */
static size_t receive(int fd, uint8_t *in, size_t want)
{
	size_t len = 0;
	uv_timer_start(&wake, tick, 1, 1);
	for (;;) {
		ssize_t n = recv(fd, in + len, 4096, 0);
		if (n == 0)
			break;
		len += n > 0 ? (size_t)n : 0;
		if (want && len >= want)
			break;
		loop_turn(&loop);
	}
	uv_timer_stop(&wake);
	return len;
}

static void is_answer(const uint8_t *in, size_t len, uint16_t id)
{
	struct dns_message m;
	assert_int_equal(dns_message_parse(&arena, &m, in, len, NULL), 0);
	assert_int_equal(m.id, id);
	assert_int_equal(m.sections[DNS_ANSWER].n, 2);
}

static void questions_over_udp_are_answered(void **state)
{
	uint8_t out[512], in[4096];
	int fd = client(SOCK_DGRAM);
	for (uint16_t i = 0; i < 100; i++) {
		assert_true(send(fd, out, question(i, "a.org", out), 0) > 0);
		is_answer(in, receive(fd, in, 12), i);
	}
	close(fd);
}

static void what_is_no_question_gets_no_answer(void **state)
{
	uint8_t out[512], in[4096];
	int fd = client(SOCK_DGRAM);
	memset(out, 0xff, sizeof out);
	send(fd, out, 11, 0);
	send(fd, out, 300, 0); /* an answer, it says */
	send(fd, out, question(9, "a.org", out), 0);
	is_answer(in, receive(fd, in, 12), 9);
	assert_int_equal(metrics->dropped, 2);
	close(fd);
}

static void questions_over_tcp_come_in_pieces_and_many_at_once(void **state)
{
	uint8_t out[20 * 512], in[20 * 512], *p = out;
	int fd = client(SOCK_STREAM);
	for (uint16_t i = 0; i < 20; i++) {
		size_t len = question(i, "a.org", p + 2);
		p[0] = 0;
		p[1] = (uint8_t)len;
		p += len + 2;
	}
	for (uint8_t *at = out; at < p; at++) {
		assert_int_equal(send(fd, at, 1, 0), 1);
		if ((at - out) % 5 == 0)
			uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
	}
	size_t one = 2u + 12 + 7 + 4 + 2 * 16, len = receive(fd, in, 20 * one);
	assert_int_equal(len, 20 * one);
	for (uint16_t i = 0; i < 20; i++)
		is_answer(in + i * one + 2, one - 2, i);
	shutdown(fd, SHUT_WR);
	assert_int_equal(receive(fd, in, 0), 0); /* and it closes when the client is done */
	close(fd);
}

static void clients_that_leave_while_they_are_answered_hurt_nobody(void **state)
{
	uint8_t out[514], in[4096];
	for (unsigned i = 0; i < 20; i++) {
		int fd = client(SOCK_STREAM);
		size_t len = question(1, "x.slow.org", out + 2);
		out[0] = 0;
		out[1] = (uint8_t)len;
		send(fd, out, len + 2, 0);
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
		close(fd);
	}
	int fd = client(SOCK_DGRAM);
	send(fd, out, question(5, "a.org", out), 0);
	is_answer(in, receive(fd, in, 12), 5);
	close(fd);
}

static void it_ends_while_questions_are_under_way(void **state)
{
	uint8_t out[514];
	int udp = client(SOCK_DGRAM), tcp = client(SOCK_STREAM);
	size_t len = question(1, "y.slow.org", out + 2);
	out[0] = 0;
	out[1] = (uint8_t)len;
	send(tcp, out, len + 2, 0);
	send(udp, out + 2, len, 0);
	for (unsigned i = 0; i < 5; i++)
		uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
	unsigned before = closed = 0;
	listener_close(listener, is_closed, NULL);
	listener = NULL;
	while (closed == before)
		loop_turn(&loop);
	close(udp);
	close(tcp);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(questions_over_udp_are_answered),
	        TEST(what_is_no_question_gets_no_answer),
	        TEST(questions_over_tcp_come_in_pieces_and_many_at_once),
	        TEST(clients_that_leave_while_they_are_answered_hurt_nobody),
	        TEST(it_ends_while_questions_are_under_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
