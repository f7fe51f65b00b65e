"""Forks a process for each run of a module, in which all that the module imports is there already.

Run by the host's Python with the path of a socket; it ends when its own standard input does. Each connection brings the
module's path and its three standard streams, and is told the process's number, and in the end how it ended.
"""

import contextlib
import gc
import importlib
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys

# What modules import only where they need it, and the package of which Ansible's own part takes some by their names.
_LATER = ("docker", "psycopg2", "pymysql", "redis")
_PROFILES = "ansible.module_utils._internal._json._profiles"


def serve(path: str) -> None:
    for name in (*_LATER, *profiles()):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # Nobody waits for those who wait for the modules.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            with listener.accept()[0] as caller:
                module, streams, _flags, _address = socket.recv_fds(caller, 4096, 3)
                begin(module.decode(), streams, listener, caller)
                for stream in streams:
                    os.close(stream)


def profiles() -> list[str]:
    try:
        found = importlib.import_module(_PROFILES)
    except ImportError:
        return []
    return [f"{_PROFILES}.{each.name}" for each in pkgutil.iter_modules(found.__path__)]


def begin(module: str, streams: list[int], listener: socket.socket, caller: socket.socket) -> None:
    # Imported once, run by nobody: what is in it is run by its path, as Ansible does.
    importlib.import_module("ansible_collections.flatrun.infra.plugins.modules." + os.path.basename(module)[:-3])
    gc.freeze()
    if os.fork():
        return
    listener.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    process = os.fork()
    if process:
        caller.sendall(b"%d\n" % process)
        for stream in (*streams, 0, 1, 2):
            os.close(stream)
        ended = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        with contextlib.suppress(OSError):
            caller.sendall(b"%d\n" % ended)
        os._exit(0)
    caller.close()
    # As a terminal would end it, also where the tests run behind one.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.argv = [module]
    runpy.run_path(module, run_name="__main__")
    sys.exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
