/* What tests run as a WebAssembly container: does what its arguments say, one after the other.
 *
 *     echo TEXT | error TEXT | env NAME | cat FILE | write FILE TEXT | list FOLDER | args | sleep MS | grow MIB | trap
 * | exit N
 *
 * grow takes memory a mebibyte at a time and touches it, and says how far it came. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void cat(const char *path)
{
	char line[512];
	FILE *f = fopen(path, "r");
	if (!f)
		printf("cannot read %s: %s\n", path, strerror(errno));
	while (f && fgets(line, sizeof line, f))
		fputs(line, stdout);
	if (f)
		fclose(f);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		printf("cannot write %s: %s\n", path, strerror(errno));
	else
		printf("wrote %s\n", path);
}

static void list(const char *path)
{
	DIR *d = opendir(path);
	if (!d)
		printf("cannot list %s: %s\n", path, strerror(errno));
	for (struct dirent *e; d && (e = readdir(d));)
		printf("%s ", e->d_name);
	printf("\n");
}

static void grow(int mib)
{
	int have = 0;
	/* Volatile: a compiler leaves out memory that nobody reads. */
	for (volatile char *p; have < mib && (p = malloc(1 << 20)); have++)
		for (int i = 0; i < 1 << 20; i += 4096)
			p[i] = 1;
	printf("have %d MiB\n", have);
}

static void pause_ms(int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
	nanosleep(&t, NULL);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < argc; i++) {
		const char *what = argv[i], *with = i + 1 < argc ? argv[i + 1] : "";
		if (strcmp(what, "args") == 0) {
			for (int j = 0; j < argc; j++)
				printf("[%s]", argv[j]);
			printf("\n");
			continue;
		}
		if (strcmp(what, "trap") == 0)
			__builtin_trap();
		i++;
		if (strcmp(what, "echo") == 0)
			puts(with);
		else if (strcmp(what, "error") == 0)
			fprintf(stderr, "%s\n", with);
		else if (strcmp(what, "env") == 0)
			printf("%s=%s\n", with, getenv(with) ? getenv(with) : "(none)");
		else if (strcmp(what, "cat") == 0)
			cat(with);
		else if (strcmp(what, "write") == 0)
			write_file(with, i + 1 < argc ? argv[++i] : "");
		else if (strcmp(what, "list") == 0)
			list(with);
		else if (strcmp(what, "sleep") == 0)
			pause_ms(atoi(with));
		else if (strcmp(what, "grow") == 0)
			grow(atoi(with));
		else if (strcmp(what, "exit") == 0)
			exit(atoi(with));
		else
			fprintf(stderr, "what is %s?\n", what);
	}
	return 0;
}
