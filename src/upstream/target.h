/*
 * target: what pools need of targets beyond adit/upstream.h.
 */
#ifndef ADIT_UPSTREAM_TARGET_H
#define ADIT_UPSTREAM_TARGET_H

#include "adit/upstream.h"

/* The target of an address, made when it is new; with a reference for the caller. NULL: memory. */
struct target *target_get(struct target_table *table, const struct ip_address *ip, uint16_t port);
/* The same of a Unix socket; the path is absolute and not longer than CONFIG_UNIX_PATH_MAX. */
struct target *target_get_unix(struct target_table *table, struct str path);

/* Until when the last of the table's targets is ejected; 0: none ever was. */
int64_t target_table_ejected_until_ms(const struct target_table *table);
void target_table_note_ejection(struct target_table *table, int64_t until_ms);

/* pool_note for a target as `config` says. */
int64_t target_note(struct target *target, const struct config_outliers *config, bool failed,
                    int64_t now_ms);

#endif
