# Benchmarks: `make bench-api`, `make bench-rbac`, `make bench-start`, `make bench-store`, `make bench-wear` (as root), `make bench-store-engine`,
# `make bench-cluster`, `make bench-ha` and `make bench-dns` (as root); QUICK=1 makes them short.
# Each starts what it needs and stops it again; figures also go to build/bench/NAME.json.
.PHONY: bench-api bench-rbac bench-start bench-store bench-wear bench-store-engine bench-cluster bench-ha bench-dns

BENCH_FLAGS := $(if $(QUICK),--quick)

bench-api bench-rbac bench-start bench-store bench-wear: bench-%: all
	@build/k3x bench $* $(BENCH_FLAGS)

bench-store-engine: all
	@build/k3x bench engine /tmp $(if $(QUICK),1,3)

bench-cluster: all
	@QUICK=$(QUICK) tools/bench/bench-cluster

bench-ha: all
	@QUICK=$(QUICK) ROUNDS=$(ROUNDS) tests/apart.sh tools/bench/bench-ha

bench-dns: all
	@QUICK=$(QUICK) ROUNDS=$(ROUNDS) SERVICES=$(SERVICES) tests/apart.sh tools/bench/bench-dns
