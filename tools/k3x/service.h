/* What the service manager hears of a server or an agent: that it is ready, that it stops, and, as often as it asks for
 * it, that its loops still turn. Main thread. */
#ifndef K3X_TOOLS_K3X_SERVICE_H
#define K3X_TOOLS_K3X_SERVICE_H

#include "base/rt/loop.h"

struct service {
	struct loop *main, *other;
	uv_timer_t timer;
	struct loop_task there, back;
	bool has_timer, is_asked, is_closing;
};

/* Begins the watchdog, if there is one. `other`: a loop that has to turn too, for as long as this is open; or NULL. */
void service_begin(struct service *s, struct loop *main, struct loop *other);
/* It is ready; is_server: for the status line. */
void service_ready(struct service *s, bool is_server);
/* It stops: the watchdog ends. `other` may be asked no more after this. comes_back: the same process begins anew, and
 * the manager keeps on taking it for one that runs. */
void service_stop(struct service *s, bool comes_back);

#endif
