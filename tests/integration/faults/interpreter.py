"""A Python for Ansible to give modules to, that has them run where all that they import is there already (`forks.py`).

Run by the host's Python with its options -I and -S, with the path of the socket. Beside a fork this is all that a task
costs, so it imports what the interpreter has within itself. What does not come by standard input is for the host's
Python itself.
"""

import _socket
import os
import signal
import sys


def main(path: str, *arguments: str) -> int:
    if arguments:
        os.execv(sys.executable, [sys.executable, *arguments])
    told = [b"", os.getcwdb(), *(name + b"=" + value for name, value in os.environb.items())]
    caller = _socket.socket(_socket.AF_UNIX)
    caller.connect(path)
    streams = b"".join(number.to_bytes(4, sys.byteorder) for number in range(3))
    caller.sendmsg([b"\0"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
    caller.sendall(b"\0".join(told)[1:])
    caller.shutdown(_socket.SHUT_WR)
    answer = b""
    while part := caller.recv(64):
        answer += part
    return int(answer.split()[1])


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)
