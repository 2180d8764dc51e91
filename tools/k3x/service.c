/* See service.h. The watchdog is fed by a task that goes from the main loop to the other one and back: when either
 * hangs, the manager hears nothing and starts the service anew, and pods run on meanwhile (KillMode=process). */
#include "tools/k3x/service.h"

#include "base/notify.h"

#include <stdio.h>

/* So often within the time that the manager gives. */
enum { BEATS = 3 };

static void beat(struct loop_task *t)
{
	struct service *s = CONTAINER_OF(t, struct service, back);
	s->is_asked = false;
	if (!s->is_closing)
		notify_send("WATCHDOG=1");
}

static void other_turns(struct loop_task *t)
{
	struct service *s = CONTAINER_OF(t, struct service, there);
	loop_post(s->main, &s->back);
}

static void tick(uv_timer_t *t)
{
	struct service *s = t->data;
	if (s->is_asked)
		return;
	s->is_asked = true;
	if (s->other)
		loop_post(s->other, &s->there);
	else
		beat(&s->back);
}

void service_begin(struct service *s, struct loop *main, struct loop *other)
{
	uint64_t ms = notify_watchdog_ms();
	*s = (struct service){.main = main, .other = other, .has_timer = ms > 0};
	s->there.run = other_turns;
	s->back.run = beat;
	if (!ms)
		return;
	uv_timer_init(loop_uv(main), &s->timer);
	s->timer.data = s;
	uv_timer_start(&s->timer, tick, ms / BEATS, ms / BEATS);
}

void service_ready(struct service *s, bool is_server)
{
	char text[128];
	snprintf(text, sizeof text, "READY=1\nSTATUS=k3x %s: %s", K3X_VERSION,
	        is_server ? "the API is served" : "the node runs");
	notify_send(text);
}

void service_stop(struct service *s, bool comes_back)
{
	if (s->is_closing || !s->main)
		return;
	s->is_closing = true;
	notify_send(comes_back ? "STATUS=begins anew" : "STOPPING=1");
	if (s->has_timer)
		uv_close((uv_handle_t *)&s->timer, NULL);
}
