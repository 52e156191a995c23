"""What a freshly forked process does to become a step: isolate itself, then execute a program or run Python code."""

from __future__ import annotations

import ast
import io
import os
import resource
import signal
import sys
import threading
import types
from pathlib import Path
from typing import Any, NoReturn

from platform_cli.workflow import mount

CANNOT_START = 127
_PYTHON_FLAGS_WITHOUT_VALUE = ("-u",)


def become(request: dict[str, Any], *, stdout: int, stderr: int, status: int) -> NoReturn:
    """Turn this process into the step that `request` describes; never returns.

    Args:
        request: `argv`, `env` (complete), `cwd`, `binds`, `root`, `mode` (exec or python), `limits` ({name: value}).
        stdout: descriptor that becomes 1.
        stderr: descriptor that becomes 2.
        status: closed when the step is about to run; before that, a problem is written to it as text.
    """
    try:
        _isolate(request, stdout, stderr, status)
        if request["mode"] == "exec":
            _execute(request)
        _prepare_python(request)
    except (OSError, ValueError) as error:
        os.write(status, _describe(error).encode())
        os._exit(CANNOT_START)
    os.close(status)
    _run_python(request["argv"][1:])


def close_descriptors(*, keep: int) -> None:
    """Close everything above standard error except `keep`."""
    os.closerange(3, keep)
    os.closerange(keep + 1, os.sysconf("SC_OPEN_MAX") if sys.platform != "linux" else 1 << 30)


def _isolate(request: dict[str, Any], stdout: int, stderr: int, status: int) -> None:
    os.setsid()
    mount.die_with_parent(signal.SIGKILL)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
    close_descriptors(keep=status)
    if request["binds"]:
        mount.enter([tuple(bind) for bind in request["binds"]], request["root"])
    os.chdir(request["cwd"])
    for name, value in request["limits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))


def _execute(request: dict[str, Any]) -> NoReturn:
    # Python ignores these for itself; a program that is executed would inherit that.
    for number in (signal.SIGPIPE, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    argv, env = request["argv"], request["env"]
    try:
        os.execvpe(argv[0], argv, env)  # noqa: S606 - becoming the program is the purpose
    except OSError as error:
        raise OSError(error.errno, error.strerror, argv[0]) from error


def _describe(error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):
        return f"cannot start: {error}"
    where = f" {error.filename}" if error.filename else ""
    return f"cannot start{where}: {error.strerror}"


def _prepare_python(request: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(request["env"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    unbuffered = "-u" in request["argv"][1:2] or bool(request["env"].get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.FileIO(0, "r", closefd=False), "utf-8")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _writer(1, "strict", write_through=unbuffered)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _writer(2, "backslashreplace", write_through=True)  # type: ignore[misc]
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # all forks would draw the same numbers


def _writer(descriptor: int, errors: str, *, write_through: bool) -> io.TextIOWrapper:
    raw = io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False))
    return io.TextIOWrapper(raw, "utf-8", errors=errors, line_buffering=write_through, write_through=write_through)


def _run_python(arguments: list[str]) -> NoReturn:
    try:
        _run_code([a for i, a in enumerate(arguments) if i or a not in _PYTHON_FLAGS_WITHOUT_VALUE])
        code = 0
    except SystemExit as error:
        code = _exit_code(error)
    except BaseException as error:  # noqa: BLE001 - whatever the step's code raises is reported as Python itself would
        code = _report(error)
    _leave(code)


def _run_code(arguments: list[str]) -> None:
    if arguments[0] == "-m":
        import runpy

        sys.argv = arguments[1:]
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        sys.path.insert(0, "")
        _run_main(arguments[1].encode(), "<string>")
    else:
        sys.argv = arguments
        sys.path.insert(0, str(Path(arguments[0]).resolve().parent))
        _run_main(_read_script(arguments[0]), arguments[0])


def _read_script(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        print(f"{sys.executable}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)  # noqa: T201 - the step's own standard error
        raise SystemExit(2) from None


def _run_main(source: bytes, path: str) -> None:
    # As `python file` does; runpy would take `__main__` away again before exit handlers and threads are done with it.
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=path, __cached__=None, __builtins__=sys.modules["builtins"])
    if path == "<string>":
        del main.__dict__["__file__"]
    sys.modules["__main__"] = main
    tree = ast.parse(source, path)
    exec(compile(tree, path, "exec"), main.__dict__)  # noqa: S102 - running the step's code is the purpose


def _exit_code(error: SystemExit) -> int:
    match error.code:
        case None:
            return 0
        case int():
            return error.code & 0xFF
        case text:
            print(text, file=sys.stderr)  # noqa: T201 - the step's own standard error
            return 1


def _report(error: BaseException) -> int:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    sys.excepthook(type(error), error.with_traceback(trace), trace)
    return 1


def _leave(code: int) -> NoReturn:
    """End as the interpreter would, without the cost of taking all modules apart."""
    import atexit

    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - waits for the step's threads, as at a normal exit
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way to run them before os._exit
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (BrokenPipeError, ValueError):
            code = code or 120
    os._exit(code)
