/* Corefiles: what they mean, and what is refused, with its place. */
#include "tests/unit/unit.h"

#include "net/dns/conf/conf.h"

#include <fnmatch.h>

/* Files that are texts of the test. */
struct file {
	const char *path, *text;
};
static struct file files[8];
static struct conf *conf;
static struct err err;

static int find(void *arg, struct arena *a, const char *pattern, const char ***ret, size_t *ret_n, struct err *e)
{
	size_t len = strcspn(pattern, "*");
	*ret = ARENA_ARRAY(a, const char *, 8);
	*ret_n = 0;
	for (size_t i = 0; i < 8 && files[i].path; i++)
		if (fnmatch(pattern, files[i].path, 0) == 0)
			(*ret)[(*ret_n)++] = files[i].path;
	return *ret_n || pattern[len] ? 0 : err_set(e, ERR_NOT_FOUND, "%s is not there", pattern);
}

static int read_file(void *arg, struct arena *a, const char *path, struct slice *ret, struct err *e)
{
	for (size_t i = 0; i < 8 && files[i].path; i++)
		if (strcmp(files[i].path, path) == 0) {
			*ret = slice_of(files[i].text);
			return 0;
		}
	return err_set(e, ERR_NOT_FOUND, "open %s: no such file", path);
}

static const struct corefile_source source = {find, read_file, NULL};

static int load(const char *text)
{
	conf_free(conf);
	conf = NULL;
	err = ERR_INIT;
	files[0] = (struct file){"/etc/Corefile", text};
	return conf_read(&source, "/etc/Corefile", &conf, &err);
}

static void reads(const char *text)
{
	if (load(text) != 0)
		fail_msg("%s", err.msg);
}

static void refuses(const char *text, const char *why)
{
	assert_true(load(text) != 0);
	if (!strstr(err.msg, why))
		fail_msg("'%s' is not in: %s", why, err.msg);
}

static int setup(void **state)
{
	memset(files, 0, sizeof files);
	return 0;
}

static int teardown(void **state)
{
	conf_free(conf);
	conf = NULL;
	return 0;
}

static void the_stock_corefile_is_read(void **state)
{
	files[1] = (struct file){
	        "/etc/resolv.conf", "search x\nnameserver 10.0.0.1 \n#nameserver 9.9.9.9\nnameserver fd00::1\n"};
	files[2] = (struct file){"/etc/custom/a.override", "log\n"};
	files[3] = (struct file){"/etc/custom/b.server", "corp:5353 { # stub\n forward . 10.1.1.1:5300\n}\n"};
	reads(".:53 {\n errors\n health {\n  lameduck 5s\n }\n ready\n kubernetes cluster.local in-addr.arpa ip6.arpa "
	      "{\n"
	      "  pods insecure\n  fallthrough in-addr.arpa ip6.arpa\n }\n hosts /etc/NodeHosts {\n  ttl 60\n  reload "
	      "15s\n"
	      "  fallthrough\n }\n prometheus :9153\n forward . /etc/resolv.conf\n cache 30\n loop\n reload\n "
	      "loadbalance\n"
	      " import custom/*.override\n}\nimport custom/*.server\n");
	assert_int_equal(conf->n_blocks, 2);
	const struct conf_block *b = &conf->blocks[0];
	assert_true(b->errors && b->loop && b->loadbalance && b->log);
	assert_int_equal(conf->health.port, 8080);
	assert_int_equal(conf->ready.port, 8181);
	assert_int_equal(conf->metrics.port, 9153);
	assert_int_equal(conf->lameduck_ms, 5000);
	assert_int_equal(conf->reload_ms, 30000);
	assert_true(conf->wants_cluster);
	assert_int_equal(b->kubernetes->pods, CONF_PODS_INSECURE);
	assert_int_equal(b->kubernetes->zones.n, 3);
	assert_int_equal(b->hosts->ttl_s, 60);
	assert_int_equal(b->hosts->reload_ms, 15000);
	assert_true(b->hosts->fall.is_on);
	assert_int_equal(b->cache->success.ttl_s_max, 30);
	assert_int_equal(b->forwards[0].n_upstreams, 2);
	assert_string_equal(b->forwards[0].upstreams[0].text, "10.0.0.1:53");
	assert_string_equal(b->forwards[0].upstreams[1].text, "[fd00::1]:53");
	assert_int_equal(conf->blocks[1].keys[0].port, 5353);
	assert_string_equal(conf->blocks[1].forwards[0].upstreams[0].text, "10.1.1.1:5300");
}

