/* gen_schema: reads the published Kubernetes API definitions and writes C tables, at build time.
 *
 *     gen_schema OUT.c ROOT [ROOT...]
 *
 * Each ROOT is a folder that has k8s.io/... below it. Packages are the fixed list below, each looked for in every root;
 * only types.go and its hand-written neighbours are read, since types.go carries JSON names, markers, docs and, in the
 * `protobuf` tags, the numbers and wire types of generated.proto. A type or marker that is not understood stops the
 * build: better than a field that is silently missing. */
#include "tools/schema/gen_schema.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const packages[] = {
        "k8s.io/api/admission/v1",
        "k8s.io/api/admissionregistration/v1",
        "k8s.io/api/apps/v1",
        "k8s.io/api/authentication/v1",
        "k8s.io/api/authorization/v1",
        "k8s.io/api/autoscaling/v1",
        "k8s.io/api/autoscaling/v2",
        "k8s.io/api/batch/v1",
        "k8s.io/api/certificates/v1",
        "k8s.io/api/coordination/v1",
        "k8s.io/api/core/v1",
        "k8s.io/api/discovery/v1",
        "k8s.io/api/events/v1",
        "k8s.io/api/flowcontrol/v1",
        "k8s.io/api/networking/v1",
        "k8s.io/api/node/v1",
        "k8s.io/api/policy/v1",
        "k8s.io/api/rbac/v1",
        "k8s.io/api/scheduling/v1",
        "k8s.io/api/storage/v1",
        "k8s.io/apimachinery/pkg/apis/meta/v1",
        "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1",
        "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1",
};

void gen_fail(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "gen_schema: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(1);
}

char *gen_printf(const char *fmt, ...)
{
	char *out = NULL;
	va_list ap;
	va_start(ap, fmt);
	if (vasprintf(&out, fmt, ap) < 0)
		gen_fail("out of memory");
	va_end(ap);
	return out;
}

static bool ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s);
	size_t m = strlen(suffix);
	return n >= m && strcmp(s + n - m, suffix) == 0;
}

/* Sources that hold no definitions of ours to read: tests and what upstream's own generators wrote. */
static bool is_wanted(const char *name)
{
	return ends_with(name, ".go") && !ends_with(name, "_test.go") && strncmp(name, "zz_", 3) != 0 &&
	       strcmp(name, "generated.pb.go") != 0 && !ends_with(name, "_swagger_doc_generated.go");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool read_package(struct go_model *m, const char *root, const char *package)
{
	char *dir = gen_printf("%s/%s", root, package);
	struct dirent **names;
	int n = scandir(dir, &names, NULL, by_name);
	if (n < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (is_wanted(names[i]->d_name))
			go_parse_file(m, package, gen_printf("%s/%s", dir, names[i]->d_name));
	return true;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		gen_fail("usage: gen_schema OUT.c ROOT [ROOT...]");
	struct go_model m = {
	        .types = calloc(TYPES_MAX, sizeof(struct go_type)),
	        .consts = calloc(ENUMS_MAX, sizeof(struct go_const)),
	};
	for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++) {
		bool found = false;
		for (int r = 2; r < argc; r++)
			found |= read_package(&m, argv[r], packages[i]);
		if (!found)
			gen_fail("no package %s below the given folders: run make deps", packages[i]);
	}
	gen_emit(&m, argv[1]);
	return 0;
}
