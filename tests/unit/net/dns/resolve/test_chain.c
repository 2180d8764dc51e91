/* Questions through a chain to upstreams that are made up: who is asked, what is believed, what is told when nobody
 * answers. */
#include "tests/unit/unit.h"

#include "base/wire/conn.h"
#include "net/dns/resolve/chain.h"
#include "net/dns/resolve/metrics.h"
#include "net/dns/zone/zone.h"

#include <arpa/inet.h>
#include <sys/socket.h>

/* An upstream on loopback, UDP and TCP on one port. */
struct upstream {
	int fd, port;
	uv_poll_t poll;
	struct conn_listener *listener;
	unsigned udp_questions, tcp_questions;
	bool is_silent, changes_case, cuts_off, forges, fails;
	uint8_t last_name[256];
};

static struct loop loop;
static struct upstream ups[2];
static struct metrics *metrics;
static struct zone *zone;
static struct chain *chain;
static struct arena arena;
static struct dns_message answer;
static bool answered, synced, closed, loop_was_found;
static char corefile[1024];

static size_t make_answer(struct upstream *u, const uint8_t *data, size_t len, uint8_t *out, bool over_tcp)
{
	struct dns_message m;
	assert_int_equal(dns_message_parse(&arena, &m, data, len, NULL), 0);
	memcpy(u->last_name, m.name.wire, m.name.len);
	m.flags |= DNS_FLAG_QR | DNS_FLAG_RA;
	m.rcode = u->fails ? DNS_SERVFAIL : DNS_NOERROR;
	if (u->changes_case && !over_tcp)
		dns_name_lower(m.name.wire, m.name.len);
	if (u->cuts_off && !over_tcp)
		m.flags |= DNS_FLAG_TC;
	else if (!u->fails)
		dns_message_add_copy(&arena, &m, DNS_ANSWER, (uint8_t *)arena_memdup(&arena, m.name.wire, m.name.len),
		        DNS_A, 60, over_tcp ? "\1\1\1\2" : "\1\1\1\1", 4);
	return dns_message_write(&m, out, 512);
}

static void on_question(uv_poll_t *h, int status, int events)
{
	struct upstream *u = h->data;
	uint8_t in[600], out[600];
	struct sockaddr_in from;
	socklen_t from_len = sizeof from;
	ssize_t n = recvfrom(u->fd, in, sizeof in, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
	if (n < 0)
		return;
	u->udp_questions++;
	if (u->is_silent)
		return;
	size_t len = make_answer(u, in, (size_t)n, out, false);
	if (u->forges) { /* three that are wrong before the one that is right */
		uint8_t forged[600];
		memcpy(forged, out, len);
		forged[0] ^= 1;
		sendto(u->fd, forged, len, 0, (struct sockaddr *)&from, from_len);
		memcpy(forged, out, len);
		forged[13] = 'z'; /* another name */
		sendto(u->fd, forged, len, 0, (struct sockaddr *)&from, from_len);
		sendto(u->fd, forged, 5, 0, (struct sockaddr *)&from, from_len);
	}
	sendto(u->fd, out, len, 0, (struct sockaddr *)&from, from_len);
}

static void tcp_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct upstream *u = arg;
	uint8_t out[602];
	u->tcp_questions++;
	size_t n = make_answer(u, (const uint8_t *)data + 2, len - 2, out + 2, true);
	out[0] = (uint8_t)(n >> 8);
	out[1] = (uint8_t)n;
	conn_write(c, out, n + 2);
}

static void tcp_end(struct conn *c, const struct err *err, void *arg)
{
	conn_close(c, 0);
}

static void tcp_accept(struct conn_listener *l, struct conn *c, void *arg)
{
	static const struct conn_callbacks callbacks = {.on_read = tcp_read, .on_end = tcp_end};
	conn_start(c, &callbacks, arg);
}

/* A port that is free for both. */
static bool take_port(struct upstream *u)
{
	struct sockaddr_in s = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof s;
	struct conn_listen_options o = {.on_accept = tcp_accept, .arg = u};
	struct err err = ERR_INIT;
	*u = (struct upstream){0};
	u->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(u->fd, (struct sockaddr *)&s, sizeof s), 0);
	getsockname(u->fd, (struct sockaddr *)&s, &len);
	u->port = ntohs(s.sin_port);
	if (conn_listen_tcp(&loop, "127.0.0.1", u->port, &o, &u->listener, &err) == 0)
		return true;
	close(u->fd);
	return false;
}

