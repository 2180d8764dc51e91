/* Tells the service manager that started this process how it is: sd_notify's protocol (systemd, sd_notify(3)), a
 * datagram to the socket in NOTIFY_SOCKET. Any thread; never blocks. */
#ifndef K3X_BASE_NOTIFY_H
#define K3X_BASE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=text", several with newlines between. False: there is no manager to
 * tell, or it does not listen. */
bool notify_send(const char *state);

/* How often at least the manager wants to hear WATCHDOG=1, ms; 0: it does not. */
uint64_t notify_watchdog_ms(void);

#endif
