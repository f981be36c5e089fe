"""Binding the address we serve, before anything else is started. Standard library only."""

import errno
import os
import socket

_BACKLOG = 2048


class ListenError(Exception):
    """The address cannot be bound; the message is one line for the operator."""


def bind(host: str, port: int, *, chosen_by: str = "ZENA_PORT") -> socket.socket:
    """Return a listening socket that child processes may inherit; a refusal names what chooses another port."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        raise ListenError(f"ZENA_HOST {host} is no address of this machine ({_reason(error)})") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenError(_refused(host, port, chosen_by, error)) from error
    listener.setblocking(False)  # noqa: FBT003 - the library's signature
    listener.set_inheritable(True)
    return listener


def adopt(descriptor: int) -> socket.socket:
    """Return the listening socket a supervisor handed down."""
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)  # noqa: FBT003 - the library's signature
    return listener


def port_of(listener: socket.socket) -> int:
    """Return the port in use, also where port 0 asked for any."""
    port: int = listener.getsockname()[1]
    return port


def _refused(host: str, port: int, chosen_by: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken by another program; stop it, or choose another port with {chosen_by}"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights than we have; choose one above 1023 with {chosen_by}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine; change ZENA_HOST"
    return f"{host}:{port} cannot be served: {os.strerror(error.errno or 0)}"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