static void start_upstream(struct upstream *u)
{
	unsigned tries = 0;
	while (!take_port(u))
		assert_true(++tries < 100);
	uv_poll_init(loop_uv(&loop), &u->poll, u->fd);
	u->poll.data = u;
	uv_poll_start(&u->poll, UV_READABLE, on_question);
}

static bool is_synced(void *arg)
{
	return synced;
}

static void loop_found(void *arg, const char *where)
{
	loop_was_found = true;
}

static int find(void *arg, struct arena *a, const char *pattern, const char ***ret, size_t *ret_n, struct err *e)
{
	*ret_n = 0;
	return 0;
}

static int read_file(void *arg, struct arena *a, const char *path, struct slice *ret, struct err *e)
{
	*ret = slice_of(corefile);
	return 0;
}

/* %1 and %2 are the ports of the upstreams. */
static void start(const char *directives)
{
	const struct corefile_source source = {find, read_file, NULL};
	struct chain_env env = {&loop, zone, metrics, is_synced, loop_found, NULL};
	struct conf *conf;
	struct err err = ERR_INIT;
	snprintf(corefile, sizeof corefile, directives, ups[0].port, ups[1].port);
	if (conf_read(&source, "Corefile", &conf, &err) != 0)
		fail_msg("%s", err.msg);
	chain = chain_new(&env, conf);
}

static void on_answer(struct chain_request *r, const uint8_t *data, size_t len)
{
	uint8_t *copy = (uint8_t *)arena_memdup(&arena, data, len);
	assert_int_equal(dns_message_parse(&arena, &answer, copy, len, NULL), 0);
	answered = true;
}

static void on_answer_without_question(struct chain_request *r, const uint8_t *data, size_t len)
{
	assert_int_equal(len, DNS_HEADER_BYTES);
	assert_int_equal(data[3] & 0xf, DNS_FORMERR);
	answered = true;
}

static void send_question(const char *name, uint16_t type)
{
	uint8_t out[512];
	struct dns_message m = {.id = 7, .type = type, .klass = DNS_CLASS_IN, .flags = DNS_FLAG_RD};
	assert_int_equal(dns_name_parse(&m.name, slice_of(name), NULL), 0);
	struct chain_request *r = chain_request_new(chain);
	r->port = 53;
	r->client.ss_family = AF_INET;
	r->answer = on_answer;
	answered = false;
	chain_ask(r, out, dns_message_write(&m, out, sizeof out));
}

static unsigned ask(const char *name, uint16_t type)
{
	send_question(name, type);
	while (!answered)
		loop_turn(&loop);
	return answer.rcode;
}

static int setup(void **state)
{
	loop_init(&loop, "test");
	loop_own(&loop);
	metrics = metrics_new();
	zone = zone_new();
	synced = true;
	loop_was_found = false;
	start_upstream(&ups[0]);
	start_upstream(&ups[1]);
	return 0;
}

static void is_closed(void *arg)
{
	closed = true;
}

static int teardown(void **state)
{
	closed = false;
	chain_close(chain, true, is_closed, NULL);
	while (!closed)
		loop_turn(&loop);
	for (unsigned i = 0; i < 2; i++) {
		uv_close((uv_handle_t *)&ups[i].poll, NULL);
		conn_listener_close(ups[i].listener, NULL, NULL);
	}
	loop_stop(&loop);
	loop_run(&loop);
	loop_release(&loop);
	for (unsigned i = 0; i < 2; i++)
		close(ups[i].fd);
	metrics_free(metrics);
	zone_free(zone);
	arena_release(&arena);
	return 0;
}

static const uint8_t *first_address(void)
{
	assert_int_equal(answer.sections[DNS_ANSWER].n, 1);
	return answer.sections[DNS_ANSWER].list[0].data;
}

