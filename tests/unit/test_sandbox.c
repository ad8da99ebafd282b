/*
 * sandbox: what a process can still do, and what not. Each case runs in a process of its own, as
 * nothing that was given up comes back.
 */
#include "adit/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define ITEMS(array) (sizeof(array) / sizeof(*(array)))

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#elif defined(__has_feature)
enum { SANITIZED = __has_feature(address_sanitizer) };
#else
enum { SANITIZED = 0 };
#endif

/* What a child says of itself; not 0, which it says when it has not come so far. */
enum { DID = 10, WAS_REFUSED, FAILED };

/* ---- what is tried --------------------------------------------------------------------------- */

/* Each gives what the call gave, with errno. */
static void *thread_main(void *argument) {
  return argument;
}

static long make_thread(void) {
  pthread_t thread;
  int error = pthread_create(&thread, NULL, thread_main, NULL);
  if (error == 0) pthread_join(thread, NULL);
  errno = error;
  return error == 0 ? 0 : -1;
}

static long make_code(void) {
  void *page =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page == MAP_FAILED ? -1 : munmap(page, 4096);
}

static long read_file(void) {
  int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  char byte;
  return fd < 0 || read(fd, &byte, 1) != 1 ? -1 : close(fd);
}

static long resolve_name(void) {
  struct addrinfo *found = NULL;
  int error = getaddrinfo("localhost", NULL, NULL, &found);
  if (error == 0) freeaddrinfo(found);
  return error == 0 ? 0 : -1;
}

static long connect_tcp(void) {
  struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  /* Nobody is at port 0: that it is refused by the network, not by the filter, is the point. */
  int n = connect(fd, (const struct sockaddr *)(const void *)&nobody, sizeof(nobody));
  return n != 0 && errno != EPERM ? close(fd) : -1;
}

static long ask_limit(void) {
  struct rlimit limit;
  return getrlimit(RLIMIT_NOFILE, &limit);
}

static long run_program(void) {
  char name[] = "true";
  char *const argv[] = {name, NULL};
  return execve("/bin/true", argv, NULL);
}

static long run_program_by_descriptor(void) {
  char name[] = "true";
  char *const argv[] = {name, NULL};
  return syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, NULL, 0);
}

