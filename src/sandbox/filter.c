/*
 * filter: the system calls of a running gateway, as a seccomp filter.
 *
 * What is not in a table below is refused with EPERM: a library that tries something new then goes
 * on without, and one process that has a bug is not ended by it. What no code of ours or of a
 * library ever asks for after the start ends the process, so that an intruder's first attempt is
 * the last, and is seen in the kernel's log.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox_private.h"

#if defined(__has_feature)
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||   \
    HAS_FEATURE(address_sanitizer) || HAS_FEATURE(thread_sanitizer) || \
    HAS_FEATURE(memory_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define ITEMS(array) (sizeof(array) / sizeof(*(array)))

/* One call, let through when its arguments are as said; several rows of a call: any of them. */
struct rule {
  int call;
  struct scmp_arg_cmp condition, more; /* both must hold; _SCMP_CMP_MIN: nothing is asked */
};

/* ---- what is let through --------------------------------------------------------------------- */

static const int allowed[] = {
    /* Bytes in and out. */
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close),
    SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg), /* getaddrinfo(): A and AAAA at once */
    SCMP_SYS(shutdown), SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(getpeername),
    SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
    /* Events. */
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(eventfd2), SCMP_SYS(poll), SCMP_SYS(ppoll),
    SCMP_SYS(restart_syscall), /* one of these, after SIGSTOP and SIGCONT */
    SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_gettime), /* where the kernel offers none without a call */
    SCMP_SYS(gettimeofday), SCMP_SYS(time),
    /* Memory. */
    SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(munmap),
    SCMP_SYS(madvise),
    /* Threads. */
    SCMP_SYS(futex), SCMP_SYS(rseq), SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield), SCMP_SYS(gettid), SCMP_SYS(getpid),
    SCMP_SYS(pidfd_open), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    /* Reading files: configuration and rules on a reload, /etc/hosts and its like for names. */
    SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fcntl), SCMP_SYS(fstat),
    SCMP_SYS(getcwd), SCMP_SYS(getdents64), SCMP_SYS(lseek), SCMP_SYS(lstat), SCMP_SYS(newfstatat),
    SCMP_SYS(pread64), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(stat), SCMP_SYS(statx),
    SCMP_SYS(inotify_init1), SCMP_SYS(inotify_add_watch), /* "watch" */
    SCMP_SYS(memfd_create), /* a database is mapped from a copy in memory */
    /* Who and where we are. */
    SCMP_SYS(getegid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getuid), SCMP_SYS(getrandom),
    SCMP_SYS(sysinfo), /* qsort() asks how much memory there is */
    SCMP_SYS(uname),   /* getaddrinfo(): the name of this machine */
};

/* How files are not to be opened. O_TMPFILE is no matter: it goes with writing only. */
enum { OPEN_FOR_MORE_THAN_READING = O_ACCMODE | O_CREAT | O_TRUNC };

/* What is written only at its end, and never emptied. */
enum { APPENDING = O_WRONLY | O_APPEND | O_CREAT };

static const struct rule allowed_for_appending[] = {
    {SCMP_SYS(openat),
     {2, SCMP_CMP_MASKED_EQ, OPEN_FOR_MORE_THAN_READING | O_APPEND, APPENDING},
     {0}},
};

/* A file that was not there before, so that nothing is written over, for its owner alone; it takes
 * the place of another by its name. */
enum { CREATING = O_WRONLY | O_CREAT | O_EXCL, OWNER_ONLY = 0600 };

static const struct rule allowed_for_replacing[] = {
    {SCMP_SYS(openat),
     {2, SCMP_CMP_MASKED_EQ, OPEN_FOR_MORE_THAN_READING | O_EXCL | O_APPEND, CREATING},
     {3, SCMP_CMP_EQ, OWNER_ONLY, 0}},
    {SCMP_SYS(unlinkat), {2, SCMP_CMP_EQ, 0, 0}, {0}}, /* no directory */
    {SCMP_SYS(fsync), {0}, {0}},
    {SCMP_SYS(renameat), {0}, {0}},
};

