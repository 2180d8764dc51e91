/* See progress.h. */
#include "tools/store/progress.h"

#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

enum { PROGRESS_MS = 200, BAR_WIDTH = 30 };

void store_progress(struct store_progress *p, int64_t have, int64_t all)
{
	char bar[BAR_WIDTH + 1];
	int64_t now = (int64_t)clock_mono_ms();
	if ((!p->is_forced && !isatty(STDERR_FILENO)) || (p->is_begun && have < all && now - p->drawn_ms < PROGRESS_MS))
		return;
	p->is_begun = true;
	p->drawn_ms = now;
	int filled = all > 0 ? (int)(have * BAR_WIDTH / all) : 0;
	for (int i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < filled ? '#' : '.';
	bar[BAR_WIDTH] = 0;
	fprintf(stderr, "\r%s%s[%s] %3d%%  %.1f of %.1f MB", p->what ? p->what : "", p->what && p->what[0] ? " " : "",
	        bar, all > 0 ? (int)(have * 100 / all) : 0, (double)have / 1e6, (double)all / 1e6);
}

void store_progress_end(struct store_progress *p)
{
	if (p->is_begun)
		fputc('\n', stderr);
	p->is_begun = false;
}
