SRCS += $(shell find api -name "*.c")

# The schema tables: written from the published Kubernetes definitions, and from ours for the two groups that are not in
# that package. Written anew only when one of them or the generator changes.
K8S_API := build/deps/k8s-api/usr/share/gocode/src
K8S_API_INPUTS := $(wildcard $(K8S_API)/k8s.io/api/*/*/types.go $(K8S_API)/k8s.io/apimachinery/pkg/apis/meta/v1/*.go)
OWN_API := api/machinery/schema/definitions
GEN_C += build/gen/schema_tables.c

build/gen/gen_schema: tools/schema/gen_schema.c tools/schema/gen_schema_parse.c tools/schema/gen_schema_emit.c tools/schema/gen_schema.h
	@mkdir -p $(@D)
	@$(HOSTCC) -std=gnu11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -I. -o $@ $(filter %.c,$^) -llz4

build/gen/schema_tables.c: build/gen/gen_schema $(K8S_API_INPUTS) $(shell find $(OWN_API) -name '*.go' 2>/dev/null)
	@echo "  GEN $@"
	@build/gen/gen_schema $@ $(K8S_API) $(OWN_API)
