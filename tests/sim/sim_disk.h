/* A disk in memory that forgets: what was not synced may be lost, torn or half there after a crash. */
#ifndef K3X_TESTS_SIM_DISK_H
#define K3X_TESTS_SIM_DISK_H

#include "raft/log/disk.h"

/* The disk outlives the hosts on it. random: of the simulation. */
struct disk *sim_disk_new(uint64_t (*random)(void));
void sim_disk_crash(struct disk *d);                  /* open files must have been closed */
void sim_disk_set_fuse(struct disk *d, unsigned ops); /* the disk dies at that write or sync; 0: never */
void sim_disk_set_full(struct disk *d, bool full);
void sim_disk_free(struct disk *d);

#endif
