/*
 * User-Agent: one walk over its words, each looked up in a table by its first letter. Why no
 * patterns: docs/adr/0014.
 */
#include "adit/agent.h"

#include <string.h>

#include "parts.h"

/* What a word says. Of several browsers (or systems) the one that stands first here wins: others
 * claim to be those behind them as well. */
enum mark {
  MARK_NONE,
  BROWSER_EDGE,
  BROWSER_OPERA,
  BROWSER_SAMSUNG,
  BROWSER_YANDEX,
  BROWSER_VIVALDI,
  BROWSER_UC,
  BROWSER_DUCKDUCKGO,
  BROWSER_SILK,
  BROWSER_FIREFOX,
  BROWSER_CHROME,
  BROWSER_IE,
  BROWSER_SAFARI,
  OS_OTHER, /* none of those that we name, though it says "Linux" or "Android" as well */
  OS_WINDOWS_NT,
  OS_IOS,
  OS_ANDROID,
  OS_CHROMEOS,
  OS_MACOS,
  OS_WINDOWS,
  OS_LINUX,
  SAYS_VERSION,
  SAYS_RV,
  SAYS_BOT,
  SAYS_TV,
  SAYS_TABLET,
  SAYS_MOBILE,
  MARKS
};

static const struct str names[MARKS] = {
    [BROWSER_EDGE] = STR_INIT("edge"),
    [BROWSER_OPERA] = STR_INIT("opera"),
    [BROWSER_SAMSUNG] = STR_INIT("samsung"),
    [BROWSER_YANDEX] = STR_INIT("yandex"),
    [BROWSER_VIVALDI] = STR_INIT("vivaldi"),
    [BROWSER_UC] = STR_INIT("uc"),
    [BROWSER_DUCKDUCKGO] = STR_INIT("duckduckgo"),
    [BROWSER_SILK] = STR_INIT("silk"),
    [BROWSER_FIREFOX] = STR_INIT("firefox"),
    [BROWSER_CHROME] = STR_INIT("chrome"),
    [BROWSER_IE] = STR_INIT("ie"),
    [BROWSER_SAFARI] = STR_INIT("safari"),
    [OS_WINDOWS_NT] = STR_INIT("windows"),
    [OS_IOS] = STR_INIT("ios"),
    [OS_ANDROID] = STR_INIT("android"),
    [OS_CHROMEOS] = STR_INIT("chromeos"),
    [OS_MACOS] = STR_INIT("macos"),
    [OS_WINDOWS] = STR_INIT("windows"),
    [OS_LINUX] = STR_INIT("linux"),
};

struct word {
  struct str text; /* in lower case */
  enum mark mark;
};

