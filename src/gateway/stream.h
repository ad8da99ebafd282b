/*
 * stream: the seam between an exchange and the codecs on its two sides.
 *
 * An exchange knows heads and bodies. What carries them, one HTTP/1.1 connection here (client.c,
 * origin.c), one stream of an HTTP/2 connection some day, implements these operations. Heads cross
 * the seam as parsed fields without framing (no Transfer-Encoding, no Connection); bodies as runs
 * of decoded bytes; trailers as fields again. A connection that changed its protocol (101) is a
 * tunnel: its two directions are bodies that go on until they are ended. A stream never calls the
 * exchange from inside one of these operations: it tells of news through exchange_run() from the
 * loop.
 */
#ifndef ADIT_GATEWAY_STREAM_H
#define ADIT_GATEWAY_STREAM_H

#include "adit/http.h"
#include "adit/ip.h"

/* ---- heads to be written --------------------------------------------------------------------- */

enum { FIELDS_ADDED_MAX = 16 };

struct field_list {
  size_t n;
  struct http_field items[HTTP_FIELDS_MAX + FIELDS_ADDED_MAX];
};

struct request_out {
  struct str method;
  struct str target_prefix; /* "/" where the target lacks it, else "" */
  struct str target;
  enum http_body_kind body; /* NONE, LENGTH (Content-Length is among the fields) or CHUNKED */
  uint64_t content_length;
  bool te_trailers;   /* trailers of the response are welcome */
  struct str upgrade; /* n > 0: the protocol that the connection may change to */
  struct field_list fields;
};

struct response_out {
  int status;
  struct str reason;
  enum http_body_kind body; /* NONE, LENGTH, CHUNKED (of unknown length) */
  uint64_t content_length;
  bool close;         /* the exchange wants the connection to end after this response */
  struct str upgrade; /* n > 0: the protocol of a 101, or the one that a 426 asks for */
  struct field_list fields;
};

/* ---- outcomes -------------------------------------------------------------------------------- */

enum stream_read {
  STREAM_READ_DATA,            /* *ret_data is a run of body bytes, until it is consumed */
  STREAM_READ_WAIT,            /* nothing now; exchange_run() will be called when there is */
  STREAM_READ_END,             /* the body is complete */
  STREAM_READ_BAD,             /* the peer broke the protocol, or ended in mid-body */
  STREAM_READ_LONG_EXTENSIONS, /* chunk extensions over their limit */
  STREAM_READ_LONG_TRAILERS,   /* trailers over theirs */
  STREAM_READ_SLOW,            /* too little came for too long */
  STREAM_READ_FAILED           /* the peer has gone, or memory is short */
};

enum stream_write {
  STREAM_WRITE_DONE,  /* nothing is left to be sent */
  STREAM_WRITE_WAIT,  /* something is; exchange_run() will be called when there is room */
  STREAM_WRITE_FAILED /* the peer has gone */
};

/* ---- the client's side: a request comes, a response goes ------------------------------------- */

struct client_stream;

struct client_stream_operations {
  /* The request's body. */
  enum stream_read (*read_body)(struct client_stream *stream, struct str *ret_data);
  void (*consume_body)(struct client_stream *stream, size_t n);
  /* The trailer fields of a body that was read to its end, into ret->items; they hold as long as
   * the request's head does. */
  void (*read_trailers)(struct client_stream *stream, struct field_list *ret);
  /* The response. False: memory. */
  bool (*write_interim)(struct client_stream *stream, const struct response_out *head);
  bool (*write_head)(struct client_stream *stream, const struct response_out *head);
  /* Takes what there is room for and returns how much. */
  size_t (*write_body)(struct client_stream *stream, struct str data);
  enum stream_write (*flush)(struct client_stream *stream);
  /* exchange_run() is to be called once more soon, though nothing has changed: others go first. */
  void (*run_again)(struct client_stream *stream);
  /* The response is complete, with these trailer fields where its framing has a place for them; the
   * exchange is over for the stream. */
  void (*end)(struct client_stream *stream, const struct field_list *trailers);
  /* The response cannot be completed: the client must see that it was cut. */
  void (*cut)(struct client_stream *stream);
  /* The head written last was a 101: from now on what is read and written are the tunnel's bytes.
   * The views of the request's head do not hold any more. */
  void (*begin_tunnel)(struct client_stream *stream);
  /* The other side of the tunnel has ended: so does what is written here, once all of it was sent.
   * False: not yet; flush() tells when. */
  bool (*end_writing)(struct client_stream *stream);
};

struct client_stream {
  const struct client_stream_operations *operations;
  struct ip_address peer; /* of the TCP connection */
  bool secure;            /* TLS */
  bool gone;              /* a read or a write has found that it is no longer there */
};

/* ---- the origin's side: a request goes, a response comes ------------------------------------- */

struct origin_stream;

enum origin_head {
  ORIGIN_HEAD_DONE, /* a head, interim or final */
  ORIGIN_HEAD_WAIT,
  ORIGIN_HEAD_BAD,   /* not HTTP, or ambiguous: 502 */
  ORIGIN_HEAD_CLOSED /* the connection ended; origin_stream.received says whether a byte had come */
};

struct origin_stream_operations {
  bool (*write_head)(struct origin_stream *stream, const struct request_out *head);
  size_t (*write_body)(struct origin_stream *stream, struct str data);
  /* The body is complete, with these trailer fields where its framing has a place for them. False:
   * no room for the end's bytes yet. */
  bool (*end_body)(struct origin_stream *stream, const struct field_list *trailers);
  enum stream_write (*flush)(struct origin_stream *stream);
  enum origin_head (*read_head)(struct origin_stream *stream, struct http_response *ret,
                                const char **ret_why);
  enum stream_read (*read_body)(struct origin_stream *stream, struct str *ret_data);
  void (*consume_body)(struct origin_stream *stream, size_t n);
  /* The trailer fields of a body that was read to its end; they hold until release(). */
  void (*read_trailers)(struct origin_stream *stream, struct field_list *ret);
  /* As of the client's side; the head read last was a 101. */
  void (*begin_tunnel)(struct origin_stream *stream);
  bool (*end_writing)(struct origin_stream *stream);
  /* The exchange is over. `clean`: request and response were complete; the connection may be reused
   * when the codec agrees. Otherwise it is closed. */
  void (*release)(struct origin_stream *stream, bool clean);
};

struct origin_stream {
  const struct origin_stream_operations *operations;
  bool connected;
  bool failed; /* the connect, or a write, failed; `error` says why */
  int error;
  bool reused;     /* served another exchange before */
  bool received;   /* a byte of this exchange's response has come */
  bool head_begun; /* a head has begun to come, and is not whole */
  bool slow;       /* a tunnel: nothing of what was sent is taken for too long */
};

#endif
