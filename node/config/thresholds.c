/* See thresholds.h. Upstream: pkg/kubelet/eviction/helpers.go (ParseThresholdConfig). What can go wrong: a signal that
 * is not one (containerfs and allocatableMemory among them: there is one file system of images, and pods have no group
 * with a limit above them), an amount that is none, a soft threshold without a grace period, a grace period without
 * a threshold. */
#include "node/config/thresholds.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"
#include "base/time/duration.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const names[SIGNALS_COUNT] = {"memory.available", "nodefs.available", "nodefs.inodesFree",
        "imagefs.available", "imagefs.inodesFree", "pid.available"};

const char *eviction_signal_name(enum eviction_signal s)
{
	CHECK(s < SIGNALS_COUNT);
	return names[s];
}

int64_t eviction_amount_of(const struct eviction_amount *a, int64_t capacity)
{
	return a->share > 0 ? (int64_t)((double)capacity * a->share) : a->value;
}

static int read_signal(const char *field, const struct json *it, enum eviction_signal *ret, struct err *err)
{
	for (size_t i = 0; i < SIGNALS_COUNT; i++)
		if (slice_is(it->key, names[i])) {
			*ret = (enum eviction_signal)i;
			return 0;
		}
	return err_set(err, ERR_INVAL,
	        "%s: \"%.*s\" is no signal; there are memory.available, nodefs.available, nodefs.inodesFree, "
	        "imagefs.available, imagefs.inodesFree and pid.available",
	        field, SLICE_FMT(it->key));
}

static bool read_share(struct slice text, double *ret)
{
	char copy[32], *end;
	if (!text.len || text.len >= sizeof copy)
		return false;
	snprintf(copy, sizeof copy, "%.*s", SLICE_FMT(text));
	if (strspn(copy, "0123456789.") != text.len)
		return false;
	double percent = strtod(copy, &end);
	if (*end || percent > 100)
		return false;
	*ret = percent / 100;
	return true;
}

static int read_amount(const char *field, const struct json *it, struct eviction_amount *ret, struct err *err)
{
	struct slice text = json_str(it);
	struct quantity q;
	struct err why = ERR_INIT;
	*ret = (struct eviction_amount){0, 0};
	if (slice_ends(text, "%"))
		return read_share((struct slice){text.ptr, text.len - 1}, &ret->share)
		               ? 0
		               : err_set(err, ERR_INVAL, "%s: %.*s: \"%.*s\" is no share between 0%% and 100%%", field,
		                         SLICE_FMT(it->key), SLICE_FMT(text));
	if (quantity_parse(text, &q, &why) != 0 || quantity_sign(&q) < 0)
		return err_set(err, ERR_INVAL, "%s: %.*s: \"%.*s\" is no amount like 100Mi and no share like 10%%",
		        field, SLICE_FMT(it->key), SLICE_FMT(text));
	ret->value = quantity_value(&q);
	return 0;
}

static int read_grace(const struct json *tree, struct slice signal, uint64_t *ret_ms, struct err *err)
{
	const struct json *it = json_get_slice(json_get(tree, "evictionSoftGracePeriod"), signal);
	char text[64];
	snprintf(text, sizeof text, "%.*s", SLICE_FMT(json_str(it)));
	if (!it)
		return err_set(err, ERR_INVAL,
		        "evictionSoft: %.*s: a soft threshold needs a grace period: give it in "
		        "evictionSoftGracePeriod",
		        SLICE_FMT(signal));
	if (!duration_parse_ms(text, ret_ms))
		return err_set(err, ERR_INVAL, "evictionSoftGracePeriod: %.*s: \"%s\" is no time like 1m30s",
		        SLICE_FMT(signal), text);
	return 0;
}

static int read_list(
        const struct json *tree, const char *field, bool is_hard, struct eviction_thresholds *ret, struct err *err)
{
	JSON_FOREACH (it, json_get(tree, field)) {
		struct eviction_threshold t = {.is_hard = is_hard};
		const struct json *more = json_get_slice(json_get(tree, "evictionMinimumReclaim"), it->key);
		if (read_signal(field, it, &t.signal, err) != 0 || read_amount(field, it, &t.below, err) != 0 ||
		        (more && read_amount("evictionMinimumReclaim", more, &t.min_reclaim, err) != 0) ||
		        (!is_hard && read_grace(tree, it->key, &t.grace_ms, err) != 0))
			return err->code;
		if ((t.below.share <= 0 && t.below.value == 0) || t.below.share >= 1)
			continue;
		for (size_t i = 0; i < ret->count; i++)
			if (ret->list[i].signal == t.signal && ret->list[i].is_hard == is_hard)
				return err_set(err, ERR_INVAL, "%s: %.*s is there twice", field, SLICE_FMT(it->key));
		ret->list[ret->count++] = t;
	}
	return 0;
}

/* The names in a map that only belongs to thresholds. */
static int check_names(const struct json *tree, const char *field, struct err *err)
{
	enum eviction_signal s;
	JSON_FOREACH (it, json_get(tree, field))
		if (read_signal(field, it, &s, err) != 0)
			return err->code;
	return 0;
}

int eviction_thresholds_read(const struct json *tree, struct eviction_thresholds *ret, struct err *err)
{
	*ret = (struct eviction_thresholds){.count = 0};
	if (check_names(tree, "evictionSoftGracePeriod", err) != 0 ||
	        check_names(tree, "evictionMinimumReclaim", err) != 0 ||
	        read_list(tree, "evictionHard", true, ret, err) != 0)
		return err->code;
	return read_list(tree, "evictionSoft", false, ret, err);
}
