"""Forks a process for each run of a module, in which all that the module imports is there already.

Run by the host's Python with the path of a socket; it ends when its own standard input does. Each connection brings the
three standard streams and, with zeros between them, the module's path, or the folder and environment for a program that
comes by standard input, as Ansible's do (`interpreter.py`). It is told the process's number and, in the end, how that
ended.
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
# Where this process imports from and an interpreter without arguments would not.
_OWN_PATHS = {sys.path[0], *os.environ.get("PYTHONPATH", "").split(":")}


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
                first, streams, _flags, _address = socket.recv_fds(caller, 4096, 3)
                begin((first + rest(caller)).split(b"\0"), streams, listener, caller)
                for stream in streams:
                    os.close(stream)


def rest(caller: socket.socket) -> bytes:
    with caller.makefile("rb") as told:
        return told.read()


def profiles() -> list[str]:
    try:
        found = importlib.import_module(_PROFILES)
    except ImportError:
        return []
    return [f"{_PROFILES}.{each.name}" for each in pkgutil.iter_modules(found.__path__)]


def begin(told: list[bytes], streams: list[int], listener: socket.socket, caller: socket.socket) -> None:
    module, *place = map(os.fsdecode, told)
    if module:
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
    if module:
        runpy.run_path(module, run_name="__main__")
    else:
        run_input(*place)
    sys.exit(0)


def run_input(folder: str, *environment: str) -> None:
    """As an interpreter without arguments does, in an environment that knows nothing of this process's own."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(pair.split("=", 1) for pair in environment)
    sys.path[:] = [path for path in sys.path if path not in _OWN_PATHS]
    exec(compile(sys.stdin.buffer.read(), "<stdin>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    serve(sys.argv[1])
