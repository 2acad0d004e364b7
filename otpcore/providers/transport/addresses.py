"""A look-up that keeps a deadline.

Rules of this file: the standard library's look-up, and nothing remembered.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading

from otpcore.providers.transport.attempt import Attempt

__all__ = ["addresses_of"]


def addresses_of(host: str, port: int, attempt: Attempt) -> list[str]:
    """Addresses of a host, within the attempt: the system's look-up takes no timeout, so a thread waits for it.

    Raises:
        OSError: the host has none, or not in time.
    """
    try:
        return [str(ipaddress.ip_address(host.strip("[]")))]
    except ValueError:
        pass
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            answers.put(error)
        except UnicodeError:
            answers.put(OSError("the name is none of a host"))
        else:
            answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))

    threading.Thread(target=look_up, name="otpcore-look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=attempt.remaining_s())
    except queue.Empty:
        raise TimeoutError("the name was not resolved in time") from None
    if isinstance(answer, OSError):
        raise answer
    return answer
