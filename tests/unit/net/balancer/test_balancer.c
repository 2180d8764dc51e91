/* A balancer between clients and servers on loopback: bytes and halves come through, servers that are not there are
 * passed over, a client leaves one that can't serve when another can, the list is kept, connections are bounded. */
#include "base/limits.h"
#include "base/wire/conn.h"
#include "net/balancer/balancer.h"
#include "tests/unit/base/wire/wire_test.h"

enum { SERVERS = 2, CLIENTS = 8 };

/* An HTTPS server that says whether it is ready, and counts who came for anything else. */
struct place {
	struct http_server *http;
	int status; /* of /readyz */
	unsigned asked;
	char address[32];
};

struct client {
	struct conn *conn;
	struct strbuf in;
	bool opened, ended, closed;
};

static struct place places[SERVERS];
static struct client clients[CLIENTS];
static struct balancer *b;
static bool is_closed;
static char file[64];
static unsigned changes;

static void handle(struct http_exchange *x, void *arg)
{
	struct place *p = arg;
	bool asks = slice_is(http_request(x)->path, "/readyz");
	p->asked += asks;
	http_respond_copy(x, asks ? p->status : 200, slice_of(p->address));
}

static void start_place(struct place *p)
{
	struct http_server_options o = {.loop = &loop, .handler = handle, .arg = p, .tls = server_tls};
	*p = (struct place){.status = 200};
	assert_int_equal(http_server_new(&o, &p->http, &err), 0);
	assert_int_equal(http_server_listen_tcp(p->http, "127.0.0.1", 0, &err), 0);
	snprintf(p->address, sizeof p->address, "127.0.0.1:%d", http_server_port(p->http));
}

static void place_closed(void *arg)
{
	((struct place *)arg)->http = NULL;
}

static void stop_place(struct place *p)
{
	http_server_close(p->http, 0, place_closed, p);
	WAIT_FOR(!p->http);
}

static void list_changed(void *arg)
{
	changes++;
}

static void begin_balancer(const char *fallback)
{
	struct balancer_options o = {.loop = &loop,
	        .address = "127.0.0.1",
	        .fallback = fallback,
	        .file = file,
	        .tls = client_tls,
	        .changed = list_changed};
	is_closed = false;
	changes = 0;
	assert_int_equal(balancer_new(&o, &b, &err), 0);
}

static void balancer_is_closed(void *arg)
{
	is_closed = true;
}

static void end_balancer(void)
{
	balancer_close(b, balancer_is_closed, NULL);
	WAIT_FOR(is_closed);
}

static void on_open(struct conn *c, const struct err *e, void *arg)
{
	((struct client *)arg)->opened = !e;
	((struct client *)arg)->ended |= e != NULL;
}

static void on_read(struct conn *c, const char *data, size_t len, void *arg)
{
	strbuf_add(&((struct client *)arg)->in, data, len);
}

static void on_end(struct conn *c, const struct err *e, void *arg)
{
	((struct client *)arg)->ended = true;
}

static void on_closed(struct conn *c, void *arg)
{
	struct client *k = arg;
	strbuf_release(&k->in);
	k->closed = true;
}

static struct client *connect_client(size_t i, bool tls)
{
	static const struct conn_callbacks callbacks = {on_open, on_read, on_end, NULL, on_closed};
	struct conn_connect_options o = {.tls = tls ? client_tls : NULL, .server_name = "localhost", .http_major = 1};
	struct client *k = &clients[i];
	*k = (struct client){0};
	k->conn = conn_connect_tcp(&loop, "127.0.0.1", balancer_port(b), &o, &callbacks, k);
	return k;
}

static bool has(const struct client *k, const char *text)
{
	return strstr(strbuf_cstr(&k->in), text) != NULL;
}

static void ask(struct client *k)
{
	static const char text[] = "GET /who HTTP/1.1\r\nHost: x\r\n\r\n";
	WAIT_FOR(k->opened);
	strbuf_reset(&k->in);
	conn_write(k->conn, text, sizeof text - 1);
	WAIT_FOR(has(k, "127.0.0.1:"));
}

