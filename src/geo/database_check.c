/*
 * Verification of a database: the tree, then all that its records lead to.
 *
 *   geo_database_check ─ check_records ─ check_record ─┬ check_value: its form, wherever it points
 *                                                      └ note_forms: what fields it has
 *
 * libmaxminddb stays within its mapping whatever a file says. What it does not do is bound the work
 * of a look-up (a map may claim to be as long as the file) or tell a damaged file before a client
 * comes from a damaged network. Each value is walked once, however many pointers lead to it.
 */
#include <stdlib.h>

#include "database.h"

enum {
  DEPTH_MAX = 32,
  VALUES_MAX = 4096, /* of one record, without what it points to */
};

/* The numbers that the format gives its types. */
enum { TYPE_EXTENDED = 0 };

struct check {
  struct geo_database *database;
  const uint8_t *data;
  size_t size;
  uint8_t *walked;  /* a bit for each byte: a value that begins there is well-formed */
  uint8_t *records; /* the same of records */
  size_t steps_left;
  size_t values_left;
  const char *why;
};

static bool fail(struct check *check, const char *why) {
  if (!check->why) check->why = why;
  return false;
}

/* Sets a bit; whether it was set before. */
static bool mark(uint8_t *bits, size_t i) {
  uint8_t mask = (uint8_t)(1U << (i & 7));
  bool before = (bits[i >> 3] & mask) != 0;
  bits[i >> 3] |= mask;
  return before;
}

/* ---- values ---------------------------------------------------------------------------------- */

/* The head of a value: what, and how long. */
struct head {
  unsigned type;
  size_t n;      /* bytes, or members; of a pointer where to */
  size_t behind; /* offset of what follows the head */
};

static bool take_bytes(const struct check *check, size_t *at, size_t n, size_t *ret) {
  size_t value = 0;
  if (n > check->size - *at) return false;
  for (size_t i = 0; i < n; i++) value = value << 8 | check->data[(*at)++];
  *ret = value;
  return true;
}

static bool read_pointer(const struct check *check, size_t at, unsigned control, struct head *ret) {
  static const size_t bases[] = {0, 2048, 526336, 0};
  unsigned size = control >> 3 & 3;
  size_t low;
  if (!take_bytes(check, &at, size + 1, &low)) return false;
  size_t high = size < 3 ? (size_t)(control & 7) << (8 * (size + 1)) : 0;
  *ret = (struct head){MMDB_DATA_TYPE_POINTER, bases[size] + (high | low), at};
  return true;
}

static bool read_head(const struct check *check, size_t at, struct head *ret) {
  static const size_t bases[] = {29, 285, 65821};
  size_t control, extended, more;
  if (at >= check->size || !take_bytes(check, &at, 1, &control)) return false;
  unsigned type = (unsigned)control >> 5;
  if (type == MMDB_DATA_TYPE_POINTER) return read_pointer(check, at, (unsigned)control, ret);
  if (type == TYPE_EXTENDED) {
    if (!take_bytes(check, &at, 1, &extended)) return false;
    type = (unsigned)extended + 7;
  }
  size_t n = control & 31;
  if (n >= 29) {
    size_t base = bases[n - 29];
    if (!take_bytes(check, &at, n - 28, &more)) return false;
    n = base + more;
  }
  *ret = (struct head){type, n, at};
  return true;
}

/* The longest that a value of a type may be; 0 where there is no such type. */
static size_t longest_of(unsigned type) {
  switch (type) {
    case MMDB_DATA_TYPE_UTF8_STRING:
    case MMDB_DATA_TYPE_BYTES:
      return SIZE_MAX;
    case MMDB_DATA_TYPE_DOUBLE:
    case MMDB_DATA_TYPE_UINT64:
      return 8;
    case MMDB_DATA_TYPE_UINT16:
      return 2;
    case MMDB_DATA_TYPE_UINT32:
    case MMDB_DATA_TYPE_INT32:
    case MMDB_DATA_TYPE_FLOAT:
      return 4;
    case MMDB_DATA_TYPE_UINT128:
      return 16;
    case MMDB_DATA_TYPE_BOOLEAN:
      return 1;
    default:
      return 0;
  }
}

static bool check_value(struct check *check, size_t at, unsigned depth, bool is_key,
                        size_t *ret_end);

/* A pointer leads to a value that is none itself; that one is walked on an account of its own. */
static bool check_pointed(struct check *check, size_t to, unsigned depth, bool is_key) {
  struct head head;
  if (to >= check->size || !read_head(check, to, &head)) return fail(check, "a pointer leads out");
  if (head.type == MMDB_DATA_TYPE_POINTER) return fail(check, "a pointer leads to a pointer");
  if (is_key && head.type != MMDB_DATA_TYPE_UTF8_STRING) return fail(check, "a key is no text");
  if (mark(check->walked, to)) return true;
  size_t values_left = check->values_left, end;
  check->values_left = VALUES_MAX;
  bool ok = check_value(check, to, depth + 1, is_key, &end);
  check->values_left = values_left;
  return ok;
}

