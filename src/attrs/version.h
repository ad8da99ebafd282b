/*
 * version: dotted versions and SemVer as texts: which are well formed, and their order. Private to
 * src/attrs.
 */
#ifndef ADIT_ATTRS_VERSION_H
#define ADIT_ATTRS_VERSION_H

#include "adit/str.h"

/* Dotted numbers of any length, an optional 'v' before, an optional "-pre.release" after. */
bool version_is_valid(struct str text);
/* <0, 0, >0 of two valid ones: missing parts are 0, pre-releases are ordered as in SemVer 11.4. */
int version_compare(struct str a, struct str b);

/* Exactly SemVer 2.0.0. */
bool semver_is_valid(struct str text);
/* <0, 0, >0 of two valid ones by SemVer 11; build metadata is ignored. */
int semver_compare(struct str a, struct str b);

#endif
