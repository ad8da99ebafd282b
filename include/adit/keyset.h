/*
 * keyset: the keys of tokens that stand behind a URL (a JWKS), fetched beside everybody's way.
 *
 * One thread fetches for all: at once, whenever `refresh_ms` are over, and when somebody has met a
 * key that is not known, but never twice within `retry_ms`. What was fetched last and is of use
 * stays when a fetch fails. Whoever uses keys looks at keyset_version(), which is one load, and
 * takes new ones when that has changed.
 */
#ifndef ADIT_KEYSET_H
#define ADIT_KEYSET_H

#include <stdatomic.h>

#include "adit/jwt.h"

/* What adit.json says of it. */
struct keyset_spec {
  struct str url;      /* http or https; followed by a NUL that is not counted */
  unsigned algorithms; /* set of enum jwt_algorithm */
  int64_t refresh_ms;
  int64_t retry_ms; /* after a failure, or for an unknown key */
  int64_t timeout_ms;
};

/* NULL and what is fetched: a URL of http or https with a host, without credentials or fragment; or
 * what is wrong with it. */
const char *keyset_check_url(struct str url);

/* Fetches once, on the spot, for as long as `timeout_ms`. No redirect is followed, no proxy used,
 * an answer is at most JWT_KEY_FILE_MAX. `stop` (NULL: nobody) ends it within a second or so. NULL:
 * `ret_why` (of KEYSET_WHY_BYTES) says in a line why. */
enum { KEYSET_WHY_BYTES = 512 };
struct jwt_keys *keyset_fetch(const struct keyset_spec *spec, const atomic_bool *stop,
                              char ret_why[KEYSET_WHY_BYTES]);

/* ---- in the background ----------------------------------------------------------------------- */

struct keysets; /* all there are, and the thread, which begins with the first of them */
struct keyset;

struct keysets *keysets_new(void); /* NULL: memory */
/* After all its key sets have gone; ends a fetch that is under way. */
void keysets_free(struct keysets **keysets);

/*
 * The key set of a URL and algorithms: the one there is, which takes the spec's times over, or a
 * new one, which is being fetched from now on. Copies the spec. NULL: memory, or no thread. Each
 * reference is given back with keyset_unref.
 */
struct keyset *keyset_ref(struct keysets *keysets, const struct keyset_spec *spec);
void keyset_unref(struct keysets *keysets, struct keyset **keyset);

/* Changes with the keys. From any thread, without a lock. */
unsigned keyset_version(const struct keyset *keyset);
/* A reference to the present keys, and their version. NULL: none have been fetched yet. */
struct jwt_keys *keyset_keys(struct keysets *keysets, struct keyset *keyset, unsigned *ret_version);
/* A token has named a key that is not there: asks for a fetch, if it is time. Without a lock but
 * where it is. */
void keyset_want(struct keysets *keysets, struct keyset *keyset);
/* Waits until it has been tried once. */
void keyset_wait_first(struct keysets *keysets, struct keyset *keyset, int64_t timeout_ms);

#endif