static long trace(void) {
  return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long read_other_memory(void) {
  return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static long new_namespace(void) {
  return syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */);
}

static long io_uring(void) {
  return syscall(SYS_io_uring_setup, 1, NULL);
}

static long netlink(void) {
  return socket(AF_NETLINK, SOCK_RAW, 0);
}

static long packet(void) {
  return socket(AF_PACKET, SOCK_RAW, 0);
}

static long bind_port(void) {
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  return fd < 0 ? 0 : bind(fd, (const struct sockaddr *)(const void *)&any, sizeof(any));
}

static long listen_at_port(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  return fd < 0 ? 0 : listen(fd, 1);
}

static long write_file(void) {
  return open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static long read_and_write_file(void) {
  return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static long create_file(void) {
  return open("/tmp/adit-test-sandbox", O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static long append_to_file(void) {
  return open("/dev/null", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static long empty_file(void) {
  return open("/dev/null", O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static long read_and_append(void) {
  return open("/dev/null", O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static long create_new_with_mode(unsigned mode) {
  return openat(AT_FDCWD, "/tmp/adit-test-sandbox", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
}

/* As a state file is written; nothing of it is left. */
static long replace_file(void) {
  (void)unlinkat(AT_FDCWD, "/tmp/adit-test-sandbox", 0);
  int fd = (int)create_new_with_mode(0600);
  if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || close(fd) != 0) return -1;
  if (renameat(AT_FDCWD, "/tmp/adit-test-sandbox", AT_FDCWD, "/tmp/adit-test-sandbox.2") != 0)
    return -1;
  return unlinkat(AT_FDCWD, "/tmp/adit-test-sandbox.2", 0);
}

static long create_for_others(void) {
  return create_new_with_mode(0644);
}

static long create_set_user_id(void) {
  return create_new_with_mode(04600);
}

static long write_over_file(void) {
  return open("/dev/null", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long write_emptied_file(void) {
  return open("/dev/null", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static long remove_directory(void) {
  return unlinkat(AT_FDCWD, "/tmp/adit-test-sandbox", AT_REMOVEDIR);
}

static long make_directory(void) {
  return mkdir("/tmp/adit-test-sandbox", 0700);
}

static long make_link(void) {
  return link("/dev/null", "/tmp/adit-test-sandbox");
}

static long make_symbolic_link(void) {
  return symlink("/dev/null", "/tmp/adit-test-sandbox");
}

static long remove_file(void) {
  return unlink("/tmp/adit-test-sandbox");
}

static long change_mode(void) {
  return chmod("/tmp/adit-test-sandbox", 0777);
}

static long fork_process(void) {
  return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static long clone3_process(void) {
  struct {
    uint64_t flags, more[7];
  } arguments = {0};
  return syscall(SYS_clone3, &arguments, sizeof(arguments));
}

static long kill_parent(void) {
  return syscall(SYS_kill, getppid(), 0);
}

static long raise_limit(void) {
  struct rlimit limit = {16, 16};
  return setrlimit(RLIMIT_NOFILE, &limit);
}

static long become_root(void) {
  return syscall(SYS_setuid, 0);
}

static long allow_dumps(void) {
  return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* ---- where it is tried ----------------------------------------------------------------------- */

/* In the sandbox, in a child: its wait status. */
static int try_inside_with(unsigned files, long (*what)(void)) {
  pid_t pid = fork();
  ck_assert_int_ge(pid, 0);
  if (pid == 0) {
    struct sandbox_error error;
    const struct rlimit no_dump = {0, 0};
    setrlimit(RLIMIT_CORE, &no_dump);
    if (!sandbox_enter(files, &error)) {
      fprintf(stderr, "%s\n", error.message);
      _exit(FAILED);
    }
    long got = what();
    _exit(got >= 0 ? DID : errno == EPERM || errno == ENOSYS ? WAS_REFUSED : FAILED);
  }
  int status = 0;
  ck_assert_int_eq(waitpid(pid, &status, 0), pid);
  return status;
}

static int try_inside(long (*what)(void)) {
  return try_inside_with(SANDBOX_READS, what);
}

struct attempt {
  const char *name;
  long (*what)(void);
};

START_TEST(what_a_gateway_does_is_allowed)
{
  static const struct attempt attempts[] = {
      {"a thread", make_thread},         {"code made at run time", make_code},
      {"reading a file", read_file},     {"looking a name up", resolve_name},
      {"a TCP connection", connect_tcp}, {"asking for a limit", ask_limit},
  };
  for (size_t i = 0; i < ITEMS(attempts); i++) {
    int status = try_inside(attempts[i].what);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == DID, "%s: status %x",
                  attempts[i].name, (unsigned)status);
  }
}
END_TEST

START_TEST(what_it_has_no_use_for_is_refused)
{
  static const struct attempt attempts[] = {
      {"a netlink socket", netlink},           {"a packet socket", packet},
      {"binding a port", bind_port},           {"listening", listen_at_port},
      {"writing a file", write_file},          {"reading and writing a file", read_and_write_file},
      {"creating a file", create_file},        {"removing a file", remove_file},
      {"changing a file's mode", change_mode}, {"a process, by clone3()", clone3_process},
      {"setting a limit", raise_limit},        {"changing the user", become_root},
      {"appending to a file", append_to_file},
  };
  static const struct attempt but_sanitizers[] = {
      {"a process", fork_process},
      {"a signal to another process", kill_parent},
      {"prctl()", allow_dumps},
  };
  for (size_t i = 0; i < ITEMS(attempts) + ITEMS(but_sanitizers); i++) {
    bool general = i < ITEMS(attempts);
    const struct attempt *one = general ? &attempts[i] : &but_sanitizers[i - ITEMS(attempts)];
    if (!general && SANITIZED) break;
    int status = try_inside(one->what);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == WAS_REFUSED, "%s: status %x",
                  one->name, (unsigned)status);
  }
}
END_TEST

/* Where there is a log to be opened again. */
START_TEST(a_file_is_appended_to_and_no_more)
{
  static const struct attempt refused[] = {
      {"writing a file", write_file},   {"reading and writing a file", read_and_write_file},
      {"creating a file", create_file}, {"emptying a file", empty_file},
      {"removing a file", remove_file}, {"reading and appending", read_and_append},
  };
  int status = try_inside_with(SANDBOX_APPENDS, append_to_file);
  ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == DID, "status %x", (unsigned)status);
  for (size_t i = 0; i < ITEMS(refused); i++) {
    status = try_inside_with(SANDBOX_APPENDS, refused[i].what);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == WAS_REFUSED, "%s: status %x",
                  refused[i].name, (unsigned)status);
  }
}
END_TEST

/* Where there is a state file. */
START_TEST(a_file_is_replaced_and_no_more)
{
  static const struct attempt refused[] = {
      {"writing a file", write_file},
      {"reading and writing a file", read_and_write_file},
      {"writing over a file", write_over_file},
      {"emptying a file", write_emptied_file},
      {"creating and reading a file", create_file},
      {"appending to a file", append_to_file},
      {"creating a file for others", create_for_others},
      {"creating a file with its owner's rights", create_set_user_id},
      {"removing a directory", remove_directory},
      {"making a directory", make_directory},
      {"making a link", make_link},
      {"making a symbolic link", make_symbolic_link},
      {"changing a file's mode", change_mode},
  };
  int status = try_inside_with(SANDBOX_REPLACES, replace_file);
  ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == DID, "status %x", (unsigned)status);
  for (size_t i = 0; i < ITEMS(refused); i++) {
    status = try_inside_with(SANDBOX_REPLACES, refused[i].what);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == WAS_REFUSED, "%s: status %x",
                  refused[i].name, (unsigned)status);
  }
  /* With a log, too. */
  status = try_inside_with(SANDBOX_REPLACES | SANDBOX_APPENDS, append_to_file);
  ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == DID);
  /* Without a state file none of it. */
  status = try_inside_with(SANDBOX_APPENDS, replace_file);
  ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == WAS_REFUSED);
}
END_TEST

START_TEST(what_an_intruder_does_is_the_end)
{
  static const struct attempt attempts[] = {
      {"a program", run_program},
      {"a program, by execveat()", run_program_by_descriptor},
      {"another process's memory", read_other_memory},
      {"a namespace", new_namespace},
      {"io_uring", io_uring},
      {"tracing", trace}, /* the last: sanitizers trace */
  };
  for (size_t i = 0; i < ITEMS(attempts) - SANITIZED; i++) {
    int status = try_inside(attempts[i].what);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: status %x",
                  attempts[i].name, (unsigned)status);
  }
}
END_TEST

/* ---- rights ---------------------------------------------------------------------------------- */

/* One number of /proc/self/status, in hexadecimal where the kernel writes it so. */
static unsigned long long own_status(const char *name, int base) {
  char line[512];
  size_t n = strlen(name);
  FILE *file = fopen("/proc/self/status", "r");
  unsigned long long value = ~0ULL;
  while (file && fgets(line, sizeof(line), file))
    if (strncmp(line, name, n) == 0 && line[n] == ':') value = strtoull(line + n + 1, NULL, base);
  if (file) fclose(file);
  return value;
}

static bool has_no_rights(void) {
  return own_status("CapEff", 16) == 0 && own_status("CapPrm", 16) == 0 &&
         own_status("CapInh", 16) == 0 && own_status("CapAmb", 16) == 0 &&
         own_status("NoNewPrivs", 10) == 1;
}

/* Whether `check` holds in a child that has dropped its rights. */
static bool holds_after_drop(const char *user, bool (*check)(void)) {
  pid_t pid = fork();
  ck_assert_int_ge(pid, 0);
  if (pid == 0) {
    struct sandbox_error error;
    if (!sandbox_drop_rights(user, &error)) {
      fprintf(stderr, "%s\n", error.message);
      _exit(FAILED);
    }
    _exit(check() ? DID : FAILED);
  }
  int status = 0;
  ck_assert_int_eq(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) && WEXITSTATUS(status) == DID;
}

static bool is_nobody(void) {
  const struct passwd *nobody = getpwnam("nobody");
  uid_t real, effective, saved;
  gid_t groups[64];
  if (getresuid(&real, &effective, &saved) != 0) return false;
  int n = getgroups((int)ITEMS(groups), groups);
  return nobody && real == nobody->pw_uid && effective == real && saved == real &&
         getgid() == nobody->pw_gid && n == 1 && groups[0] == nobody->pw_gid && has_no_rights() &&
         own_status("CapBnd", 16) == 0 && setuid(0) != 0;
}

START_TEST(rights_are_dropped)
{ ck_assert(holds_after_drop(NULL, has_no_rights)); }
END_TEST

START_TEST(another_user_is_become)
{
  if (geteuid() == 0) {
    ck_assert(holds_after_drop("nobody", is_nobody));
    ck_assert(holds_after_drop("root", has_no_rights));
    return;
  }
  struct sandbox_error error;
  ck_assert(!sandbox_drop_rights("root", &error));
  ck_assert(str_contains(str_from_cstr(error.message), STR("cannot become user 'root'")));
}
END_TEST

START_TEST(a_user_has_to_be_there)
{
  struct sandbox_error error;
  ck_assert(!sandbox_drop_rights("adit-nobody-has-this-name", &error));
  ck_assert_str_eq(error.message, "there is no user 'adit-nobody-has-this-name' on this machine");
}
END_TEST

UNIT_MAIN("sandbox", what_a_gateway_does_is_allowed, what_it_has_no_use_for_is_refused,
          a_file_is_appended_to_and_no_more, a_file_is_replaced_and_no_more,
          what_an_intruder_does_is_the_end, rights_are_dropped, another_user_is_become,
          a_user_has_to_be_there)
