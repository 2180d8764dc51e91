/* Kubeconfigs: what is taken has a server, who vouches for it, and a proof of who asks. */
#include "base/check.h"
#include "tools/operate/admin.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct admin m = {0};
	struct err err = ERR_INIT;
	if (admin_read(&m, (struct slice){(const char *)data, size}, "/nonexistent", &err) != 0)
		CHECK(err.msg[0]);
	else
		CHECK(*m.url && m.ca_pem && (m.bearer || (m.certificate_pem && m.key_pem)));
	admin_release(&m);
	return 0;
}
