/* Elements that we write are to the kernel what nft writes (net/nft_elements.h), for all that the proxy has. */
#include "tests/unit/unit.h"

#include "net/nft_elements.h"
#include "net/proxy/proxy_rules_int.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

static int fd;
static unsigned port;

/* Runs nft on a text; what it prints. */
static const char *nft(const char *text)
{
	static char out[32768];
	char name[] = "/tmp/test-nft-XXXXXX", command[64];
	int file = mkstemp(name);
	assert_int_equal(write(file, text, strlen(text)), strlen(text));
	close(file);
	snprintf(command, sizeof command, "nft -f %s 2>&1", name);
	FILE *f = popen(command, "r");
	out[fread(out, 1, sizeof out - 1, f)] = 0;
	if (pclose(f) != 0)
		fail_msg("%s: %s", text, out);
	unlink(name);
	return out;
}

static void make_table(const struct proxy_family *f)
{
	struct strbuf s = STRBUF_INIT;
	proxy_rules_frame(&s, f, f->family == IP_V6 ? "fd42::/56" : "10.42.0.0/16", "", false);
	strbuf_addf(&s, "add chain %s tcp-of-2\n", f->table);
	nft(strbuf_cstr(&s));
	strbuf_release(&s);
}

static char *listed(const struct proxy_family *f)
{
	char text[64];
	snprintf(text, sizeof text, "list table %s\n", f->table);
	return xstrdup(nft(text));
}

static bool encode(struct strbuf *batch, const struct proxy_family *f, const char *commands)
{
	return nft_elements_encode(batch, f->table, proxy_sets, proxy_sets_count, slice_of(commands));
}

static int apply(const struct proxy_family *f, const char *commands)
{
	struct strbuf batch = STRBUF_INIT;
	assert_true(encode(&batch, f, commands));
	int rc = nft_elements_send(fd, strbuf_slice(&batch));
	strbuf_release(&batch);
	return rc;
}

/* By nft into one table, by us into its like. */
static void means_what_nft_means(const struct proxy_family *f, const char *commands)
{
	make_table(f);
	nft(commands);
	char *wanted = listed(f);
	make_table(f);
	assert_int_equal(apply(f, commands), 0);
	char *is = listed(f);
	assert_string_equal(is, wanted);
	free(is);
	free(wanted);
}

#define V4 "element ip k3x-proxy "
#define V6 "element ip6 k3x-proxy "

static const char added_v4[] =
        "add " V4 "services { 10.43.0.9 . tcp . 80 : goto tcp-of-2, 10.43.0.9 . udp . 53 : goto tcp-of-2 }\n"
        "add " V4 "tcp-endpoints { 10.43.0.9 . 80 . 0 : 10.42.0.5 . 8080, 10.43.0.9 . 80 . 1 : "
        "10.42.1.6 . 65535 }\n"
        "add " V4 "udp-endpoints { 10.43.0.9 . 53 . 300 : 10.42.0.5 . 5353 }\n"
        "add " V4 "sctp-endpoints { 10.43.0.9 . 7 . 0 : 10.42.0.5 . 7 }\n"
        "add " V4 "externals { 192.0.2.1 . sctp . 7 : goto tcp-of-2 }\n"
        "add " V4 "node-ports { tcp . 30080 : goto tcp-of-2 }\n"
        "add " V4 "refused { 10.43.0.10 . tcp . 80 }\n"
        "add " V4 "refused-ports { udp . 30081 }\n"
        "add " V4 "cluster-ips { 10.43.0.9 }\n"
        "add " V4 "hairpin { 10.42.0.5 . 10.42.0.5, 10.42.1.6 . 10.42.1.6 }\n";

static void elements_of_ipv4_are_those_of_nft(void **state)
{
	means_what_nft_means(&proxy_families[IP_V4], added_v4);
}

static void elements_of_ipv6_are_those_of_nft(void **state)
{
	means_what_nft_means(&proxy_families[IP_V6],
	        "add " V6 "services { fd43::9 . tcp . 80 : goto tcp-of-2 }\n"
	        "add " V6 "tcp-endpoints { fd43::9 . 80 . 0 : fd42::5 . 8080, fd43::9 . 80 . 1 : fd42::6 . 1 }\n"
	        "add " V6 "externals { 2001:db8::1 . udp . 7 : goto tcp-of-2 }\n"
	        "add " V6 "node-ports { sctp . 30080 : goto tcp-of-2 }\n"
	        "add " V6 "refused { fd43::10 . tcp . 80 }\n"
	        "add " V6 "cluster-ips { fd43::9 }\n"
	        "add " V6 "hairpin { fd42::5 . fd42::5 }\n");
}

