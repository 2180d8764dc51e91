/* `k3x-bench start`: how long from exec until /readyz answers, and what the server costs when nothing happens. */
#include "tools/bench/bench.h"

#include <stdio.h>
#include <unistd.h>

static const char *const alone[] = {"--disable-scheduler", "--disable-controller-manager", NULL};

struct idle {
	double rss_mb, anon_mb, cpu_percent;
};

static struct idle idle(struct bench_server *server, unsigned seconds)
{
	double cpu = bench_server_cpu_ms(server), began = bench_now_ms();
	sleep(seconds);
	return (struct idle){bench_server_rss_mb(server, "VmRSS"), bench_server_rss_mb(server, "RssAnon"),
	        (bench_server_cpu_ms(server) - cpu) / (bench_now_ms() - began) * 100};
}

static int start_times(
        struct bench_settings *s, struct bench_samples *fresh, struct bench_samples *again, struct err *err)
{
	int64_t rounds = s->rounds ? s->rounds : s->quick ? 3 : 9;
	for (int i = 0; i < rounds; i++) {
		struct bench_server server;
		double ms = 0;
		bench_server_init(&server, s, i);
		for (int turn = 0; turn < 2 && err->code == 0; turn++) {
			if (bench_server_start(&server, NULL, &ms, err) == 0)
				bench_samples_add(turn ? again : fresh, ms);
			bench_server_stop(&server);
		}
		bench_server_remove(&server);
		if (err->code)
			return err->code;
	}
	return 0;
}

static int idle_costs(struct bench_settings *s, const char *const *flags, struct idle *ret, struct err *err)
{
	struct bench_server server;
	bench_server_init(&server, s, 50);
	int rc = bench_server_start(&server, flags, NULL, err);
	if (rc == 0) {
		sleep(s->quick ? 1 : 5);
		*ret = idle(&server, s->quick ? 5 : 30);
	}
	bench_server_stop(&server);
	bench_server_remove(&server);
	return rc;
}

int bench_start(struct bench_settings *s)
{
	struct bench_report r = {0};
	struct bench_samples fresh = {0}, again = {0};
	struct idle api = {0}, whole = {0};
	struct err err = ERR_INIT;
	if (start_times(s, &fresh, &again, &err) != 0 || idle_costs(s, alone, &api, &err) != 0 ||
	        idle_costs(s, NULL, &whole, &err) != 0)
		fprintf(stderr, "k3x-bench: %s\n", err.msg);
	bench_report_add(&r, (struct bench_row){"ready_fresh_ms", "exec to /readyz, no data directory yet", "ms",
	                             bench_samples_percentile(&fresh, 50), 2970, 0, BENCH_LOWER});
	bench_report_add(&r, (struct bench_row){"ready_existing_ms", "exec to /readyz, existing data directory", "ms",
	                             bench_samples_percentile(&again, 50), 2630, 300, BENCH_LOWER});
	bench_report_add(&r, (struct bench_row){"api_idle_rss_mb", "API server and store alone, idle, resident", "MiB",
	                             api.rss_mb, 309, 40, BENCH_LOWER});
	bench_report_add(&r, (struct bench_row){"api_idle_anonymous_mb", "  of it anonymous", "MiB", api.anon_mb, 0, 0,
	                             BENCH_LOWER});
	bench_report_add(&r, (struct bench_row){"api_idle_cpu_percent", "  CPU of one core", "%", api.cpu_percent, 2.45,
	                             1, BENCH_LOWER});
	bench_report_add(
	        &r, (struct bench_row){"control_plane_idle_rss_mb", "whole control plane (no node), idle, resident",
	                    "MiB", whole.rss_mb, 486, 40, BENCH_LOWER});
	bench_report_add(&r, (struct bench_row){"control_plane_idle_cpu_percent", "  CPU of one core", "%",
	                             whole.cpu_percent, 3.4, 1, BENCH_LOWER});
	bench_samples_release(&fresh);
	bench_samples_release(&again);
	bench_report_end(&r, s, "start",
	        "Method: medians of starts of `k3x server --disable-agent`, probed every millisecond over TLS; idle "
	        "figures over 30 s (5 s when quick).");
	return err.code ? 1 : 0;
}
