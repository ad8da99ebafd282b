/*
 * A TZif file (RFC 9636):
 *
 *   version 1            header, block with times of 4 bytes
 *   version 2, 3, 4      the same, which is passed over; header, block with times of 8 bytes; and
 *                        between two newlines a TZ string, which may be empty
 *
 *   block = times, their types, types (offset, is it summer, name), names, leap seconds, two lists
 *           of flags
 */
#include "adit/arena.h"
#include "tz.h"

enum { HEADER_BYTES = 44, TYPE_BYTES = 6, CHANGES_MAX = 65536 };

struct counts {
  size_t ut_flags, standard_flags, leaps, times, types, name_bytes;
};

struct reading {
  struct arena *arena;
  struct str rest;
  const char *why; /* of what was refused; NULL: nothing was */
};

static bool refuse(struct reading *reading, const char *why) {
  if (!reading->why) reading->why = why;
  return false;
}

static const char cut_short[] = "is cut short";

/* The next `n` items of `size` bytes; a multiplication of what a file says may not overflow. */
static bool take(struct reading *reading, size_t n, size_t size, struct str *ret) {
  if (n > reading->rest.n / size) return refuse(reading, cut_short);
  *ret = str_take(reading->rest, n * size);
  reading->rest = str_skip(reading->rest, n * size);
  return true;
}

static uint32_t get_u32(const char *p) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; i++) value = value << 8 | (unsigned char)p[i];
  return value;
}

static int64_t get_time(const char *p, size_t size) {
  if (size == 4) return (int32_t)get_u32(p);
  return (int64_t)((uint64_t)get_u32(p) << 32 | get_u32(p + 4));
}

/* ---- header ---------------------------------------------------------------------------------- */

static bool take_header(struct reading *reading, char *ret_version, struct counts *ret) {
  struct str header;
  if (reading->rest.n >= 4 && !str_starts_with(reading->rest, STR("TZif"))) {
    return refuse(reading, "is not a time zone (TZif)");
  }
  if (!take(reading, 1, HEADER_BYTES, &header)) return false;
  size_t numbers[6];
  for (size_t i = 0; i < 6; i++) numbers[i] = get_u32(header.p + 20 + 4 * i);
  *ret_version = header.p[4];
  *ret = (struct counts){numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]};
  return true;
}

/* ---- the block ------------------------------------------------------------------------------- */

/* Its parts as they stand in the file. */
struct block {
  struct str times, indexes, types;
};

static bool take_block(struct reading *reading, const struct counts *counts, size_t time_bytes,
                       struct block *ret) {
  struct str passed_over;
  return take(reading, counts->times, time_bytes, &ret->times) &&
         take(reading, counts->times, 1, &ret->indexes) &&
         take(reading, counts->types, TYPE_BYTES, &ret->types) &&
         take(reading, counts->name_bytes, 1, &passed_over) &&
         take(reading, counts->leaps, time_bytes + 4, &passed_over) &&
         take(reading, counts->standard_flags, 1, &passed_over) &&
         take(reading, counts->ut_flags, 1, &passed_over);
}

static bool check_counts(struct reading *reading, const struct counts *counts) {
  if (counts->leaps > 0) {
    return refuse(reading,
                  "counts leap seconds, which Unix time has not: take the zone of that "
                  "name that is not under \"right/\"");
  }
  if (counts->types == 0 || counts->types > 256 || counts->name_bytes == 0 ||
      counts->times > CHANGES_MAX || (counts->ut_flags != 0 && counts->ut_flags != counts->types) ||
      (counts->standard_flags != 0 && counts->standard_flags != counts->types)) {
    return refuse(reading, "contradicts itself: numbers in its header do not fit each other");
  }
  return true;
}