static void elements_are_replaced_in_one_transaction(void **state)
{
	const struct proxy_family *f = &proxy_families[IP_V4];
	make_table(f);
	assert_int_equal(apply(f, added_v4), 0);
	assert_int_equal(apply(f, "delete " V4 "tcp-endpoints { 10.43.0.9 . 80 . 0, 10.43.0.9 . 80 . 1 }\n"
	                          "delete " V4 "services { 10.43.0.9 . tcp . 80 }\n"
	                          "add " V4 "tcp-endpoints { 10.43.0.9 . 80 . 0 : 10.42.0.7 . 8080 }\n"
	                          "add " V4 "refused { 10.43.0.9 . tcp . 80 }\n"),
	        0);
	char *is = listed(f);
	assert_non_null(strstr(is, "elements = { 10.43.0.9 . 80 . 0 : 10.42.0.7 . 8080 }"));
	assert_null(strstr(is, "10.43.0.9 . tcp . 80 : goto"));
	free(is);
}

static void all_or_nothing_is_taken(void **state)
{
	const struct proxy_family *f = &proxy_families[IP_V4];
	make_table(f);
	char *before = listed(f);
	assert_int_equal(apply(f, "add " V4 "cluster-ips { 10.43.0.9 }\ndelete " V4 "refused { 10.43.0.9 . tcp . 80 }\n"
	                          "add " V4 "cluster-ips { 10.43.0.10 }\n"),
	        ENOENT);
	assert_int_equal(apply(f, "add " V4 "services { 10.43.0.9 . tcp . 80 : goto nowhere }\n"), ENOENT);
	char *after = listed(f);
	assert_string_equal(after, before);
	assert_int_equal(apply(f, "add " V4 "cluster-ips { 10.43.0.9 }\n"), 0); /* earlier answers don't count */
	free(before);
	free(after);
}

/* As many as a batch may have are told of in one answer. */
static void a_large_batch_is_taken(void **state)
{
	const struct proxy_family *f = &proxy_families[IP_V4];
	struct strbuf s = STRBUF_INIT;
	make_table(f);
	for (int i = 0; i < 700; i++)
		strbuf_addf(&s, "add " V4 "cluster-ips { 10.43.%d.%d }\n", i / 250, i % 250);
	assert_int_equal(apply(f, strbuf_cstr(&s)), 0);
	char *is = listed(f);
	assert_non_null(strstr(is, "10.43.2.199"));
	free(is);
	strbuf_release(&s);
}

static void all_else_is_left_to_nft(void **state)
{
	static const char *const commands[] = {"", "add chain ip k3x-proxy c\n", "add " V4 "unknown { 1 }\n",
	        "add " V6 "cluster-ips { fd43::9 }\n", "add " V4 "cluster-ips { fd43::9 }\n",
	        "add " V4 "cluster-ips { 10.43.0.9\n", "add " V4 "cluster-ips { 10.43.0.9 . 80 }\n",
	        "add " V4 "refused { 10.43.0.9 . tcp }\n", "add " V4 "refused { 10.43.0.9 . icmp . 80 }\n",
	        "add " V4 "refused { 10.43.0.9 . tcp . 65536 }\n",
	        "add " V4 "services { 10.43.0.9 . tcp . 80 : accept }\n",
	        "add " V4 "services { 10.43.0.9 . tcp . 80 }\n", "flush " V4 "cluster-ips { 10.43.0.9 }\n", "add " V4,
	        "add " V4 "cluster-ips {\n", "add " V4 "cluster-ips { 10.43.0.9 }\nflush set ip k3x-proxy hairpin\n"};
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		struct strbuf batch = STRBUF_INIT;
		if (encode(&batch, &proxy_families[IP_V4], commands[i]))
			fail_msg("taken: %s", commands[i]);
		strbuf_release(&batch);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(elements_of_ipv4_are_those_of_nft),
	        cmocka_unit_test(elements_of_ipv6_are_those_of_nft),
	        cmocka_unit_test(elements_are_replaced_in_one_transaction),
	        cmocka_unit_test(all_or_nothing_is_taken),
	        cmocka_unit_test(a_large_batch_is_taken),
	        cmocka_unit_test(all_else_is_left_to_nft),
	};
	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
		print_message("SKIP not root: nftables cannot be tried\n");
		return 0;
	}
	fd = nft_elements_open(&port);
	assert_true(fd >= 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
