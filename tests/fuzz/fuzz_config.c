/* Command lines and config files: the input is the file, and its lines are also words of a command line. */
#include "base/check.h"
#include "base/flags.h"
#include "base/mem/str.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS_MAX = 16 };

static void load(struct arena *a, int argc, char **argv)
{
	const char *config = NULL, *text = "default";
	bool yes = false;
	int64_t number = 7;
	struct flag_list list = {0};
	const struct flag table[] = {
	        {"config", 'c', FLAG_STRING, &config, NULL, "", NULL},
	        {"text", 't', FLAG_STRING, &text, NULL, "", NULL},
	        {"yes", 'y', FLAG_BOOL, &yes, NULL, "", NULL},
	        {"number", 'n', FLAG_INT, &number, NULL, "", NULL},
	        {"list", 'l', FLAG_LIST, &list, NULL, "", NULL},
	        {"later", 0, FLAG_STRING, &text, NULL, NULL, "it is not built yet"},
	};
	struct flags f = {
	        .program = "fuzz", .summary = "", .table = table, .count = COUNT_OF(table), .config_flag = "config"};
	struct err err = ERR_INIT;
	int rc = flags_load(&f, a, argc, argv, &err);
	CHECK(rc == 0 || (err.code == rc && err.msg[0]));
	CHECK(text != NULL);
	for (size_t i = 0; i < list.count; i++)
		CHECK(list.items[i] != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	char path[64];
	int fd = memfd_create("config", 0);
	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof path, "--config=/proc/self/fd/%d", fd);
	load(&a, 2, (char *[]){"fuzz", path, NULL});
	char *words[WORDS_MAX + 2] = {"fuzz"};
	struct slice rest = {(const char *)data, size};
	int n = 1;
	while (rest.ptr && n < WORDS_MAX) {
		struct slice word = slice_cut(&rest, '\n');
		words[n++] = arena_memdup(&a, word.ptr, word.len);
	}
	if (n == 1 || !strstr(words[1], "config")) /* it would read files of the machine */
		load(&a, n, words);
	close(fd);
	arena_release(&a);
	return 0;
}