/* The offset of each type. */
static const int *read_types(struct reading *reading, const struct counts *counts,
                             const struct block *block) {
  int *offsets = ARENA_ARRAY(reading->arena, int, counts->types);
  if (!offsets) {
    (void)refuse(reading, "does not fit into memory");
    return NULL;
  }
  for (size_t i = 0; i < counts->types; i++) {
    const char *type = block->types.p + i * TYPE_BYTES;
    int32_t offset_s = (int32_t)get_u32(type);
    if (offset_s <= -ZONE_OFFSET_LIMIT_S || offset_s >= ZONE_OFFSET_LIMIT_S) {
      (void)refuse(reading, "has an offset of 26 hours or more");
    }
    if ((unsigned char)type[4] > 1 || (unsigned char)type[5] >= counts->name_bytes) {
      (void)refuse(reading, "contradicts itself: a type is not one");
    }
    offsets[i] = offset_s;
  }
  return reading->why ? NULL : offsets;
}

static bool read_changes(struct reading *reading, const struct counts *counts,
                         const struct block *block, size_t time_bytes, struct zone *zone) {
  const int *types = read_types(reading, counts, block);
  if (!types) return false;
  int64_t *changes = ARENA_ARRAY(reading->arena, int64_t, counts->times);
  int *offsets = ARENA_ARRAY(reading->arena, int, counts->times);
  if (!changes || !offsets) return refuse(reading, "does not fit into memory");
  for (size_t i = 0; i < counts->times; i++) {
    size_t type = (unsigned char)block->indexes.p[i];
    changes[i] = get_time(block->times.p + i * time_bytes, time_bytes);
    if (type >= counts->types) return refuse(reading, "contradicts itself: a type is missing");
    if (i > 0 && changes[i] <= changes[i - 1]) {
      return refuse(reading, "contradicts itself: its times do not ascend");
    }
    offsets[i] = types[type];
  }
  zone->changes = changes;
  zone->offsets = offsets;
  zone->change_count = counts->times;
  zone->first_s = types[0];
  return true;
}

/* ---- the TZ string --------------------------------------------------------------------------- */

static bool read_footer(struct reading *reading, struct zone *zone) {
  struct str rest = reading->rest;
  if (rest.n == 0 || rest.p[0] != '\n') return refuse(reading, cut_short);
  rest = str_skip(rest, 1);
  size_t end = str_find_char(rest, '\n', 0);
  if (end == rest.n) return refuse(reading, cut_short);
  if (end + 1 < rest.n) return refuse(reading, "has something behind its end");
  if (end == 0) return true;
  zone->has_rule = true;
  return tz_rule_parse(str_take(rest, end), &zone->rule) ||
         refuse(reading, "has a rule at its end that is not a TZ string of POSIX");
}

/* ---- the file -------------------------------------------------------------------------------- */

static bool read_file(struct reading *reading, struct zone *zone) {
  struct counts counts;
  struct block block;
  char version, again;
  if (!take_header(reading, &version, &counts)) return false;
  if (version != '\0' && (version < '2' || version > '4')) {
    return refuse(reading, "is of a version that is not known here (1 to 4 are)");
  }
  bool is_first = version == '\0';
  size_t time_bytes = is_first ? 4 : 8;
  if (!is_first) {
    if (!take_block(reading, &counts, 4, &block) || !take_header(reading, &again, &counts)) {
      return false;
    }
    if (again != version) return refuse(reading, "contradicts itself: it is of two versions");
  }
  if (!check_counts(reading, &counts) || !take_block(reading, &counts, time_bytes, &block) ||
      !read_changes(reading, &counts, &block, time_bytes, zone)) {
    return false;
  }
  if (!is_first) return read_footer(reading, zone);
  return reading->rest.n == 0 || refuse(reading, "has something behind its end");
}

const struct zone *zone_parse(struct arena *arena, struct str name, struct str bytes,
                              const char **ret_why) {
  struct reading reading = {.arena = arena, .rest = bytes};
  struct zone *zone = ARENA_NEW(arena, struct zone);
  if (zone) zone->name = arena_dup(arena, name);
  if (!zone || !zone->name.p) {
    (void)refuse(&reading, "does not fit into memory");
  } else if (bytes.n > ZONE_FILE_BYTES_MAX) {
    (void)refuse(&reading, "is too large");
  } else if (read_file(&reading, zone)) {
    return zone;
  }
  *ret_why = reading.why;
  return NULL;
}
