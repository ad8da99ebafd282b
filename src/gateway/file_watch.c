#include "file_watch.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adit/arena.h"
#include "adit/hash.h"
#include "adit/json.h"
#include "adit/log.h"
#include "adit/text.h"
#include "adit/units.h"

enum {
  QUIET_MS = 100, /* an editor writes in several steps */
  MOST_MS = 1000, /* and somebody may write without end */
  ARENA_MAX_BYTES = 64 << 20,
  PATH_MAX_BYTES = 4096
};

static const uint32_t events_wanted = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                                      IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

struct noted {
  const char *path;
  uint64_t state; /* before it was read */
};

struct noted_list {
  struct noted *items;
  size_t n, capacity;
};

struct file_watch {
  int fd;
  struct arena *arena; /* of the list, and of patterns */
  struct noted_list files;
  struct str *patterns;
  size_t pattern_count;
  uint64_t found;   /* what the patterns name */
  bool was_told;    /* of what cannot be watched */
  int64_t first_ms; /* the first event that nobody has looked after; 0: none */
  int64_t due_ms;
  /* While a loading is under way: what it reads, beside the above, which holds until its end. */
  struct arena *next_arena;
  struct noted_list next_files;
};

struct file_watch *file_watch_new(void) {
  struct file_watch *watch = calloc(1, sizeof(*watch));
  if (watch) watch->fd = -1;
  return watch;
}

static void stop(struct file_watch *watch) {
  if (watch->fd >= 0) (void)close(watch->fd);
  watch->fd = -1;
  watch->first_ms = watch->due_ms = 0;
}

void file_watch_free(struct file_watch **watch) {
  struct file_watch *gone = *watch;
  *watch = NULL;
  if (!gone) return;
  stop(gone);
  if (gone->arena) arena_free(&gone->arena);
  if (gone->next_arena) arena_free(&gone->next_arena);
  free(gone);
}

/* ---- what files are like --------------------------------------------------------------------- */

/* Another number for another file, or another content, in the same place. Not there: one, too. */
static uint64_t state_of(const char *path) {
  struct stat status;
  int64_t words[6] = {-1};
  if (stat(path, &status) == 0) {
    words[0] = (int64_t)status.st_dev;
    words[1] = (int64_t)status.st_ino;
    words[2] = status.st_size;
    words[3] = status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
    words[4] = status.st_ctim.tv_sec * 1000000000 + status.st_ctim.tv_nsec;
    words[5] = status.st_mode;
  }
  return digest_of(str_make((const char *)words, sizeof(words)));
}

/* Of the names of all files that the patterns match. */
static uint64_t find_files(const struct file_watch *watch) {
  uint64_t digest = 0;
  for (size_t i = 0; i < watch->pattern_count; i++) {
    glob_t found = {0};
    if (glob(watch->patterns[i].p, GLOB_NOSORT, NULL, &found) != 0) continue;
    for (size_t k = 0; k < found.gl_pathc; k++)
      digest += digest_of(str_from_cstr(found.gl_pathv[k])) * (i + 1);
    globfree(&found);
  }
  return digest;
}

static bool has(const struct noted_list *list, const char *path) {
  for (size_t i = 0; i < list->n; i++)
    if (strcmp(list->items[i].path, path) == 0) return true;
  return false;
}

/* file_note_fn */
static void note(void *context, const char *path) {
  struct file_watch *watch = context;
  if (has(&watch->next_files, path)) return;
  struct str kept = arena_dup(watch->next_arena, str_from_cstr(path));
  struct noted noted = {kept.p, state_of(path)};
  if (kept.p) (void)VEC_PUSH(watch->next_arena, &watch->next_files, noted);
}

/* ---- directories ----------------------------------------------------------------------------- */

static void cannot_watch(struct file_watch *watch, const char *path, int error) {
  if (watch->was_told) return;
  watch->was_told = true;
  log_write(LOG_WARNING, "'watch': %s cannot be watched: %s; send SIGHUP to reload", path,
            strerror(error));
}

/* The directory, or where it is not there the one that it would come to be in. */
static void watch_directory(struct file_watch *watch, const char *path) {
  char buffer[PATH_MAX_BYTES];
  (void)str_copy_to(str_from_cstr(path), buffer, sizeof(buffer));
  for (;;) {
    if (inotify_add_watch(watch->fd, buffer, events_wanted | IN_ONLYDIR) >= 0) return;
    if (errno != ENOENT && errno != ENOTDIR) return cannot_watch(watch, buffer, errno);
    char *slash = strrchr(buffer, '/');
    if (slash == buffer) return;
    if (slash)
      *slash = '\0';
    else if (strcmp(buffer, ".") == 0)
      return;
    else
      (void)str_copy_to(STR("."), buffer, sizeof(buffer));
  }
}

static void watch_parent(struct file_watch *watch, const char *path) {
  char buffer[PATH_MAX_BYTES];
  (void)str_copy_to(str_from_cstr(path), buffer, sizeof(buffer));
  char *slash = strrchr(buffer, '/');
  if (slash) slash[slash == buffer] = '\0';
  watch_directory(watch, slash ? buffer : ".");
}

