#include "script.h"

#include "check.h"

enum { SLOTS = 8, FIRST_TRUSTED = 4 };
enum { PATTERN_MAX = 100000, PASS_MAX_MS = 100000, TURNS_MAX = 100000, END_MAX_MS = 3600000 };

static struct play {
  struct str script;
  struct worker *worker;
  struct policy *policy;
  struct line *slots[SLOTS]; /* the clients that the script names */
  char connects[64];
  struct bytes text;
  bool over;
  int64_t over_ms;
  unsigned turns;
} play;

/* ---- peers ----------------------------------------------------------------------------------- */

static struct line *client_in(size_t slot) {
  struct line *line = play.slots[slot];
  if (line && !line->closed && !line->in_ended && !line->in_reset) return line;
  struct ip_address peer = {.bytes = {[10] = 0xff, [11] = 0xff}};
  peer.bytes[12] = slot >= FIRST_TRUSTED ? 127 : 10;
  peer.bytes[15] = (uint8_t)(1 + kernel.client_count);
  line = kernel_new_client(&peer);
  if (line) play.slots[slot] = line;
  return line;
}

/* The open line to an origin that was last sent something. */
static struct line *last_origin(void) {
  for (size_t i = kernel.move_count; i-- > 0;) {
    const struct move *move = &kernel.moves[i];
    if (move->out && !move->line->is_client && !move->line->closed)
      return &kernel.origins[move->line->number];
  }
  return NULL;
}

static struct line *line_for(char what, struct str *argument) {
  bool numbered = argument->n > 0 && argument->p[0] >= '0' && argument->p[0] <= '9';
  size_t number = numbered ? (size_t)(argument->p[0] - '0') : 0;
  if (numbered) *argument = str_skip(*argument, 1);
  if (str_starts_with(*argument, STR(" "))) *argument = str_skip(*argument, 1);
  if (what == 'c' || what == 'b') return client_in(number % SLOTS);
  if (what == 'e' || what == 'r' || what == 'w') return play.slots[number % SLOTS];
  if (!numbered) return last_origin();
  return number < kernel.origin_count ? &kernel.origins[number] : NULL;
}

static struct str plain(struct str text) {
  play.text.n = 0;
  for (size_t i = 0; i < text.n; i++) {
    char c = text.p[i];
    if (c == '\\' && i + 1 < text.n && strchr("nr0\\", text.p[i + 1])) {
      c = text.p[++i];
      if (c == 'n') c = '\n';
      if (c == 'r') c = '\r';
      if (c == '0') c = '\0';
    }
    bytes_add(&play.text, &c, 1);
  }
  return bytes_str(&play.text);
}

/* Bytes of which none can be lost or come twice unseen. */
static struct str pattern(size_t n) {
  play.text.n = 0;
  char *p = bytes_add(&play.text, NULL, n);
  for (size_t i = 0; i < n; i++) p[i] = (char)('a' + (i + i / 26 + i / 676) % 26);
  return bytes_str(&play.text);
}

static size_t number_of(struct str text, size_t max, size_t otherwise) {
  uint64_t number = 0;
  size_t n = 0;
  while (n < text.n && ascii_is_digit(text.p[n])) n++;
  return str_to_u64(str_take(text, n), max, &number) ? (size_t)number : otherwise;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void drain(void) {
  for (size_t i = 0; i < CLIENT_LINES_MAX; i++) kernel.clients[i].excused = true;
  worker_send_stop(play.worker, STOP_DRAIN);
}

static void set_connects(struct str letters) {
  letters = str_take(letters, sizeof(play.connects) - 1);
  memcpy(play.connects, letters.p, letters.n);
  play.connects[letters.n] = '\0';
  kernel.connects = play.connects;
}

static void line_step(char what, struct str argument) {
  struct line *line = line_for(what, &argument);
  if (!line) return;
  switch (what) {
    case 'c':
    case 'o':
      line_say(line, plain(argument));
      return;
    case 'b':
    case 'B':
      line_say(line, pattern(number_of(argument, PATTERN_MAX, 1)));
      return;
    case 'e':
    case 'E':
      line_end(line);
      return;
    case 'r':
    case 'R':
      line_reset(line);
      return;
    default:
      line_set_room(line, number_of(argument, PATTERN_MAX, LINE_ROOM_ALL));
      return;
  }
}

static void do_step(struct str step) {
  char what = step.p[0];
  struct str argument = str_skip(step, 1);
  struct str number = str_trim(argument);
  if (strchr("cberwoBERW", what)) line_step(what, argument);
  if (what == 'k') set_connects(number);
  if (what == '+') kernel.now_ms += (int64_t)number_of(number, PASS_MAX_MS, 1);
  if (what == 'p') worker_send_policy(play.worker, policy_ref(play.policy));
  if (what == 'd') drain();
}

/* Cuts the first line off. */
static struct str next_step(struct str *script) {
  size_t n = str_find_char(*script, '\n', 0);
  while (n > 0 && n < script->n && script->p[n - 1] == '\r')
    n = str_find_char(*script, '\n', n + 1);
  struct str step = str_take(*script, n);
  *script = str_skip(*script, n + 1);
  return step;
}

/* ---- the loop's sleep ------------------------------------------------------------------------ */

static void require_quiet(void) {
  if (play.worker->client_count > 0 || play.worker->idle_origins)
    check_failed(NULL, "something is stuck");
  for (unsigned i = 0; i < kernel.client_count; i++)
    if (!kernel.clients[i].closed) check_failed(&kernel.clients[i], "never closed");
  for (unsigned i = 0; i < kernel.origin_count; i++)
    if (!kernel.origins[i].closed) check_failed(&kernel.origins[i], "never closed");
  if (play.worker->policy->refs != 1) check_failed(NULL, "an exchange is left");
}

/* Nobody says anything more: only time passes. */
static void pass_time(int wait_ms) {
  if (!play.over) play.over_ms = kernel.now_ms;
  play.over = true;
  if (kernel_has_events() || wait_ms == 0) return;
  if (wait_ms > 0) {
    kernel.now_ms += wait_ms;
    if (kernel.now_ms - play.over_ms > END_MAX_MS) check_failed(NULL, "it goes on for ever");
    return;
  }
  require_quiet();
  worker_send_stop(play.worker, STOP_NOW);
}

/* Whether the next step waits for the loop: until it rests, or for one turn, or not at all. */
static bool is_due(struct str *step, bool first, int wait_ms) {
  char mark = step->n > 0 ? step->p[0] : '\0';
  if (mark == '&' || mark == ',') *step = str_skip(*step, 1);
  if (mark == '&') return true;
  return first && (mark == ',' || (wait_ms != 0 && !kernel_has_events()));
}

static void play_on(int wait_ms) {
  if (++play.turns > TURNS_MAX) check_failed(NULL, "it spins");
  for (bool first = true;; first = false) {
    struct str rest = play.script;
    struct str step = next_step(&rest);
    if (play.script.n == 0 || !is_due(&step, first, wait_ms)) {
      if (play.script.n == 0 && first) pass_time(wait_ms);
      return;
    }
    play.script = rest;
    if (step.n > 0) do_step(step);
  }
}

void script_begin(struct str text, struct worker *worker, struct policy *policy) {
  struct bytes memory = play.text;
  play = (struct play){.script = text, .worker = worker, .policy = policy, .text = memory};
  kernel.sleep = play_on;
}
