/* A compiled pattern, and a place in a text where it is run: what pattern.c and pattern_find.c share. */
#ifndef K3X_BASE_PATTERN_INT_H
#define K3X_BASE_PATTERN_INT_H

#include "base/pattern.h"

enum assert_kind { AT_TEXT_START, AT_TEXT_END, AT_LINE_START, AT_LINE_END, AT_WORD, AT_NO_WORD };

struct range {
	uint32_t low, high;
};

struct class
{
	struct range *ranges;
	unsigned count, cap;
	bool negated;
};

enum step_kind { STEP_CLASS, STEP_ASSERT, STEP_SPLIT, STEP_JUMP, STEP_MATCH };

struct step {
	enum step_kind kind;
	enum assert_kind assertion;
	const struct class *class;
	unsigned x, y;
};

struct pattern {
	struct step *steps;
	unsigned count;
};

struct pattern_run {
	const struct pattern *pattern;
	unsigned *marks; /* the turn in which a step was added last */
	unsigned *stack;
	unsigned turn;
	bool at_start, at_end;
	uint32_t before, after; /* the characters around this place */
	bool matched;
};

uint32_t pattern_take_rune(struct slice *s);
bool pattern_class_has(const struct class *c, uint32_t r);
bool pattern_holds(const struct pattern_run *r, enum assert_kind kind);
/* The turn of the next place begins: `rest` is what lies ahead of it. */
void pattern_look_ahead(struct pattern_run *r, struct slice rest);

#endif
