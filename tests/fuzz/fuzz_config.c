/* Any bytes as adit.json: it loads, or something is said; nothing else. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adit/config.h"
#include "adit/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

static void check_config(const struct config *config) {
  require(config->listen_count > 0 && config->upstream_count > 0 && config->catalog);
  for (size_t i = 0; i < config->upstream_count; i++) {
    const struct config_upstream *upstream = &config->upstreams[i];
    require(upstream->endpoint_count > 0 && upstream->timeout_ms > 0);
    require(config_find_upstream(config, upstream->name) == i);
    for (size_t k = 0; k < upstream->endpoint_count; k++) require(upstream->endpoints[k].port > 0);
  }
  for (size_t i = 0; i < config->rules_count; i++) require(config->rules[i].pattern.n > 0);
  for (size_t i = 0; i < config->key_count; i++) require(config->keys[i].secret.n >= 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int fd = -1;
  static char path[32];
  if (fd < 0) {
    fd = memfd_create("adit.json", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  }
  require(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
  struct diags *diags = diags_new();
  struct text said;
  text_init(&said, 1 << 20);
  if (!diags) return 0;
  struct config *config = config_load(path, diags);
  require((config == NULL) == (diags_count(diags, DIAG_ERROR) > 0));
  if (config) check_config(config);
  diags_format(diags, &said);
  config_free(&config);
  text_deinit(&said);
  diags_free(&diags);
  return 0;
}