static const struct rule allowed_with[] = {
    {SCMP_SYS(open), {1, SCMP_CMP_MASKED_EQ, OPEN_FOR_MORE_THAN_READING, O_RDONLY}, {0}},
    {SCMP_SYS(openat), {2, SCMP_CMP_MASKED_EQ, OPEN_FOR_MORE_THAN_READING, O_RDONLY}, {0}},
    /* AF_UNIX: name services such as nscd and systemd-resolved. Not AF_NETLINK, AF_PACKET … */
    {SCMP_SYS(socket), {0, SCMP_CMP_EQ, AF_INET, 0}, {0}},
    {SCMP_SYS(socket), {0, SCMP_CMP_EQ, AF_INET6, 0}, {0}},
    {SCMP_SYS(socket), {0, SCMP_CMP_EQ, AF_UNIX, 0}, {0}},
    {SCMP_SYS(socketpair), {0, SCMP_CMP_EQ, AF_UNIX, 0}, {0}}, /* libcurl wakes itself by one */
    {SCMP_SYS(ioctl),
     {1, SCMP_CMP_EQ, FIONREAD, 0},
     {0}}, /* getaddrinfo(): how long an answer is */
    {SCMP_SYS(ioctl), {1, SCMP_CMP_EQ, SIOCOUTQ, 0}, {0}}, /* what a client has not taken yet */
    {SCMP_SYS(ioctl), {1, SCMP_CMP_EQ, TCGETS, 0}, {0}},   /* stdio: whether it is a terminal */
    {SCMP_SYS(prlimit64), {2, SCMP_CMP_EQ, 0, 0}, {0}},    /* asking for limits, not setting them */
    {SCMP_SYS(clone), {0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD}, {0}}, /* not processes */
};

/* Where a sanitizer looks for leaks in the end: from a process beside this one, which traces it. */
static const int allowed_sanitizers[] = {
    SCMP_SYS(clone),       SCMP_SYS(getdents), SCMP_SYS(getppid), SCMP_SYS(kill),
    SCMP_SYS(pipe),        SCMP_SYS(pipe2),    SCMP_SYS(prctl),   SCMP_SYS(ptrace),
    SCMP_SYS(sigaltstack), SCMP_SYS(tgkill),   SCMP_SYS(wait4),
};

/* ---- what ends the process ------------------------------------------------------------------- */

static const int deadly[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
#if !SANITIZED
    SCMP_SYS(ptrace),
#endif
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(bpf),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(open_by_handle_at),
};

/* ---- building it ----------------------------------------------------------------------------- */

/* A call that this machine's architecture does not have is passed over by the library. */
static int add_calls(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n) {
  int error = 0;
  for (size_t i = 0; error == 0 && i < n; i++)
    error = seccomp_rule_add(filter, action, calls[i], 0);
  return error;
}

static int add_rule(scmp_filter_ctx filter, const struct rule *rule) {
  const struct scmp_arg_cmp conditions[] = {rule->condition, rule->more};
  const unsigned n = rule->condition.op == _SCMP_CMP_MIN ? 0
                     : rule->more.op == _SCMP_CMP_MIN    ? 1
                                                         : 2;
  return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule->call, n, conditions);
}

static int add_rules(scmp_filter_ctx filter, const struct rule *rules, size_t n) {
  int error = 0;
  for (size_t i = 0; error == 0 && i < n; i++) error = add_rule(filter, &rules[i]);
  return error;
}

/* For abort(), in this process only. */
static int add_own_signals(scmp_filter_ctx filter) {
  return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                          SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
}

/* Its flags lie in memory, where a filter does not see them; told that there is no such call, the
 * C library makes its threads with clone(). */
static int hide_clone3(scmp_filter_ctx filter) {
  return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int set_attributes(scmp_filter_ctx filter) {
  /* Calls of another architecture, i386 on x86-64, would pass under other numbers. */
  int error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  /* Also for threads that a library has made already. */
  if (error == 0) error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
  /* A binary tree: every call with conditions goes through the filter. */
  if (error == 0) error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  return error;
}

static int fill(scmp_filter_ctx filter, unsigned files) {
  int error = set_attributes(filter);
  if (error == 0) error = add_calls(filter, SCMP_ACT_ALLOW, allowed, ITEMS(allowed));
  if (error == 0 && SANITIZED)
    error = add_calls(filter, SCMP_ACT_ALLOW, allowed_sanitizers, ITEMS(allowed_sanitizers));
  if (error == 0) error = add_rules(filter, allowed_with, ITEMS(allowed_with));
  if (error == 0 && (files & SANDBOX_APPENDS))
    error = add_rules(filter, allowed_for_appending, ITEMS(allowed_for_appending));
  if (error == 0 && (files & SANDBOX_REPLACES))
    error = add_rules(filter, allowed_for_replacing, ITEMS(allowed_for_replacing));
  if (error == 0) error = add_own_signals(filter);
  if (error == 0) error = add_calls(filter, SCMP_ACT_KILL_PROCESS, deadly, ITEMS(deadly));
  if (error == 0) error = hide_clone3(filter);
  return error;
}

bool sandbox_enter(unsigned files, struct sandbox_error *ret_error) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  int error = filter ? fill(filter, files) : -ENOMEM;
  if (error == 0) error = seccomp_load(filter);
  seccomp_release(filter);
  if (error == 0) return true;
  return sandbox_fail(ret_error,
                      "the kernel takes no filter of system calls: %s; where it cannot, "
                      "\"sandbox\": false goes without",
                      strerror(-error));
}