static void an_upstream_answers_and_the_cache_then_does(void **state)
{
	start(". {\n forward . 127.0.0.1:%d\n cache\n}\n");
	assert_int_equal(ask("Www.Example.org", DNS_A), DNS_NOERROR);
	assert_memory_equal(first_address(), "\1\1\1\1", 4);
	assert_int_equal(answer.id, 7);
	assert_true(answer.flags & DNS_FLAG_RA);
	assert_memory_equal(answer.sections[DNS_ANSWER].list[0].owner, "\3Www\7Example\3org", 17); /* as it was asked */
	assert_int_equal(ask("www.example.org", DNS_A), DNS_NOERROR);
	assert_int_equal(ups[0].udp_questions, 1);
	assert_int_equal(metrics->cache_hits[0], 1);
}

static void a_question_has_letters_of_random_case(void **state)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst.org";
	start(". {\n forward . 127.0.0.1:%d\n}\n");
	ask(name, DNS_A);
	bool upper = false, lower = false;
	for (unsigned i = 1; i < 40; i++) {
		upper |= ups[0].last_name[i] < 'a';
		lower |= ups[0].last_name[i] >= 'a';
	}
	assert_true(upper && lower);
}

static void who_changes_the_case_is_asked_over_tcp_and_then_spared(void **state)
{
	start(". {\n forward . 127.0.0.1:%d\n}\n");
	ups[0].changes_case = true;
	assert_int_equal(ask("abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.org", DNS_A), DNS_NOERROR);
	assert_memory_equal(first_address(), "\1\1\1\2", 4);
	assert_int_equal(ups[0].tcp_questions, 1);
	assert_int_equal(ask("bbcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.org", DNS_A), DNS_NOERROR);
	assert_memory_equal(first_address(), "\1\1\1\1", 4);
	assert_int_equal(ups[0].tcp_questions, 1);
}

static void what_was_cut_off_is_asked_for_over_tcp(void **state)
{
	start(". {\n forward . 127.0.0.1:%d\n}\n");
	ups[0].cuts_off = true;
	assert_int_equal(ask("a.org", DNS_A), DNS_NOERROR);
	assert_memory_equal(first_address(), "\1\1\1\2", 4);
	assert_false(answer.flags & DNS_FLAG_TC);
}

static void what_does_not_fit_the_question_is_not_believed(void **state)
{
	start(". {\n forward . 127.0.0.1:%d\n}\n");
	ups[0].forges = true;
	assert_int_equal(ask("aaaa.org", DNS_A), DNS_NOERROR);
	assert_memory_equal(first_address(), "\1\1\1\1", 4);
	assert_int_equal(ups[0].udp_questions, 1);
}

static void the_next_upstream_is_asked_when_one_is_not_there(void **state)
{
	start(". {\n forward . 127.0.0.1:1 127.0.0.1:%d {\n policy sequential\n }\n}\n");
	assert_int_equal(ask("a.org", DNS_A), DNS_NOERROR);
	assert_memory_equal(first_address(), "\1\1\1\1", 4);
}

static void when_nobody_answers_it_is_a_failure(void **state)
{
	start(". {\n forward . 127.0.0.1:1\n cache {\n serve_stale 1h verify\n }\n}\n");
	assert_int_equal(ask("a.org", DNS_A), DNS_SERVFAIL);
}

static void one_question_at_a_time_is_asked_however_many_ask_it(void **state)
{
	start(". {\n forward . 127.0.0.1:%d\n}\n");
	for (unsigned i = 0; i < 50; i++)
		send_question("a.org", DNS_A);
	while (!answered)
		loop_turn(&loop);
	assert_int_equal(ups[0].udp_questions, 1);
}

static void too_many_questions_are_refused(void **state)
{
	start(". {\n forward . 127.0.0.1:%d {\n max_concurrent 1\n }\n}\n");
	ups[0].is_silent = true;
	send_question("a.org", DNS_A);
	assert_int_equal(ask("b.org", DNS_A), DNS_REFUSED);
	assert_int_equal(metrics->forward_rejects, 1);
}