static void drop(struct client *k)
{
	conn_close(k->conn, 0);
	WAIT_FOR(k->closed);
}

static void begin(void)
{
	loop_begin();
	snprintf(file, sizeof file, "/tmp/k3x-test-balancer-%d.json", (int)getpid());
	unlink(file);
	for (int i = 0; i < SERVERS; i++)
		start_place(&places[i]);
}

static void finish(void)
{
	end_balancer();
	for (int i = 0; i < SERVERS; i++)
		if (places[i].http)
			stop_place(&places[i]);
	unlink(file);
	loop_finish();
}

static void tls_goes_through_and_one_that_is_not_there_is_passed_over(void **state)
{
	begin();
	const char *list[] = {"127.0.0.1:1", places[0].address};
	begin_balancer("127.0.0.1:1");
	balancer_set_servers(b, list, 2);
	for (size_t i = 0; i < CLIENTS; i++) {
		ask(connect_client(i, true));
		assert_true(has(&clients[i], places[0].address));
	}
	assert_int_equal(balancer_connections(b), CLIENTS);
	for (size_t i = 0; i < CLIENTS; i++)
		drop(&clients[i]);
	WAIT_FOR(balancer_connections(b) == 0);
	finish();
}

static void connections_are_spread(void **state)
{
	unsigned at_first = 0;
	begin();
	const char *list[] = {places[0].address, places[1].address};
	begin_balancer(places[0].address);
	balancer_set_servers(b, list, 2);
	for (size_t i = 0; i < CLIENTS; i++) {
		ask(connect_client(i, true));
		at_first += has(&clients[i], places[0].address);
	}
	assert_int_equal(at_first, CLIENTS / 2);
	for (size_t i = 0; i < CLIENTS; i++)
		drop(&clients[i]);
	finish();
}

static void clients_leave_a_server_that_cannot_serve(void **state)
{
	begin();
	const char *list[] = {places[0].address, places[1].address};
	begin_balancer(places[0].address);
	balancer_set_servers(b, list, 2);
	ask(connect_client(0, true));
	struct place *first = has(&clients[0], places[0].address) ? &places[0] : &places[1];
	struct place *second = first == &places[0] ? &places[1] : &places[0];
	first->status = 503;
	WAIT_FOR(clients[0].ended);
	drop(&clients[0]);
	ask(connect_client(1, true));
	assert_true(has(&clients[1], second->address));
	second->status = 503; /* now neither can: as well off here as there */
	unsigned before = second->asked;
	WAIT_FOR(second->asked >= before + 3);
	assert_false(clients[1].ended);
	drop(&clients[1]);
	finish();
}

static void the_list_is_there_after_a_restart(void **state)
{
	begin();
	const char *list[] = {places[1].address};
	begin_balancer("127.0.0.1:1");
	balancer_set_servers(b, list, 1);
	assert_int_equal(changes, 1);
	balancer_set_servers(b, list, 1);
	assert_int_equal(changes, 1);
	end_balancer();
	begin_balancer("127.0.0.1:1");
	const char *known[4];
	assert_int_equal(balancer_servers(b, known, 4), 2);
	ask(connect_client(0, true));
	assert_true(has(&clients[0], places[1].address));
	drop(&clients[0]);
	end_balancer();
	FILE *f = fopen(file, "w");
	assert_non_null(f);
	fputs("{\"serv", f); /* torn */
	fclose(f);
	begin_balancer(places[0].address);
	ask(connect_client(0, true));
	assert_true(has(&clients[0], places[0].address));
	drop(&clients[0]);
	finish();
}

