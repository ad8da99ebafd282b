/*
 * agent: what a client says of itself: its language (Accept-Language), its device, system and
 * browser (User-Agent and Client Hints). Pure, without allocation, linear in the input's length.
 *
 * All of it is the client's own word: anyone can send anything.
 */
#ifndef ADIT_AGENT_H
#define ADIT_AGENT_H

#include "adit/str.h"

enum agent_field {
  AGENT_DEVICE,          /* desktop, mobile, tablet, bot */
  AGENT_OS,              /* windows, macos, linux, android, ios, chromeos */
  AGENT_OS_VERSION,      /* dotted numbers */
  AGENT_BROWSER,         /* chrome, safari, firefox, edge, … */
  AGENT_BROWSER_VERSION, /* dotted numbers */
  AGENT_FIELDS
};

enum {
  AGENT_SUBJECT_BYTES = 1024, /* of a User-Agent; what stands behind is not looked at */
  AGENT_HINT_BYTES = 1024,    /* a longer Client Hint is ignored */
  AGENT_VERSION_BYTES = 32,
  LANGUAGE_TAG_BYTES = 35, /* a longer tag is ignored; as BCP 47 4.4.1 recommends */
  LANGUAGE_RANGES_MAX = 64 /* of all field lines; those behind are not looked at */
};

/* Where the fields above are taken from. */
enum agent_source {
  AGENT_FROM_BRANDS,
  AGENT_FROM_MOBILE,
  AGENT_FROM_PLATFORM,
  AGENT_FROM_PLATFORM_VERSION,
  AGENT_FROM_USER_AGENT
};

/* The request field: "Sec-CH-UA" … */
struct str agent_source_name(enum agent_source source);
/* The k-th source (from 0) that a field may depend on, in order of preference. False: there are no
 * more. */
bool agent_field_source(enum agent_field field, size_t k, enum agent_source *ret);

/* The values of the sources; p == NULL: the request has none. Client Hints have p == NULL also
 * where one came more than once. */
struct agent_input {
  struct str user_agent;
  struct str brands;
  struct str mobile;
  struct str platform;
  struct str platform_version;
};

struct agent {
  struct str fields[AGENT_FIELDS]; /* p == NULL: unknown. Views constants and the buffers below */
  enum agent_source sources[AGENT_FIELDS]; /* whose word each is that is known */
  char os_version[AGENT_VERSION_BYTES];
  char browser_version[AGENT_VERSION_BYTES];
};

/* Reads both. A well-formed Client Hint wins over User-Agent, except that who calls itself a bot
 * there is one. `ret` must not be moved: it views itself. */
void agent_parse(const struct agent_input *input, struct agent *ret);

/* The best language so far; begins as {0}. */
struct language {
  struct str tag; /* views `text`; p == NULL: none */
  char text[LANGUAGE_TAG_BYTES];
  unsigned weight; /* 1 to 1000 */
  unsigned ranges; /* that were looked at */
};

/*
 * Takes one Accept-Language field line (RFC 9110 12.5.4). The language of the highest q wins, of
 * the first among equals; "*", q=0 and what is malformed are passed over. The tag is written as BCP
 * 47 2.1.1 recommends: zh-Hans-CN. `best` must not be moved.
 */
void language_offer(struct language *best, struct str field);

#endif