static void what_is_more_than_a_question_is_refused_unread(void **state)
{
	uint8_t out[4096];
	struct dns_message m = {.id = 7, .name = DNS_ROOT, .type = DNS_A, .klass = DNS_CLASS_IN};
	start(". {\n forward . 127.0.0.1:%d\n}\n");
	for (unsigned i = 0; i < 20; i++)
		dns_message_add_copy(&arena, &m, DNS_ANSWER, (const uint8_t *)"", DNS_A, 5, "\1\2\3\4", 4);
	struct chain_request *r = chain_request_new(chain);
	r->port = 53;
	r->client.ss_family = AF_INET;
	r->answer = on_answer_without_question;
	answered = false;
	chain_ask(r, out, dns_message_write(&m, out, sizeof out));
	assert_true(answered);
	assert_int_equal(ups[0].udp_questions, 0);
}

static void the_longest_zone_and_the_longest_forward_win(void **state)
{
	start(". {\n forward . 127.0.0.1:%d {\n except x.org\n }\n forward sub.org 127.0.0.1:%d\n}\nown.org {\n"
	      " hosts {\n 10.0.0.9 a.own.org\n }\n}\n");
	ask("a.sub.org", DNS_A);
	assert_int_equal(ups[1].udp_questions, 1);
	ask("a.org", DNS_A);
	assert_int_equal(ups[0].udp_questions, 1);
	assert_int_equal(ask("a.x.org", DNS_A), DNS_REFUSED);
	assert_int_equal(ask("a.own.org", DNS_A), DNS_NOERROR);
	assert_int_equal(
	        ask("b.own.org", DNS_A), DNS_SERVFAIL); /* nobody to fall through to, and no SOA to deny with */
}

static void denials_wait_until_the_cluster_is_known(void **state)
{
	start(". {\n kubernetes cluster.local\n}\n");
	synced = false;
	assert_int_equal(ask("web.default.svc.cluster.local", DNS_A), DNS_SERVFAIL);
	synced = true;
	assert_int_equal(ask("web.default.svc.cluster.local", DNS_A), DNS_NXDOMAIN);
	assert_int_equal(answer.sections[DNS_AUTHORITY].n, 1);
}

static void aliases_that_go_in_a_circle_end(void **state)
{
	static const char json[] =
	        "{\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"a.default.svc.cluster.local\"}}";
	struct rcbuf *r = record_pack_service(slice_of(json)), *ns = record_pack_namespace(SLICE("{}"));
	zone_set(zone, ZONE_NAMESPACE, SLICE("default"), ns, 1);
	zone_set(zone, ZONE_SERVICE, SLICE("default/a"), r, 1);
	rcbuf_unref(r);
	rcbuf_unref(ns);
	start(". {\n kubernetes cluster.local\n}\n");
	assert_int_equal(ask("a.default.svc.cluster.local", DNS_A), DNS_NOERROR);
	assert_in_range(answer.sections[DNS_ANSWER].n, 1, 16);
}

static void our_own_question_that_comes_back_is_a_loop(void **state)
{
	start(". {\n loop\n forward . 127.0.0.1:%d\n}\n");
	chain_detect_loops(chain);
	while (!ups[0].udp_questions)
		loop_turn(&loop);
	struct strbuf name = STRBUF_INIT;
	dns_name_text(&name, ups[0].last_name, true);
	assert_false(loop_was_found);
	assert_int_equal(ask(strbuf_cstr(&name), DNS_HINFO), DNS_SERVFAIL);
	assert_true(loop_was_found);
	strbuf_release(&name);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(an_upstream_answers_and_the_cache_then_does),
	        TEST(a_question_has_letters_of_random_case),
	        TEST(who_changes_the_case_is_asked_over_tcp_and_then_spared),
	        TEST(what_was_cut_off_is_asked_for_over_tcp),
	        TEST(what_does_not_fit_the_question_is_not_believed),
	        TEST(the_next_upstream_is_asked_when_one_is_not_there),
	        TEST(when_nobody_answers_it_is_a_failure),
	        TEST(one_question_at_a_time_is_asked_however_many_ask_it),
	        TEST(too_many_questions_are_refused),
	        TEST(what_is_more_than_a_question_is_refused_unread),
	        TEST(the_longest_zone_and_the_longest_forward_win),
	        TEST(denials_wait_until_the_cluster_is_known),
	        TEST(aliases_that_go_in_a_circle_end),
	        TEST(our_own_question_that_comes_back_is_a_loop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
