#include "cpus.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

static unsigned by_affinity(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
    return (unsigned)CPU_COUNT(&set);
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (unsigned)online : 1;
}

/* Reads "QUOTA PERIOD" (version 2) or one number (version 1); false: no such file, or "max". */
static int read_numbers(const char *path, long long *first, long long *second) {
  FILE *file = fopen(path, "re");
  if (!file) return 0;
  int n = fscanf(file, "%lld %lld", first, second);
  fclose(file);
  return n;
}

/* In a container the process sees its own cgroup at the root. 0: no quota. */
static unsigned by_quota(void) {
  long long quota = 0, period = 0, unused = 0;
  if (read_numbers("/sys/fs/cgroup/cpu.max", &quota, &period) != 2 &&
      (read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &quota, &unused) < 1 ||
       read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_period_us", &period, &unused) < 1))
    return 0;
  if (quota <= 0 || period <= 0) return 0;
  return (unsigned)((quota + period - 1) / period);
}

unsigned cpus_usable(void) {
  unsigned count = by_affinity(), quota = by_quota();
  return quota != 0 && quota < count ? quota : count;
}
