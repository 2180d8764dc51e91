/* See cpu_set.h. What can go wrong: ranges that run backwards, numbers that are none, more than CPU_SET_MAX. */
#include "node/ground/cpu_set.h"

#include "base/check.h"

static bool parse_number(struct slice s, uint64_t *ret)
{
	return s.len && slice_to_u64(s, ret) && *ret < CPU_SET_MAX;
}

bool cpu_set_parse(struct slice text, struct cpu_set *ret)
{
	struct cpu_set s = {{0}};
	text = slice_trim(text);
	while (text.len) {
		struct slice last = slice_trim(slice_cut(&text, ',')), first = slice_cut(&last, '-');
		uint64_t from, to;
		if (!parse_number(first, &from) || !parse_number(last.ptr ? last : first, &to) || to < from)
			return false;
		if (text.ptr && !text.len) /* a comma and nothing behind it */
			return false;
		for (uint64_t i = from; i <= to; i++)
			cpu_set_add(&s, (unsigned)i);
	}
	*ret = s;
	return true;
}

const char *cpu_set_text(const struct cpu_set *s, struct arena *a)
{
	const char *text = "";
	for (unsigned i = 0; i < CPU_SET_MAX; i++) {
		unsigned last = i;
		if (!cpu_set_has(s, i))
			continue;
		while (last + 1 < CPU_SET_MAX && cpu_set_has(s, last + 1))
			last++;
		text = last == i ? arena_printf(a, "%s%s%u", text, *text ? "," : "", i)
		                 : arena_printf(a, "%s%s%u-%u", text, *text ? "," : "", i, last);
		i = last;
	}
	return text;
}

void cpu_set_add(struct cpu_set *s, unsigned cpu)
{
	CHECK(cpu < CPU_SET_MAX);
	s->bits[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

void cpu_set_del(struct cpu_set *s, unsigned cpu)
{
	CHECK(cpu < CPU_SET_MAX);
	s->bits[cpu / 64] &= ~(UINT64_C(1) << cpu % 64);
}

bool cpu_set_has(const struct cpu_set *s, unsigned cpu)
{
	return cpu < CPU_SET_MAX && (s->bits[cpu / 64] >> cpu % 64 & 1);
}

unsigned cpu_set_count(const struct cpu_set *s)
{
	unsigned n = 0;
	for (size_t i = 0; i < COUNT_OF(s->bits); i++)
		n += (unsigned)__builtin_popcountll(s->bits[i]);
	return n;
}

bool cpu_set_equal(const struct cpu_set *a, const struct cpu_set *b)
{
	return memcmp(a->bits, b->bits, sizeof a->bits) == 0;
}

struct cpu_set cpu_set_union(const struct cpu_set *a, const struct cpu_set *b)
{
	struct cpu_set s;
	for (size_t i = 0; i < COUNT_OF(s.bits); i++)
		s.bits[i] = a->bits[i] | b->bits[i];
	return s;
}

struct cpu_set cpu_set_without(const struct cpu_set *a, const struct cpu_set *b)
{
	struct cpu_set s;
	for (size_t i = 0; i < COUNT_OF(s.bits); i++)
		s.bits[i] = a->bits[i] & ~b->bits[i];
	return s;
}

struct cpu_set cpu_set_common(const struct cpu_set *a, const struct cpu_set *b)
{
	struct cpu_set s;
	for (size_t i = 0; i < COUNT_OF(s.bits); i++)
		s.bits[i] = a->bits[i] & b->bits[i];
	return s;
}
