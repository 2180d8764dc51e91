/* Where a pattern matches: the threads of pattern.c in the order of what is wanted more, each with the place where it
 * began (Russ Cox, "Regular Expression Matching: the Virtual Machine Approach", Pike's algorithm).
 *
 * A thread that has matched ends all behind it, for they are wanted less; those before it may still find what is wanted
 * more. The time is text times steps, as it is for matching. */
#include "base/pattern_int.h"

#include <stdlib.h>

struct thread {
	unsigned step;
	size_t began;
};

struct threads {
	struct thread *items;
	unsigned count;
};

/* Adds a step and all that follow it without a character, the more wanted first. */
static void follow(struct pattern_run *r, struct threads *t, unsigned from, size_t began)
{
	unsigned depth = 0;
	r->stack[depth++] = from;
	while (depth) {
		unsigned at = r->stack[--depth];
		const struct step *step = &r->pattern->steps[at];
		if (r->marks[at] == r->turn)
			continue;
		r->marks[at] = r->turn;
		if (step->kind == STEP_MATCH || step->kind == STEP_CLASS) {
			t->items[t->count++] = (struct thread){at, began};
		} else if (step->kind == STEP_ASSERT) {
			if (pattern_holds(r, step->assertion))
				r->stack[depth++] = at + 1;
		} else {
			if (step->kind == STEP_SPLIT)
				r->stack[depth++] = step->y;
			r->stack[depth++] = step->x;
		}
	}
}

static void begin(struct pattern_run *r, struct slice text, size_t from)
{
	size_t before = from;
	r->at_start = from == 0;
	if (from) {
		do
			before--;
		while (before && ((unsigned char)text.ptr[before] & 0xc0) == 0x80);
		struct slice last = {text.ptr + before, from - before};
		r->before = pattern_take_rune(&last);
	}
	pattern_look_ahead(r, (struct slice){text.ptr + from, text.len - from});
}

/* On to the next place where it can begin, when it can at none so far. */
static void seek(struct pattern_run *r, struct threads *now, struct slice text, struct slice *rest)
{
	while (!now->count && !r->matched && rest->len) {
		r->before = pattern_take_rune(rest);
		r->at_start = false;
		pattern_look_ahead(r, *rest);
		follow(r, now, 0, text.len - rest->len);
	}
}

unsigned pattern_steps(const struct pattern *p)
{
	return p->count;
}

bool pattern_find(const struct pattern *p, struct slice text, size_t from, struct slice *ret, size_t *ret_looked)
{
	unsigned n = p->count;
	unsigned *memory = xcalloc(3 * (size_t)n + 2, sizeof(unsigned));
	struct thread *rooms = xcalloc(2 * (size_t)n, sizeof *rooms);
	struct threads now = {.items = rooms}, next = {.items = rooms + n};
	struct pattern_run r = {.pattern = p, .marks = memory, .stack = memory + n};
	struct slice rest = {text.ptr + from, text.len - from};
	begin(&r, text, from);
	follow(&r, &now, 0, from);
	seek(&r, &now, text, &rest);
	while (now.count) {
		size_t at = text.len - rest.len;
		bool is_end = rest.len == 0;
		uint32_t c = is_end ? 0 : pattern_take_rune(&rest);
		r.at_start = r.at_start && is_end;
		r.before = c;
		pattern_look_ahead(&r, rest);
		next.count = 0;
		for (unsigned i = 0; i < now.count; i++) {
			const struct step *step = &p->steps[now.items[i].step];
			if (step->kind == STEP_MATCH) {
				r.matched = true;
				*ret = (struct slice){text.ptr + now.items[i].began, at - now.items[i].began};
				break;
			}
			if (!is_end && pattern_class_has(step->class, c))
				follow(&r, &next, now.items[i].step + 1, now.items[i].began);
		}
		if (is_end)
			break;
		if (!r.matched)
			follow(&r, &next, 0, text.len - rest.len);
		struct threads swap = now;
		now = next;
		next = swap;
		seek(&r, &now, text, &rest);
	}
	if (ret_looked)
		*ret_looked = text.len - rest.len - from;
	free(rooms);
	free(memory);
	return r.matched;
}