/* Where the file is, where each symbolic link on the way to it is, and where they lead to. */
static void watch_file(struct file_watch *watch, const char *path) {
  char buffer[PATH_MAX_BYTES];
  struct stat status;
  (void)str_copy_to(str_from_cstr(path), buffer, sizeof(buffer));
  watch_parent(watch, path);
  for (char *slash = strchr(buffer + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (lstat(buffer, &status) == 0 && S_ISLNK(status.st_mode)) watch_parent(watch, buffer);
    *slash = '/';
  }
  char *real = realpath(path, NULL);
  if (real) watch_parent(watch, real);
  free(real);
}

/* All directories in which a file could come to match. */
static void watch_pattern(struct file_watch *watch, const char *pattern) {
  char buffer[PATH_MAX_BYTES];
  (void)str_copy_to(str_from_cstr(pattern), buffer, sizeof(buffer));
  for (char *slash = strrchr(buffer, '/'); slash && slash > buffer; slash = strrchr(buffer, '/')) {
    glob_t found = {0};
    *slash = '\0';
    if (glob(buffer, GLOB_NOSORT, NULL, &found) != 0) continue;
    for (size_t k = 0; k < found.gl_pathc; k++) watch_file(watch, found.gl_pathv[k]);
    for (size_t k = 0; k < found.gl_pathc; k++) watch_directory(watch, found.gl_pathv[k]);
    globfree(&found);
  }
  watch_directory(watch, pattern[0] == '/' ? "/" : ".");
}

static void watch_all(struct file_watch *watch) {
  for (size_t i = 0; i < watch->files.n; i++) watch_file(watch, watch->files.items[i].path);
  for (size_t i = 0; i < watch->pattern_count; i++) watch_pattern(watch, watch->patterns[i].p);
}

/* ---- loadings -------------------------------------------------------------------------------- */

void file_watch_begin(struct file_watch *watch) {
  watch->first_ms = watch->due_ms = 0;
  /* Also of what this loading will not come to read: keep_old_files(). */
  for (size_t i = 0; i < watch->files.n; i++)
    watch->files.items[i].state = state_of(watch->files.items[i].path);
  watch->found = find_files(watch);
  watch->next_files = (struct noted_list){0};
  watch->next_arena = arena_new(ARENA_MAX_BYTES);
  if (watch->next_arena) file_note_reads(note, watch);
}

/* What was read before is watched, too: the mistake may be in one file, and be mended in another.
 */
static void keep_old_files(struct file_watch *watch) {
  for (size_t i = 0; i < watch->files.n; i++) {
    const struct noted *old = &watch->files.items[i];
    struct str path = str_from_cstr(old->path);
    if (has(&watch->next_files, old->path)) continue;
    struct noted kept = {arena_dup(watch->next_arena, path).p, old->state};
    if (kept.path) (void)VEC_PUSH(watch->next_arena, &watch->next_files, kept);
  }
}

static void take_patterns(struct file_watch *watch, const struct str *patterns, size_t n) {
  struct arena *arena = watch->next_arena;
  bool same = n == watch->pattern_count;
  struct str *kept = ARENA_ARRAY(arena, struct str, n);
  for (size_t i = 0; kept && i < n; i++) {
    same = same && str_eq(patterns[i], watch->patterns[i]);
    kept[i] = arena_dup(arena, patterns[i]);
    if (!kept[i].p) kept = NULL;
  }
  watch->patterns = kept;
  watch->pattern_count = kept ? n : 0;
  if (!same) watch->found = find_files(watch);
}

static void take_patterns_of(struct file_watch *watch, const struct config *config) {
  struct str *patterns = ARENA_ARRAY(watch->next_arena, struct str, config->rules_count);
  for (size_t i = 0; patterns && i < config->rules_count; i++)
    patterns[i] = config->rules[i].pattern;
  take_patterns(watch, patterns, patterns ? config->rules_count : 0);
}

void file_watch_end(struct file_watch *watch, const struct config *config) {
  file_note_reads(NULL, NULL);
  if (config && !config->watch) stop(watch);
  if (!watch->next_arena) return;
  if (config)
    take_patterns_of(watch, config);
  else
    take_patterns(watch, watch->patterns, watch->pattern_count);
  if (!config) keep_old_files(watch);
  if (watch->arena) arena_free(&watch->arena);
  watch->arena = watch->next_arena;
  watch->next_arena = NULL;
  watch->files = watch->next_files;
  if (config && config->watch && watch->fd < 0) {
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd < 0) cannot_watch(watch, config->path, errno);
  }
  if (watch->fd < 0) return;
  watch_all(watch);
  /* What changed before it was watched has made no event. Who writes without end is not followed
   * without a pause. */
  if (file_watch_has_changed(watch)) watch->due_ms = clock_monotonic_ms() + QUIET_MS;
}

/* ---- events ---------------------------------------------------------------------------------- */

int file_watch_fd(const struct file_watch *watch) {
  return watch->fd;
}

void file_watch_take(struct file_watch *watch, int64_t now_ms) {
  _Alignas(struct inotify_event) char events[16384];
  bool any = false;
  while (watch->fd >= 0 && read(watch->fd, events, sizeof(events)) > 0) any = true;
  if (!any) return;
  if (watch->first_ms == 0) watch->first_ms = now_ms;
  const int64_t quiet_ms = now_ms + QUIET_MS, most_ms = watch->first_ms + MOST_MS;
  watch->due_ms = quiet_ms < most_ms ? quiet_ms : most_ms;
}

int64_t file_watch_due_ms(const struct file_watch *watch) {
  return watch->due_ms;
}

bool file_watch_has_changed(struct file_watch *watch) {
  watch->first_ms = watch->due_ms = 0;
  watch_all(watch); /* directories may be new */
  bool changed = find_files(watch) != watch->found;
  for (size_t i = 0; i < watch->files.n && !changed; i++)
    changed = state_of(watch->files.items[i].path) != watch->files.items[i].state;
  return changed;
}
