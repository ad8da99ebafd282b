"""Ports that stay a test's own until a program under test listens there, and after it."""
import socket


def hold(port=0, host="127.0.0.1"):
    """A socket that is bound to a TCP port, of the kernel's choice if none is named, and never listens: until it is
    closed nobody else holds the port or gets it from the kernel. Who asks for the port with SO_REUSEADDR, as servers do,
    can listen there; before and after that connects are refused. OSError: somebody has it."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.bind((host, port))  # without the option: of two that ask one gets it
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    except OSError:
        sock.close()
        raise
    return sock
