/* The keys of a cluster, as they come out of the store: only what belongs there is written, and only beside its like.
 */
#include "tools/k3x/keys/server_keys.h"

#include "base/pki/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PEM(x) "\"-----BEGIN X-----\\n" x "\\n\""
#define ALL_BUT_CA \
	"\"server/tls/service.key\":" PEM("1") ",\"server/tls/client-ca.key\":" PEM( \
	        "2") ",\"server/tls/client-ca.crt\":" PEM("3") ",\"server/tls/etcd/peer-ca.key\":" PEM("4") ",\"serve" \
	                                                                                                    "r/tls/" \
	                                                                                                    "etcd/" \
	                                                                                                    "peer-ca." \
	                                                                                                    "crt\"" \
	                                                                                                    ":" PEM("5") ",\"server/tls/server-ca.key\":" PEM( \
	                                                                                                            "6")
#define KEYS(ca) "{" ALL_BUT_CA ",\"server/tls/server-ca.crt\":" PEM(ca) "}"

static struct err err;

static void what_belongs_is_taken_and_all_of_it_must_be_there(void **state)
{
	struct arena a = ARENA_INIT;
	struct server_key keys[SERVER_KEYS_MAX];
	size_t n;
	assert_int_equal(server_keys_parse(&a, SLICE(KEYS("7")), keys, &n, &err), 0);
	assert_int_equal(n, 7);
	assert_string_equal(keys[n - 1].place, "server/tls/server-ca.crt"); /* the last to be written */
	assert_int_equal(server_keys_parse(&a, SLICE("{" ALL_BUT_CA "}"), keys, &n, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "server/tls/server-ca.crt"));
	assert_int_equal(
	        server_keys_parse(&a, SLICE("{" ALL_BUT_CA ",\"server/tls/server-ca.crt\":\"x\"}"), keys, &n, &err),
	        ERR_INVAL);
	assert_int_equal(server_keys_parse(&a, SLICE("[]"), keys, &n, &err), ERR_INVAL);
	assert_int_equal(server_keys_parse(&a, SLICE("{"), keys, &n, &err), ERR_INVAL);
	arena_release(&a);
}

static void no_other_place_is_written(void **state)
{
	struct arena a = ARENA_INIT;
	struct server_key keys[SERVER_KEYS_MAX];
	size_t n;
	assert_int_equal(server_keys_parse(&a,
	                         SLICE("{" ALL_BUT_CA
	                               ",\"server/tls/server-ca.crt\":" PEM("7") ",\"../etc/shadow\":" PEM("x") "}"),
	                         keys, &n, &err),
	        0);
	for (size_t i = 0; i < n; i++)
		assert_null(strstr(keys[i].place, ".."));
	arena_release(&a);
}

static void write_sealed(struct server_settings *s, struct slice plain, struct slice with, int want)
{
	struct strbuf sealed = STRBUF_INIT;
	pki_seal(SLICE("secret"), plain, &sealed);
	err = ERR_INIT;
	assert_int_equal(server_keys_write(s, strbuf_slice(&sealed), with, &err), want);
	strbuf_release(&sealed);
}

static void keys_are_written_once_and_never_over_anothers(void **state)
{
	char folder[] = "/tmp/k3x-keys-XXXXXX", command[160];
	struct stat st;
	assert_non_null(mkdtemp(folder));
	struct server_settings s = {.data_dir = folder};
	snprintf(command, sizeof command, "mkdir -p %s/server/tls/etcd", folder);
	assert_int_equal(system(command), 0);
	write_sealed(&s, SLICE(KEYS("7")), SLICE("other"), ERR_UNAUTHENTICATED);
	assert_int_not_equal(access(server_file(&s, "server/tls/service.key"), F_OK), 0);
	write_sealed(&s, SLICE(KEYS("7")), SLICE("secret"), 0);
	assert_int_equal(stat(server_file(&s, "server/tls/server-ca.key"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	write_sealed(&s, SLICE(KEYS("7")), SLICE("secret"), 0); /* again, as after a crash */
	assert_int_equal(unlink(server_file(&s, "server/token")), 0);
	write_sealed(&s, SLICE(KEYS("8")), SLICE("secret"), ERR_CONFLICT);
	assert_int_not_equal(access(server_file(&s, "server/token"), F_OK), 0); /* nothing of it was written */
	assert_non_null(strstr(err.msg, "of another cluster"));
	snprintf(command, sizeof command, "rm -r %s", folder);
	assert_int_equal(system(command), 0);
	arena_release(&s.arena);
}

/* A crash in the middle leaves a key beside the certificate of another: the next start ends it. */
static void new_keys_that_were_half_written_are_in_place_at_the_next_start(void **state)
{
	char folder[] = "/tmp/k3x-keys-XXXXXX", command[160], *text;
	assert_non_null(mkdtemp(folder));
	struct server_settings s = {.data_dir = folder};
	snprintf(command, sizeof command, "mkdir -p %s/server/tls/etcd", folder);
	assert_int_equal(system(command), 0);
	err = ERR_INIT;
	assert_int_equal(server_keys_resume(&s, &err), 0); /* there is nothing to do */
	write_sealed(&s, SLICE(KEYS("7")), SLICE("secret"), 0);
	static const char changed[] = "{\"secret\":\"other\",\"server/tls/etcd/seal.key\":" PEM(
	        "4") "," ALL_BUT_CA ",\"server/tls/server-ca.crt\":" PEM("8") "}";
	assert_int_equal(pki_file_write(server_file(&s, "server/tls/following"), SLICE(changed), 0600, &err), 0);
	assert_int_equal(server_keys_resume(&s, &err), 0);
	assert_int_equal(pki_file_read(server_file(&s, "server/tls/server-ca.crt"), &text, NULL, &err), 0);
	assert_string_equal(text, "-----BEGIN X-----\n8\n");
	free(text);
	assert_int_equal(pki_file_read(server_file(&s, "server/token"), &text, NULL, &err), 0);
	assert_non_null(strstr(text, "::server:other\n"));
	free(text);
	assert_int_not_equal(access(server_file(&s, "server/tls/following"), F_OK), 0);
	/* What is no such text is told, and stays to be looked at. */
	assert_int_equal(pki_file_write(server_file(&s, "server/tls/following"), SLICE("{\"a\""), 0600, &err), 0);
	assert_int_not_equal(server_keys_resume(&s, &err), 0);
	assert_non_null(strstr(err.msg, "new keys that were being written"));
	snprintf(command, sizeof command, "rm -r %s", folder);
	assert_int_equal(system(command), 0);
	arena_release(&s.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_belongs_is_taken_and_all_of_it_must_be_there),
	        cmocka_unit_test(no_other_place_is_written),
	        cmocka_unit_test(keys_are_written_once_and_never_over_anothers),
	        cmocka_unit_test(new_keys_that_were_half_written_are_in_place_at_the_next_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
