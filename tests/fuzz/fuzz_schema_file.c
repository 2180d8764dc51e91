/* The schema generator's reader: any text below a types.go name is read or refused with a message, never a crash. The
 * reader is a build tool that frees nothing and ends the process on errors; here its end is a jump back. */
#include "tools/schema/gen_schema_parse.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

static jmp_buf refused;

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

void gen_fail(const char *fmt, ...)
{
	longjmp(refused, 1);
}

char *gen_printf(const char *fmt, ...)
{
	char *out = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&out, fmt, ap);
	va_end(ap);
	if (n < 0)
		longjmp(refused, 1);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	int fd = memfd_create("types.go", 0);
	if (fd < 0 || size > 64 * 1024)
		return 0;
	struct go_model m = {
	        calloc(TYPES_MAX, sizeof(struct go_type)), 0, calloc(ENUMS_MAX, sizeof(struct go_const)), 0};
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, data, size) == (ssize_t)size && setjmp(refused) == 0)
		go_parse_file(&m, "k8s.io/api/core/v1", path);
	close(fd);
	free(m.types);
	free(m.consts);
	return 0;
}
