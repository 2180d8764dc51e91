/* What this binary is built for, as Go and images call it: in a node's labels and status, in /version, in our own
 * images. Not what the kernel says: a binary of 32 bits on a kernel of 64 runs images of 32. */
#ifndef K3X_BASE_ARCH_H
#define K3X_BASE_ARCH_H

#if defined(__x86_64__)
#define ARCH_NAME "amd64"
#elif defined(__aarch64__)
#define ARCH_NAME "arm64"
#elif defined(__arm__)
#define ARCH_NAME "arm"
#else
#error "k3x is built for amd64, arm64 and armhf"
#endif

#endif