static bool falls(const char *text)
{
	struct dns_name n;
	assert_int_equal(dns_name_parse(&n, slice_of(text), NULL), 0);
	return conf_falls(&conf->blocks[0].kubernetes->fall, n.wire);
}

static void falling_through_is_for_zones(void **state)
{
	reads(". {\n kubernetes cluster.local 10.0.0.0/8 {\n fallthrough 10.in-addr.arpa\n }\n}\n");
	assert_true(falls("1.10.in-addr.arpa"));
	assert_false(falls("x.cluster.local"));
	reads(". {\n kubernetes cluster.local\n}\n");
	assert_false(falls("x.cluster.local"));
	reads(". {\n kubernetes cluster.local {\n fallthrough\n }\n}\n");
	assert_true(falls("x.cluster.local"));
}

static void options_are_read(void **state)
{
	reads("a.org, b.org:54 c.org {\n bind 127.0.0.1 ::1\n bufsize 1400\n"
	      " forward . 1.1.1.1 8.8.8.8 {\n except x.org\n policy sequential\n max_fails 0\n health_check 2s no_rec "
	      "domain h.org\n"
	      "  force_tcp\n max_concurrent 7\n }\n forward z.a.org 9.9.9.9\n"
	      " cache {\n success 10 20 3\n denial 11\n serve_stale 2h verify\n servfail 7s\n disable denial\n }\n"
	      " hosts {\n 10.0.0.1 \"a.b\" c\n no_reverse\n }\n}\n");
	const struct conf_block *b = &conf->blocks[0];
	assert_int_equal(b->n_keys, 3);
	assert_int_equal(b->keys[1].port, 54);
	assert_int_equal(b->n_binds, 2);
	assert_int_equal(b->udp_bytes_max, 1400);
	assert_int_equal(b->n_forwards, 2);
	const struct conf_forward *f = &b->forwards[0];
	assert_true(f->policy == CONF_SEQUENTIAL && f->max_fails == 0 && f->health_ms == 2000 && f->health_no_rec);
	assert_true(f->force_tcp && f->max_concurrent == 7 && f->except.n == 1);
	const struct conf_cache *c = b->cache;
	assert_true(c->success.records_max == 10 && c->success.ttl_s_max == 20 && c->success.ttl_s_min == 3);
	assert_true(c->stale == CONF_STALE_VERIFY && c->stale_ms == 7200000 && c->servfail_s == 7 && c->denial.is_off);
	assert_null(b->hosts->path);
	assert_memory_equal(b->hosts->inline_text.ptr, "10.0.0.1 a.b c\n", 15);
}

static void snippets_and_variables_are_put_in(void **state)
{
	setenv("K3X_TEST_ZONE", "env.org", 1);
	reads("(common) {\n errors\n cache 7\n}\n{$K3X_TEST_ZONE} {\n import common\n}\n");
	assert_true(conf->blocks[0].errors);
	assert_int_equal(conf->blocks[0].cache->success.ttl_s_max, 7);
	assert_int_equal(conf->blocks[0].keys[0].zone.wire[0], 3);
	unsetenv("K3X_TEST_ZONE");
}