static void a_server_that_left_the_cluster_is_left(void **state)
{
	begin();
	const char *list[] = {places[0].address, places[1].address};
	begin_balancer("127.0.0.1:1");
	balancer_set_servers(b, list, 1);
	ask(connect_client(0, true));
	balancer_set_servers(b, list + 1, 1);
	WAIT_FOR(clients[0].ended);
	drop(&clients[0]);
	ask(connect_client(0, true));
	assert_true(has(&clients[0], places[1].address));
	drop(&clients[0]);
	finish();
}

static void without_a_server_clients_are_closed(void **state)
{
	begin();
	begin_balancer("127.0.0.1:1");
	connect_client(0, false);
	WAIT_FOR(clients[0].ended);
	drop(&clients[0]);
	finish();
}

/* A raw echo in place of a server, to see the halves end one by one. */
static struct conn *echo;
static bool echo_ended, echo_closed;

static void echo_read(struct conn *c, const char *data, size_t len, void *arg)
{
	if (*data == 'q')
		echo = c;
	conn_write(c, data, len);
}

static void echo_end(struct conn *c, const struct err *e, void *arg)
{
	if (c == echo)
		echo_ended = true;
	else
		conn_close(c, 0); /* the balancer, asking how this server is */
}

static void echo_is_closed(struct conn *c, void *arg)
{
	echo_closed |= c == echo;
}

static void echo_accept(struct conn_listener *l, struct conn *c, void *arg)
{
	static const struct conn_callbacks callbacks = {NULL, echo_read, echo_end, NULL, echo_is_closed};
	conn_start(c, &callbacks, NULL);
}

static void halves_end_by_themselves(void **state)
{
	struct conn_listener *l;
	struct conn_listen_options o = {.on_accept = echo_accept};
	char address[32];
	begin();
	assert_int_equal(conn_listen_tcp(&loop, "127.0.0.1", 0, &o, &l, &err), 0);
	snprintf(address, sizeof address, "127.0.0.1:%d", conn_listener_port(l));
	begin_balancer(address);
	struct client *k = connect_client(0, false);
	WAIT_FOR(k->opened);
	conn_write(k->conn, "question", 8);
	WAIT_FOR(has(k, "question"));
	conn_shutdown(k->conn);
	WAIT_FOR(echo_ended);
	conn_write(echo, " answer", 7);
	WAIT_FOR(has(k, "question answer"));
	conn_shutdown(echo);
	WAIT_FOR(k->ended);
	conn_close(echo, 0);
	drop(k);
	WAIT_FOR(echo_closed);
	WAIT_FOR(balancer_connections(b) == 0);
	conn_listener_close(l, NULL, NULL);
	finish();
}

static void it_may_close_at_every_turn(void **state)
{
	for (int turns = 0; turns < 30; turns++) {
		begin();
		const char *list[] = {"127.0.0.1:1", places[0].address, places[1].address};
		begin_balancer("127.0.0.1:1");
		for (size_t i = 0; i < 3; i++)
			connect_client(i, i > 0);
		for (int i = 0; i < turns; i++) {
			uv_run(loop_uv(&loop), UV_RUN_NOWAIT);
			if (i == turns / 2)
				balancer_set_servers(b, list, (size_t)(turns % 3 + 1));
		}
		end_balancer();
		for (size_t i = 0; i < 3; i++)
			drop(&clients[i]);
		for (int i = 0; i < SERVERS; i++)
			stop_place(&places[i]);
		unlink(file);
		loop_finish();
	}
}

static int setup(void **state)
{
	make_identities();
	return 0;
}

static int teardown(void **state)
{
	drop_identities();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(tls_goes_through_and_one_that_is_not_there_is_passed_over),
	        cmocka_unit_test(connections_are_spread),
	        cmocka_unit_test(clients_leave_a_server_that_cannot_serve),
	        cmocka_unit_test(the_list_is_there_after_a_restart),
	        cmocka_unit_test(a_server_that_left_the_cluster_is_left),
	        cmocka_unit_test(without_a_server_clients_are_closed),
	        cmocka_unit_test(halves_end_by_themselves),
	        cmocka_unit_test(it_may_close_at_every_turn),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
