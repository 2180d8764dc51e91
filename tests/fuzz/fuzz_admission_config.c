/* Admission configurations: what is taken has levels that are levels, and limits that limit. */
#include "api/server/admission/config.h"

#include "api/server/admission/admission.h"
#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct admission_config *c = xcalloc(1, sizeof *c);
	struct err err = ERR_INIT;
	if (admission_config_parse(c, (struct slice){(const char *)data, size}, "/nonexistent", &err) != 0)
		CHECK(err.msg[0]);
	else
		CHECK(c->defaults.enforce.level <= POD_SECURITY_RESTRICTED);
	admission_config_free(c);
	return 0;
}
