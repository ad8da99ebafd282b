/*
 * manifest: Kubernetes objects as far as routes are made of them; private to src/import.
 *
 * Objects are read from YAML documents, also those inside of lists. What Kubernetes itself would
 * refuse is an error; what it takes and Adit cannot keep is *lost*: said as a warning, and kept
 * with the Ingress so that it is said in the rule file, too.
 */
#ifndef ADIT_IMPORT_MANIFEST_H
#define ADIT_IMPORT_MANIFEST_H

#include "tree.h"

enum path_type { PATH_PREFIX, PATH_EXACT }; /* ImplementationSpecific is Prefix to ingress-nginx */

struct manifest_backend {
  struct str service; /* absent: something else than a Service */
  struct str port;    /* a number or a name, as written; absent: none */
  struct diag_place at;
};

/* One path of one host. */
struct manifest_path {
  struct str host; /* lower case; "" for any */
  struct str path; /* as written, "/" where there is none */
  enum path_type type;
  bool is_default; /* stands for `defaultBackend`: gives way to any other */
  struct manifest_backend backend;
  struct diag_place at;
};

struct manifest_loss {
  struct diag_place at;
  struct str text;
};

struct manifest_tls {
  struct diag_place at;
  struct str secret; /* absent: the controller's own certificate */
};

struct manifest_ingress {
  struct str namespace_, name;
  struct diag_place at;
  struct str spec_class;               /* ingressClassName; absent: not given */
  struct str created;                  /* creationTimestamp; absent: not from a cluster */
  const struct yaml_node *annotations; /* a map of texts, or NULL */
  VEC(struct manifest_path) paths;
  VEC(struct manifest_tls) tls;
  VEC(struct manifest_loss) losses;
};

struct manifest_port {
  struct str name, target; /* absent where not given */
  struct str number;
};

struct manifest_service {
  struct str namespace_, name;
  VEC(struct manifest_port) ports;
};

struct manifest_kind {
  struct str name; /* "apps/v1 Deployment" */
  struct diag_place at;
  size_t count;
};

struct manifests {
  struct arena *arena;
  struct diags *diags;
  const char *default_namespace;
  VEC(struct manifest_ingress *) ingresses;
  VEC(struct manifest_service) services;
  VEC(struct manifest_kind) others; /* what was passed over */
  size_t path_count;
};

enum { MANIFEST_PATHS_MAX = 20000, MANIFEST_OTHERS_MAX = 100 };

/* Takes the objects of one document. False: there was an error (which is in diags), or memory was
 * short. */
bool manifests_add(struct manifests *manifests, const struct yaml_node *document)
    __attribute__((warn_unused_result));

/*
 * Says that something of `ingress` is not kept: a warning, and a line in its rule files. Texts are
 * cut at 512 bytes. What memory is too short for is missing in the rule files; arena_failed says
 * so.
 */
void manifest_lose(struct manifests *manifests, struct manifest_ingress *ingress,
                   struct diag_place at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for the caller to keep. False: memory. */
bool manifest_make_loss(struct manifests *manifests, const struct manifest_ingress *ingress,
                        struct diag_place at, struct manifest_loss *ret, const char *format,
                        va_list args) __attribute__((format(printf, 5, 0)));

/* The class that an Ingress names, in an annotation or in its spec; absent: none. */
struct str manifest_class(const struct manifest_ingress *ingress);

/* A DNS name of Kubernetes: labels of letters, digits and '-'; with `wildcard` also behind "*.". */
bool manifest_is_dns_name(struct str name, bool wildcard);

#endif
