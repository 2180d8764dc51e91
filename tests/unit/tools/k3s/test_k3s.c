/* k3s's flags: what the table calls honoured the real parsers take, what it refuses they refuse with its words, and the
 * page in docs/ is what it says. */
#include "tests/unit/unit.h"

#include "base/check.h"
#include "tools/k3s/k3s.h"
#include "tools/programs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} programs[] = {
        {"server", server_main},
        {"agent", agent_main},
        {"etcd-snapshot", etcd_snapshot_main},
        {"token", token_main},
        {"secrets-encrypt", secrets_encrypt_main},
        {"certificate", certificate_main},
};

/* Runs `k3x COMMAND ARGS...` in a process of its own; what it writes to both outputs is in `out`. The exit code. */
static int run(const char *command, char *const *more, const char *env, char *out, size_t size)
{
	char words[64], *argv[8], *rest;
	int argc = 0, fds[2], status;
	snprintf(words, sizeof words, "%s", command);
	for (char *w = strtok_r(words, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
		argv[argc++] = w;
	for (; *more; more++)
		argv[argc++] = *more;
	argv[argc] = NULL;
	assert_int_equal(pipe(fds), 0);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		close(fds[0]);
		close(fds[1]);
		if (env)
			setenv(env, "yes, it is set", 1);
		int code = 99;
		for (size_t i = 0; i < COUNT_OF(programs); i++)
			if (strcmp(programs[i].name, argv[0]) == 0)
				code = programs[i].main(argc, argv);
		fflush(stdout);
		_exit(code);
	}
	close(fds[1]);
	size_t len = 0;
	ssize_t n;
	while ((n = read(fds[0], out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = 0;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

enum { OUT_BYTES = 64 << 10 };
static char out[OUT_BYTES], table[OUT_BYTES];

/* Values of which each flag takes one. */
static const char *const values[] = {"true", "1"};

static bool is_taken(const char *command, const char *name)
{
	char arg[128];
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		snprintf(arg, sizeof arg, "--%s=%s", name, values[i]);
		if (run(command, (char *[]){arg, "--help", NULL}, NULL, out, sizeof out) == 0)
			return true;
	}
	return false;
}

/* The row of a flag in what --help=table printed; NULL: there is none. */
static const char *row_of(const char *name)
{
	char begin[128];
	snprintf(begin, sizeof begin, "%s\t", name);
	size_t len = strlen(begin);
	for (const char *line = table; *line; line = strchr(line, '\n') + 1)
		if (strncmp(line, begin, len) == 0)
			return line + len;
	return NULL;
}

static void check_honoured(const char *command, const struct k3s_flag *k)
{
	const char *row = row_of(k->name);
	char letter[4], env[128];
	if (!row || !is_taken(command, k->name))
		fail_msg("k3x %s does not take --%s: %s", command, k->name, out);
	if (k->letter) {
		snprintf(letter, sizeof letter, "%c\t", k->letter);
		if (strncmp(row, letter, 2) != 0)
			fail_msg("k3x %s: --%s is not -%c", command, k->name, k->letter);
	}
	if (k->env) {
		snprintf(env, sizeof env, "\t%s\t", k->env);
		const char *at = strstr(row, env);
		if (!at || at > strchr(row, '\n'))
			fail_msg("k3x %s: --%s does not listen to %s", command, k->name, k->env);
	}
}

static void check_refused(const char *command, const struct k3s_flag *k)
{
	char arg[128];
	snprintf(arg, sizeof arg, "--%s=%s", k->name, "what nobody has");
	if (row_of(k->name))
		fail_msg("k3x %s: --%s is both refused and there", command, k->name);
	if (run(command, (char *[]){arg, NULL}, NULL, out, sizeof out) == 0 || !strstr(out, k->note))
		fail_msg("k3x %s: --%s is not answered with its words: %s", command, k->name, out);
	if (k->env && (run(command, (char *[]){"--help", NULL}, k->env, out, sizeof out) == 0 || !strstr(out, k->note)))
		fail_msg("k3x %s: %s is not answered", command, k->env);
	snprintf(arg, sizeof arg, "--%s=%s", k->name, k->value ? k->value : "");
	if (k->answer == K3S_FIXED && run(command, (char *[]){arg, "--help", NULL}, NULL, out, sizeof out) != 0)
		fail_msg("k3x %s does not take %s: %s", command, arg, out);
}

static void check_command(const struct k3s_command *c)
{
	if (!c->groups[0].count)
		return;
	assert_int_equal(run(c->name, (char *[]){"--help=table", NULL}, NULL, table, sizeof table), 0);
	for (size_t g = 0; g < COUNT_OF(c->groups); g++)
		for (size_t i = 0; i < c->groups[g].count; i++) {
			const struct k3s_flag *k = &c->groups[g].rows[i];
			(k->answer == K3S_AS_IS ? check_honoured : check_refused)(c->name, k);
		}
}

static void each_flag_of_k3s_has_the_answer_that_the_table_gives(void **state)
{
	for (size_t i = 0; i < k3s_command_count; i++)
		check_command(&k3s_commands[i]);
}

static void what_is_refused_says_what_to_use(void **state)
{
	for (size_t i = 0; i < k3s_command_count; i++)
		for (size_t g = 0; g < COUNT_OF(k3s_commands[i].groups); g++)
			for (size_t j = 0; j < k3s_commands[i].groups[g].count; j++) {
				const struct k3s_flag *k = &k3s_commands[i].groups[g].rows[j];
				if (k->answer != K3S_AS_IS)
					assert_non_null(k->note);
				if (k->answer == K3S_FIXED)
					assert_non_null(k->value);
			}
}

static void no_flag_stands_twice_in_a_command(void **state)
{
	for (size_t i = 0; i < k3s_command_count; i++) {
		const char *seen[256];
		size_t n = 0;
		for (size_t g = 0; g < COUNT_OF(k3s_commands[i].groups); g++)
			for (size_t j = 0; j < k3s_commands[i].groups[g].count; j++) {
				const char *name = k3s_commands[i].groups[g].rows[j].name;
				for (size_t s = 0; s < n; s++)
					if (strcmp(seen[s], name) == 0)
						fail_msg("k3x %s: --%s stands twice", k3s_commands[i].name, name);
				assert_true(n < 256);
				seen[n++] = name;
			}
	}
}

static void the_page_is_what_the_table_says(void **state)
{
	struct strbuf text = STRBUF_INIT;
	k3s_document(&text);
	FILE *f = fopen("docs/k3s.md", "re");
	assert_non_null(f);
	char *have = calloc(1, text.len + 2);
	size_t n = fread(have, 1, text.len + 1, f);
	fclose(f);
	if (n != text.len || memcmp(have, text.data, n) != 0)
		fail_msg("docs/k3s.md is another text: make docs");
	free(have);
	strbuf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(each_flag_of_k3s_has_the_answer_that_the_table_gives),
	        cmocka_unit_test(what_is_refused_says_what_to_use),
	        cmocka_unit_test(no_flag_stands_twice_in_a_command),
	        cmocka_unit_test(the_page_is_what_the_table_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