/* Sorted by the first letter; one with a hyphen before the word that it begins with. */
static const struct word words[] = {
    {STR_INIT("android"), OS_ANDROID},
    {STR_INIT("aiohttp"), SAYS_BOT},
    {STR_INIT("apache-httpclient"), SAYS_BOT},
    {STR_INIT("appletv"), SAYS_TV},
    {STR_INIT("archiver"), SAYS_BOT},
    {STR_INIT("axios"), SAYS_BOT},
    {STR_INIT("bravia"), SAYS_TV},
    {STR_INIT("bingpreview"), SAYS_BOT},
    {STR_INIT("chrome-lighthouse"), SAYS_BOT},
    {STR_INIT("chrome"), BROWSER_CHROME},
    {STR_INIT("crios"), BROWSER_CHROME},
    {STR_INIT("crkey"), SAYS_TV},
    {STR_INIT("cros"), OS_CHROMEOS},
    {STR_INIT("cpu iphone os"), OS_IOS},
    {STR_INIT("cpu os"), OS_IOS},
    {STR_INIT("curl"), SAYS_BOT},
    {STR_INIT("ddg"), BROWSER_DUCKDUCKGO},
    {STR_INIT("duckduckgo"), BROWSER_DUCKDUCKGO},
    {STR_INIT("edg"), BROWSER_EDGE},
    {STR_INIT("edga"), BROWSER_EDGE},
    {STR_INIT("edge"), BROWSER_EDGE},
    {STR_INIT("edgios"), BROWSER_EDGE},
    {STR_INIT("facebookexternalhit"), SAYS_BOT},
    {STR_INIT("facebookcatalog"), SAYS_BOT},
    {STR_INIT("feedfetcher-google"), SAYS_BOT},
    {STR_INIT("firefox"), BROWSER_FIREFOX},
    {STR_INIT("fxios"), BROWSER_FIREFOX},
    {STR_INIT("go-http-client"), SAYS_BOT},
    {STR_INIT("google-read-aloud"), SAYS_BOT},
    {STR_INIT("googleother"), SAYS_BOT},
    {STR_INIT("google-inspectiontool"), SAYS_BOT},
    {STR_INIT("googlebot-image"), SAYS_BOT},
    {STR_INIT("headlesschrome"), SAYS_BOT},
    {STR_INIT("heritrix"), SAYS_BOT},
    {STR_INIT("httrack"), SAYS_BOT},
    {STR_INIT("ipad"), SAYS_TABLET},
    {STR_INIT("iphone"), SAYS_MOBILE},
    {STR_INIT("ipod"), SAYS_MOBILE},
    {STR_INIT("kaios"), OS_OTHER},
    {STR_INIT("kindle"), SAYS_TABLET},
    {STR_INIT("linux"), OS_LINUX},
    {STR_INIT("lighthouse"), SAYS_BOT},
    {STR_INIT("libwww-perl"), SAYS_BOT},
    {STR_INIT("mac os x"), OS_MACOS},
    {STR_INIT("mac_powerpc"), OS_MACOS},
    {STR_INIT("macintosh"), OS_MACOS},
    {STR_INIT("mediapartners-google"), SAYS_BOT},
    {STR_INIT("mobile"), SAYS_MOBILE},
    {STR_INIT("msie"), BROWSER_IE},
    {STR_INIT("node-fetch"), SAYS_BOT},
    {STR_INIT("opera"), BROWSER_OPERA},
    {STR_INIT("opios"), BROWSER_OPERA},
    {STR_INIT("opr"), BROWSER_OPERA},
    {STR_INIT("opt"), BROWSER_OPERA},
    {STR_INIT("opx"), BROWSER_OPERA},
    {STR_INIT("phantomjs"), SAYS_BOT},
    {STR_INIT("playbook"), SAYS_TABLET},
    {STR_INIT("python-requests"), SAYS_BOT},
    {STR_INIT("python-urllib"), SAYS_BOT},
    {STR_INIT("python"), SAYS_BOT},
    {STR_INIT("rv"), SAYS_RV},
    {STR_INIT("safari"), BROWSER_SAFARI},
    {STR_INIT("samsungbrowser"), BROWSER_SAMSUNG},
    {STR_INIT("scrapy"), SAYS_BOT},
    {STR_INIT("silk"), BROWSER_SILK},
    {STR_INIT("slurp"), SAYS_BOT},
    {STR_INIT("smart-tv"), SAYS_TV},
    {STR_INIT("smarttv"), SAYS_TV},
    {STR_INIT("tablet"), SAYS_TABLET},
    {STR_INIT("tizen"), OS_OTHER},
    {STR_INIT("trident"), BROWSER_IE},
    {STR_INIT("ucbrowser"), BROWSER_UC},
    {STR_INIT("version"), SAYS_VERSION},
    {STR_INIT("vivaldi"), BROWSER_VIVALDI},
    {STR_INIT("web0s"), OS_OTHER},
    {STR_INIT("wget"), SAYS_BOT},
    {STR_INIT("whatsapp"), SAYS_BOT},
    {STR_INIT("windows nt"), OS_WINDOWS_NT},
    {STR_INIT("windows phone"), OS_OTHER},
    {STR_INIT("windows"), OS_WINDOWS},
    {STR_INIT("yabrowser"), BROWSER_YANDEX},
};

enum { WORDS = sizeof(words) / sizeof(*words) };

struct marks {
  bool seen[MARKS];
  struct str behind[MARKS]; /* what follows the first such word: its version, it may be */
};