static void what_is_not_known_is_named_with_its_place(void **state)
{
	refuses(". {\n errors\n\n frob x\n}\n", "/etc/Corefile:4: unknown directive \"frob\"");
	refuses(". {\n template IN A\n}\n", "/etc/Corefile:2: the directive \"template\" is not supported");
	refuses(". {\n kubernetes cluster.local {\n  multicluster\n }\n}\n",
	        "/etc/Corefile:3: kubernetes: \"multicluster\"");
	refuses(". {\n forward . 1.1.1.1 {\n tls\n }\n}\n", ":3: forward: \"tls\"");
	refuses(". {\n forward . tls://1.1.1.1\n}\n", "UDP and TCP alone");
	refuses(". {\n cache {\n prefetch 1\n }\n}\n", ":3: cache: \"prefetch\"");
	refuses(". {\n rewrite edns0 local set 0xffee 0x61\n}\n", "names alone are rewritten");
	refuses(". {\n errors {\n consolidate 5m x\n }\n}\n", "\"consolidate\"");
	refuses("tls://. {\n}\n", "dns:// is the only way");
}

static void what_is_wrong_is_told(void **state)
{
	refuses("", "no server block");
	refuses(". {\n", "never closed");
	refuses("}\n", "a closing brace without one that opens");
	refuses(". {\n errors }\n", "a line of its own");
	refuses(". { errors\n}\n", "begins on the next line");
	refuses(". {\n log \"x\n}\n", ":2: a quote does not end");
	refuses("errors\n", "a server block is a zone");
	refuses(". {\n errors\n errors\n}\n", "stands twice");
	refuses(". {\n}\n. {\n}\n", "those of the server block at /etc/Corefile:1");
	refuses(".:99999 {\n}\n", "no port");
	refuses("a..b {\n}\n", "empty label");
	refuses(". {\n forward .\n}\n", "arguments are missing");
	refuses(". {\n forward . nohost\n}\n", "\"nohost\" is no address");
	refuses(". {\n forward . /etc/nothing\n}\n", ":2: forward: open /etc/nothing");
	refuses(". {\n cache x {\n success 0\n }\n}\n", "no number from 1");
	refuses(". {\n reload 1s\n}\n", "at least 2s");
	refuses(". {\n kubernetes in-addr.arpa\n}\n", "a zone for names");
	refuses(". {\n import nothing\n}\n", ":2: import: /etc/nothing is not there");
	refuses(". {\n import Corefile\n}\n", "in a circle");
	refuses(". {\n rewrite name regex a(b c\n}\n", "the pattern");
	refuses(". {\n rewrite name regex a++++++++++++++++++++++++++++++++++++ c\n}\n", "repeats too much");
	refuses(". {\n rewrite name regex ((((((((a+)+)+)+)+)+)+)+)+ c\n}\n", "repeats too much");
	refuses(". {\n rewrite name regex ((((((((((a[[:alpha:]))))))))))]+)+)+)+)+)+)+)+)+)+ c\n}\n",
	        "repeats too much");
	refuses(". {\n rewrite name regex (a{99}){99} c\n}\n", "repeats too much");
	refuses(". {\n rewrite name regex \\d+ c\n}\n", "write [0-9]");
	refuses(". {\n rewrite name a b answer name c d\n}\n", "answer auto");
	refuses("10.0.0.0/9 {\n}\n", "between labels");
}

static void changes_change_the_hash(void **state)
{
	reads(". {\n errors\n}\n");
	uint64_t first = conf->hash;
	reads(". {   # a comment\n\terrors\n\n}");
	assert_true(conf->hash == first);
	reads(". {\n log\n}\n");
	assert_true(conf->hash != first);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(the_stock_corefile_is_read),
	        TEST(falling_through_is_for_zones),
	        TEST(options_are_read),
	        TEST(snippets_and_variables_are_put_in),
	        TEST(what_is_not_known_is_named_with_its_place),
	        TEST(what_is_wrong_is_told),
	        TEST(changes_change_the_hash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
