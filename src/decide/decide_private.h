/*
 * decide_private: what the files of src/decide share.
 */
#ifndef ADIT_DECIDE_PRIVATE_H
#define ADIT_DECIDE_PRIVATE_H

#include "adit/crypto.h"
#include "adit/decide.h"

/* The longest Set-Cookie: name, value, Path, Max-Age, Domain (253) and flags fit with room. */
enum { SET_COOKIE_MAX = 1024 };

struct decider {
  const struct router *router;
  const struct sticky_key *keys;
  size_t key_count;
  struct hmac **hmacs; /* one a key, in their order */
  struct attr_reader *reader;
  /* The route whose state was asked for in this decision, and what it was: all readings of a path
   * are decided by the same. NULL: none yet. */
  const struct route *stated;
  enum route_state state;
  bool is_overridden;
  char set_cookie[SET_COOKIE_MAX];
};

/* The variant that the request forces, or VARIANT_NONE. The reader has begun the request. */
uint16_t force_find(struct decider *decider, const struct route *route,
                    const struct decide_request *request, bool *ret_by_cookie);
/* Whether clients of this address may force a variant of the route. */
bool force_is_open_to(const struct route_force *force, const struct ip_address *client);

/* The canary of a name, or VARIANT_NONE. */
uint16_t find_canary(const struct route *route, struct str name);

/* ---- from a log (recorded.c) ----------------------------------------------------------------- */

/* Gives ret->route the state that an override gave the route of its name. False: there was none. */
bool recorded_state(const struct decide_recorded *recorded, struct decision *ret);
/* The variant of ret->route that the request forces, VARIANT_NONE: none. False: not known. */
bool recorded_force(const struct decide_request *request, struct decision *ret,
                    uint16_t *ret_variant);
/* The pin of the visitor's cookie for ret->route, VARIANT_NONE: none. False: not known. */
bool recorded_pin(const struct decide_recorded *recorded, struct decision *ret, uint16_t *ret_pin);
/* The bucket that the record has, if a draw by this split of this route gives the same; -1: none.
 */
int recorded_bucket(const struct decide_recorded *recorded, const struct route *route,
                    const struct split *split);
/* Ends a decision that the record tells too little for. */
void recorded_leave_unknown(struct decision *ret, enum decide_unknown what);
/* After a decision: whether it lacked an attribute. */
void recorded_note_unknown(const struct decider *decider, struct decision *ret);

/*
 * Decides a split that was reached: the pin's variant, else the bucket's. `ret->route`, `ret->rule`
 * and `ret->reason` (rule or default) are set before; the reason is changed where it is another.
 */
void draw_split(struct decider *decider, const struct decide_request *request,
                const struct split *split, struct decision *ret);

/* Writes the value of a Set-Cookie field into the decider's buffer. Absent (p == NULL) on failure.
 */
struct str set_cookie_format(struct decider *decider, const struct route *route,
                             const struct sticky_cookie *cookie, bool https);

#endif