struct str agent_version(struct str text, char buffer[AGENT_VERSION_BYTES]) {
  size_t n = 0;
  while (n < text.n && n < AGENT_VERSION_BYTES) {
    bool is_point = text.p[n] == '.' || text.p[n] == '_';
    if (is_point && (n == 0 || buffer[n - 1] == '.')) break;
    if (!is_point && !ascii_is_digit(text.p[n])) break;
    buffer[n] = is_point ? '.' : text.p[n];
    n++;
  }
  /* Cut off within a number it would be another one. */
  if (n == AGENT_VERSION_BYTES && n < text.n && ascii_is_digit(text.p[n]))
    while (n > 0 && buffer[n - 1] != '.') n--;
  if (n > 0 && buffer[n - 1] == '.') n--;
  return n > 0 ? str_make(buffer, n) : (struct str){0};
}

static bool is_word_char(char c) {
  return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_' || c == '-';
}

static void see(struct marks *marks, enum mark mark, struct str behind) {
  marks->seen[mark] = true;
  if (marks->behind[mark].p) return;
  if (behind.n > 0 && (behind.p[0] == '/' || behind.p[0] == ' ' || behind.p[0] == ':'))
    marks->behind[mark] = str_skip(behind, 1);
}

/* "Googlebot", "AhrefsBot", "Baiduspider", "crawler": whoever calls himself one. A maker of phones
 * is called so too. */
static bool ends_as_bot(struct str word) {
  return (str_ends_with_nocase(word, STR("bot")) && !str_ends_with_nocase(word, STR("cubot"))) ||
         str_ends_with_nocase(word, STR("spider")) || str_ends_with_nocase(word, STR("crawler"));
}

