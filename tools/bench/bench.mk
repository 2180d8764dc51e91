# Benchmarks: `make bench-api`, `make bench-rbac`, `make bench-nodes`, `make bench-start`, `make bench-store`, `make bench-wear` (as root), `make bench-store-engine`,
# `make bench-datastores`, `make bench-cluster`, `make bench-ha`, `make bench-addons`, `make bench-dns`, `make bench-ingress`, `make bench-net`, `make bench-node`, `make bench-install` and `make bench-wasm` (as root); QUICK=1 makes them short.
# Each starts what it needs and stops it again; figures also go to build/bench/NAME.json.
.PHONY: bench-api bench-rbac bench-nodes bench-start bench-store bench-wear bench-store-engine bench-cluster bench-ha bench-dns bench-addons bench-net bench-install bench-datastores bench-ingress bench-wasm bench-node

BENCH_FLAGS := $(if $(QUICK),--quick)

bench-api bench-rbac bench-nodes bench-start bench-store bench-wear: bench-%: all
	@build/k3x bench $* $(BENCH_FLAGS)

bench-store-engine: all
	@build/k3x bench engine /tmp $(if $(QUICK),1,3)

bench-cluster: all
	@QUICK=$(QUICK) tools/bench/bench-cluster

bench-ha: all
	@QUICK=$(QUICK) ROUNDS=$(ROUNDS) tests/apart.sh tools/bench/bench-ha

bench-dns: all
	@QUICK=$(QUICK) ROUNDS=$(ROUNDS) SERVICES=$(SERVICES) tests/apart.sh tools/bench/bench-dns

bench-net: all
	@QUICK=$(QUICK) PARTS="$(PARTS)" ROUNDS=$(ROUNDS) SERVICES=$(SERVICES) STARTS=$(STARTS) POLICIES=$(POLICIES) PODS=$(PODS) tests/apart.sh tools/bench/bench-net

bench-install: all
	@QUICK=$(QUICK) ROUNDS=$(ROUNDS) tools/bench/bench-install

bench-datastores: all
	@QUICK=$(QUICK) tests/apart.sh tools/bench/bench-datastores

bench-ingress: all
	@QUICK=$(QUICK) ROUNDS=$(ROUNDS) CONNECTIONS=$(CONNECTIONS) tests/apart.sh tools/bench/bench-ingress

bench-wasm: all
	@QUICK=$(QUICK) PODS=$(PODS) CHURN=$(CHURN) tests/apart.sh tools/bench/bench-wasm

bench-addons: all
	@QUICK=$(QUICK) ROUNDS=$(ROUNDS) CLAIMS=$(CLAIMS) PODS=$(PODS) tests/apart.sh tools/bench/bench-addons

bench-node: all
	@QUICK=$(QUICK) PODS=$(PODS) tests/apart.sh tools/bench/bench-node