static bool check_members(struct check *check, const struct head *head, unsigned depth,
                          size_t *ret_end) {
  size_t at = head->behind;
  for (size_t i = 0; i < head->n; i++) {
    if (head->type == MMDB_DATA_TYPE_MAP && !check_value(check, at, depth + 1, true, &at))
      return false;
    if (!check_value(check, at, depth + 1, false, &at)) return false;
  }
  *ret_end = at;
  return true;
}

/* Recursion is bounded by DEPTH_MAX. */
static bool check_value(struct check *check, size_t at, unsigned depth, bool is_key,
                        size_t *ret_end) {
  struct head head;
  if (depth > DEPTH_MAX) return fail(check, "values are nested too deep");
  if (check->values_left == 0) return fail(check, "a record has too many values");
  if (check->steps_left == 0) return fail(check, "its records overlap");
  check->values_left--;
  check->steps_left--;
  if (!read_head(check, at, &head)) return fail(check, "a value goes beyond the data");
  (void)mark(check->walked, at);
  if (head.type == MMDB_DATA_TYPE_POINTER) {
    *ret_end = head.behind;
    return check_pointed(check, head.n, depth, is_key);
  }
  if (is_key && head.type != MMDB_DATA_TYPE_UTF8_STRING) return fail(check, "a key is no text");
  if (head.type == MMDB_DATA_TYPE_MAP || head.type == MMDB_DATA_TYPE_ARRAY)
    return check_members(check, &head, depth, ret_end);
  if (head.n > longest_of(head.type)) return fail(check, "a value has a form that is not known");
  size_t bytes = head.type == MMDB_DATA_TYPE_BOOLEAN ? 0 : head.n;
  if (longest_of(head.type) == 0 || bytes > check->size - head.behind)
    return fail(check, "a value goes beyond the data");
  *ret_end = head.behind + bytes;
  return true;
}

/* ---- records --------------------------------------------------------------------------------- */

static void note_forms(struct geo_database *database, MMDB_entry_s *record) {
  for (unsigned field = 0; field < GEO_FIELDS; field++) {
    for (unsigned form = 0; form < GEO_FORMS_MAX; form++) {
      char buffer[GEO_NUMBER_BYTES];
      struct str text;
      if ((database->forms[field] >> form & 1) != 0) continue;
      if (geo_record_get(record, (enum geo_field)field, 1U << form, buffer, &text, NULL))
        database->forms[field] |= (uint8_t)(1U << form);
    }
  }
}

static bool check_record(struct check *check, MMDB_entry_s *record) {
  struct head head;
  size_t at = record->offset, end;
  if (at >= check->size) return fail(check, "its tree leads out of the data");
  if (mark(check->records, at)) return true;
  check->values_left = VALUES_MAX;
  if (!check_value(check, at, 0, false, &end)) return false;
  if (read_head(check, at, &head) && head.type == MMDB_DATA_TYPE_POINTER)
    (void)read_head(check, head.n, &head);
  if (head.type != MMDB_DATA_TYPE_MAP) return fail(check, "a record is no map");
  note_forms(check->database, record);
  return true;
}

static bool check_branch(struct check *check, uint8_t type, MMDB_entry_s *record) {
  if (type == MMDB_RECORD_TYPE_DATA) return check_record(check, record);
  return type == MMDB_RECORD_TYPE_INVALID ? fail(check, "its tree leads nowhere") : true;
}

/* Node after node, not as a tree: a circle in it does no harm, since a look-up takes at most one
 * step for each bit of an address. */
static bool check_records(struct check *check) {
  const MMDB_s *db = &check->database->db;
  for (uint32_t i = 0; i < db->metadata.node_count; i++) {
    MMDB_search_node_s node;
    if (MMDB_read_node(db, i, &node) != MMDB_SUCCESS) return fail(check, "its tree cannot be read");
    if (!check_branch(check, node.left_record_type, &node.left_record_entry) ||
        !check_branch(check, node.right_record_type, &node.right_record_entry)) {
      return false;
    }
  }
  return true;
}

const char *geo_database_check(struct geo_database *database) {
  const MMDB_s *db = &database->db;
  struct check check = {
      .database = database, .data = db->data_section, .size = db->data_section_size};
  /* Well-formed data is walked once; twice, where records share the middle of others. */
  check.steps_left = 2 * check.size + 1;
  check.walked = calloc(1, check.size / 8 + 1);
  check.records = calloc(1, check.size / 8 + 1);
  if (!check.walked || !check.records) {
    (void)fail(&check, "there is no memory to verify it");
  } else {
    (void)check_records(&check);
  }
  free(check.walked);
  free(check.records);
  return check.why;
}
