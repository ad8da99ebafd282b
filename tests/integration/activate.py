#!/usr/bin/env python3
"""Becomes a program as a service manager starts it that has bound its sockets (sd_listen_fds(3)):

    activate.py DESCRIPTOR[,DESCRIPTOR…] PROGRAM [ARGUMENT…]
"""
import fcntl
import os
import sys

FIRST = 3
given = [int(one) for one in sys.argv[1].split(",")]
# Out of the way first, as what is given may stand where another is to go.
aside = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 100) for one in given]
for one in given:
    os.close(one)
for place, one in enumerate(aside, FIRST):
    os.dup2(one, place)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)), LISTEN_FDNAMES="a")
os.execv(sys.argv[2], sys.argv[2:])
