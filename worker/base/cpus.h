/* cpus.h: how many CPUs this process may use. */
#ifndef DOCKET_BASE_CPUS_H
#define DOCKET_BASE_CPUS_H

/* Those of its affinity, or fewer if its control groups allow less time; at least 1. */
unsigned cpus_available(void);

/* CPU time that control groups allow, in whole CPUs rounded up; 0: no limit, or none that can be read. The tightest of the groups
 * that `membership` (/proc/self/cgroup) names and of all above them, version 2 (cpu.max) and 1 (cpu.cfs_quota_us), as far as
 * they are to be seen under `mount` (/sys/fs/cgroup). */
unsigned cpus_of_groups(const char *membership, const char *mount);

#endif