/* Where the words of each letter begin. */
static size_t first_word(char letter) {
  size_t low = 0, high = WORDS;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (words[middle].text.p[0] < letter) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/* `rest` begins with a letter at a word's begin. */
static void look_up(struct str rest, struct marks *marks) {
  char letter = ascii_lower(rest.p[0]);
  for (size_t i = first_word(letter); i < WORDS && words[i].text.p[0] == letter; i++) {
    struct str text = words[i].text;
    if (!str_starts_with_nocase(rest, text)) continue;
    if (rest.n > text.n && ascii_is_alpha(rest.p[text.n])) continue;
    see(marks, words[i].mark, str_skip(rest, text.n));
    return;
  }
}

static void walk(struct str text, struct marks *marks) {
  for (size_t i = 0; i < text.n;) {
    size_t begin = i;
    if (ascii_is_alpha(text.p[i])) look_up(str_skip(text, i), marks);
    for (size_t letters = i; i < text.n && is_word_char(text.p[i]);) {
      if (!ascii_is_alpha(text.p[i++])) letters = i;
      if (i < text.n && ascii_is_alpha(text.p[i])) continue;
      if (ends_as_bot(str_make(text.p + letters, i - letters))) marks->seen[SAYS_BOT] = true;
    }
    if (i == begin) i++;
  }
}

static enum mark first_seen(const struct marks *marks, enum mark from, enum mark to) {
  for (enum mark mark = from; mark <= to; mark++)
    if (marks->seen[mark]) return mark;
  return MARK_NONE;
}

static void set_browser(const struct marks *marks, struct agent *agent) {
  enum mark browser = first_seen(marks, BROWSER_EDGE, BROWSER_SAFARI), version = browser;
  if (browser == MARK_NONE) return;
  /* Safari's own number is the engine's; so is what the old browser of Android calls itself. */
  if (browser == BROWSER_SAFARI) version = SAYS_VERSION;
  if (browser == BROWSER_OPERA && marks->seen[SAYS_VERSION] && !marks->seen[BROWSER_CHROME])
    version = SAYS_VERSION;
  if (browser == BROWSER_IE && marks->seen[SAYS_RV]) version = SAYS_RV;
  agent->fields[AGENT_BROWSER] = names[browser];
  if (browser == BROWSER_SAFARI && marks->seen[OS_ANDROID])
    agent->fields[AGENT_BROWSER] = STR("android");
  agent->fields[AGENT_BROWSER_VERSION] =
      agent_version(marks->behind[version], agent->browser_version);
}

/* What a version of NT is sold as; others by their own number. */
static struct str windows_name(struct str version) {
  static const struct {
    struct str nt, name;
  } names_of[] = {
      {STR_INIT("10.0"), STR_INIT("10")},
      {STR_INIT("6.3"), STR_INIT("8.1")},
      {STR_INIT("6.2"), STR_INIT("8")},
      {STR_INIT("6.1"), STR_INIT("7")},
  };
  for (size_t i = 0; i < sizeof(names_of) / sizeof(*names_of); i++)
    if (str_eq(version, names_of[i].nt)) return names_of[i].name;
  return version;
}

static enum mark set_os(const struct marks *marks, struct agent *agent) {
  enum mark os = first_seen(marks, OS_OTHER, OS_LINUX);
  if (os == MARK_NONE || os == OS_OTHER) return os;
  agent->fields[AGENT_OS] = names[os];
  struct str version = {0};
  if (os != OS_LINUX && os != OS_CHROMEOS)
    version = agent_version(marks->behind[os], agent->os_version);
  if (os == OS_WINDOWS_NT && version.p) version = windows_name(version);
  agent->fields[AGENT_OS_VERSION] = version;
  return os;
}

static struct str device_of(const struct marks *marks, enum mark os) {
  if (marks->seen[SAYS_BOT]) return STR("bot");
  if (marks->seen[SAYS_TV]) return (struct str){0};
  if (marks->seen[SAYS_TABLET]) return STR("tablet");
  if (marks->seen[SAYS_MOBILE]) return STR("mobile");
  if (os == OS_ANDROID) return STR("tablet");
  return os == MARK_NONE || os == OS_OTHER ? (struct str){0} : STR("desktop");
}

struct str agent_source_name(enum agent_source source) {
  switch (source) {
    case AGENT_FROM_BRANDS:
      return STR("Sec-CH-UA");
    case AGENT_FROM_MOBILE:
      return STR("Sec-CH-UA-Mobile");
    case AGENT_FROM_PLATFORM:
      return STR("Sec-CH-UA-Platform");
    case AGENT_FROM_PLATFORM_VERSION:
      return STR("Sec-CH-UA-Platform-Version");
    case AGENT_FROM_USER_AGENT:
      break;
  }
  return STR("User-Agent");
}

bool agent_field_source(enum agent_field field, size_t k, enum agent_source *ret) {
  /* A platform tells whether a client that is not "mobile" is a tablet, and whose version counts.
   */
  static const struct {
    size_t n;
    enum agent_source sources[3];
  } of[AGENT_FIELDS] = {
      [AGENT_DEVICE] = {3, {AGENT_FROM_MOBILE, AGENT_FROM_PLATFORM, AGENT_FROM_USER_AGENT}},
      [AGENT_OS] = {2, {AGENT_FROM_PLATFORM, AGENT_FROM_USER_AGENT}},
      [AGENT_OS_VERSION] = {3,
                            {AGENT_FROM_PLATFORM_VERSION, AGENT_FROM_PLATFORM,
                             AGENT_FROM_USER_AGENT}},
      [AGENT_BROWSER] = {2, {AGENT_FROM_BRANDS, AGENT_FROM_USER_AGENT}},
      [AGENT_BROWSER_VERSION] = {2, {AGENT_FROM_BRANDS, AGENT_FROM_USER_AGENT}},
  };
  if (k >= of[field].n) return false;
  *ret = of[field].sources[k];
  return true;
}

void agent_parse(const struct agent_input *input, struct agent *ret) {
  *ret = (struct agent){0};
  for (size_t i = 0; i < AGENT_FIELDS; i++) ret->sources[i] = AGENT_FROM_USER_AGENT;
  struct marks marks = {0};
  struct str subject = str_take(input->user_agent, AGENT_SUBJECT_BYTES);
  if (subject.p) walk(subject, &marks);
  /* Where to read about it, "(+https://…)": no browser says that. */
  if (subject.p && str_contains(subject, STR("+http"))) marks.seen[SAYS_BOT] = true;
  set_browser(&marks, ret);
  ret->fields[AGENT_DEVICE] = device_of(&marks, set_os(&marks, ret));
  agent_apply_hints(input, ret);
}
