/* rights: user, groups, capabilities. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "adit/sandbox.h"
#include "sandbox_private.h"

bool sandbox_fail(struct sandbox_error *ret_error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(ret_error->message, sizeof(ret_error->message), format, args);
  va_end(args);
  return false;
}

/* What the process could be given again by a file's capabilities. Only those who have CAP_SETPCAP
 * may take it away; for all others no_new_privs has to do. */
static void empty_bounding_set(void) {
  for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
    (void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

static bool become(const char *name, struct sandbox_error *ret_error) {
  errno = 0;
  const struct passwd *user = getpwnam(name);
  if (!user)
    return sandbox_fail(ret_error, "there is no user '%s' on this machine%s%s", name,
                        errno ? ": " : "", errno ? strerror(errno) : "");
  if (user->pw_uid == getuid() && user->pw_uid == geteuid()) return true;
  if (initgroups(name, user->pw_gid) == 0 &&
      setresgid(user->pw_gid, user->pw_gid, user->pw_gid) == 0 &&
      setresuid(user->pw_uid, user->pw_uid, user->pw_uid) == 0)
    return true;
  return sandbox_fail(ret_error, "cannot become user '%s': %s; start as root, or as that user",
                      name, strerror(errno));
}

/* Permitted, effective and inheritable; the ambient set goes with them. */
static bool drop_capabilities(struct sandbox_error *ret_error) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}, {0}};
  if (syscall(SYS_capset, &header, none) == 0) return true;
  return sandbox_fail(ret_error, "cannot give capabilities up: %s", strerror(errno));
}

bool sandbox_drop_rights(const char *user, struct sandbox_error *ret_error) {
  empty_bounding_set();
  if (user && !become(user, ret_error)) return false;
  if (!drop_capabilities(ret_error)) return false;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) return true;
  return sandbox_fail(ret_error, "cannot set no_new_privs: %s", strerror(errno));
}
