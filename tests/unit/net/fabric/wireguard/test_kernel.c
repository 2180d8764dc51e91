/* The kernel's WireGuard, as far as this machine has it: whether it has any is said, and a device of nobody is an
 * error. */
#include "net/fabric/wireguard/writer.h"

#include "tests/unit/unit.h"

static void was_closed(void *arg)
{
	*(bool *)arg = true;
}

static void a_device_that_is_not_there_is_an_error(void **state)
{
	struct wireguard_device d = {0};
	struct wireguard_writer_options o = {.link = "k3x-no-such"};
	struct wireguard_writer *w = wireguard_by_kernel.open(&o);
	struct wireguard_request r = {.port = 1};
	struct err err = ERR_INIT;
	bool is_closed = false, can = wireguard_kernel_can();
	assert_int_not_equal(w->kind->get(w, &d, &err), 0);
	assert_non_null(strstr(err.msg, "WireGuard"));
	err = ERR_INIT;
	assert_int_not_equal(w->kind->set(w, &r, &err), 0);
	assert_int_equal(wireguard_kernel_can(), can);
	w->kind->close(w, was_closed, &is_closed);
	wireguard_device_release(&d);
	assert_true(is_closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_device_that_is_not_there_is_an_error)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
