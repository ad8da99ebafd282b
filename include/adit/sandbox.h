/*
 * sandbox: giving up what a process does not need any more, so that whoever takes it over gets
 * little. docs/adr/0006-sandbox.md says why these two steps, and what the second one lets through.
 *
 * Both are for good, and hold for the calling thread and those that it makes afterwards: call them
 * before there is any other.
 */
#ifndef ADIT_SANDBOX_H
#define ADIT_SANDBOX_H

#include <stdbool.h>

/* What becomes of files: any of these together. */
enum sandbox_files {
  SANDBOX_READS = 0,        /* they are opened for reading */
  SANDBOX_APPENDS = 1 << 0, /* also, or made, for appending: a log */
  SANDBOX_REPLACES = 1 << 1 /* new ones are made, for their owner alone, and put into the place of
                               others: what is kept over a restart */
};

/* What could not be done, and what to do about it. */
struct sandbox_error {
  char message[256];
};

/*
 * Becomes `user` (a name; NULL, or one that the process is already: stays who it is) with the
 * groups of the user database, gives every capability up, and can get none back by executing
 * another program (no_new_privs). False: *ret_error, and the process is not to go on.
 */
bool sandbox_drop_rights(const char *user, struct sandbox_error *ret_error)
    __attribute__((warn_unused_result));

/*
 * From now on the kernel refuses (EPERM) every system call that a running gateway has no use for:
 * no program, no process, no listening socket, no file opened for writing beyond `files`, of enum
 * sandbox_files. What only an intruder would ask for, such as execve(), ends the process. What
 * stays allowed: connections over TCP, UDP and local sockets, reading files, threads, memory also
 * for code that is made at run time (JIT). False: *ret_error.
 */
bool sandbox_enter(unsigned files, struct sandbox_error *ret_error)
    __attribute__((warn_unused_result));

#endif
