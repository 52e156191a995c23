# ruff: noqa: E501 - manifests read best with one thing per line
"""Python steps: a fork of the warm server behaves like a program started by hand; sandboxes keep nodes apart."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from engine_fixtures import open_bench

from platform_cli.workflow import mount
from platform_cli.workflow.python_source import third_party_imports
from platform_cli.workflow.sandbox import Mount, Sandbox
from platform_cli.workflow.step_channel import StepExited, StepRequest
from platform_cli.workflow.step_client import StepClient
from platform_cli.workflow.step_output import StepOutput

PROBE = """\
import atexit, helper, json, os, random, sys, threading
atexit.register(lambda: print("atexit", flush=True))
thread = threading.Timer(0.05, lambda: print("thread"))
thread.start()
facts = {
    "argv": sys.argv[1:], "name": __name__, "file": os.path.basename(__file__), "helper": helper.WORD,
    "first path": os.path.basename(sys.path[0]), "main": sys.modules["__main__"].__file__ == __file__,
    "stdin": sys.stdin.read(), "cwd": os.getcwd(), "executable": sys.executable, "tmp": os.listdir("/tmp"),
    "env": sorted(name for name in os.environ if name.startswith("PROBE")),
    "fds": sorted(fd for fd in map(int, os.listdir("/proc/self/fd")) if fd > 2)[:-1],
}
print(json.dumps(facts, sort_keys=True))
print("complaint", file=sys.stderr)
raise SystemExit("the last word")
"""
SPEC = """
    entrypoint: main
    volumes: [{name: code, configMap: {name: code}}]
    templates:
    - name: main
      container:
        image: python:3.11
        command: [python, /opt/mlops/steps/probe.py]
        args: [one, "two words", ü]
        env: [{name: PROBE_X, value: x}]
        workingDir: /work/here
        volumeMounts: [{name: code, mountPath: /opt/mlops/steps}]
"""

needs_namespaces = pytest.mark.skipif(not mount.probe(), reason="the kernel refuses mount namespaces")


@pytest.fixture
def bench(tmp_path):
    with open_bench(tmp_path) as bench:
        yield bench


@needs_namespaces
def test_a_forked_step_is_like_one_started_by_hand(tmp_path):
    outcomes = []
    for fork in (True, False):
        with open_bench(tmp_path / str(fork)) as bench:
            bench.options["fork_python"] = fork
            bench.engine.apply_config_map("code", {"probe.py": PROBE.encode(), "helper.py": b"WORD = 'local module'"})
            outcomes.append(bench.run(SPEC))
    forked, spawned = outcomes
    assert forked.message == spawned.message == "exit code 1: the last word"
    assert forked.result("").splitlines() == spawned.result("").splitlines()
    assert forked.result("").splitlines()[-2:] == ["thread", "atexit"]
    assert '"fds": []' in forked.result("")


@pytest.mark.parametrize("fork", [True, False])
def test_libraries_work_in_steps_and_draw_their_own_random_numbers(bench, fork):
    bench.options |= {"fork_python": fork and sys.platform == "linux"}
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          dag: {tasks: [{name: a, template: fit}, {name: b, template: fit}]}
        - name: fit
          script:
            image: python:3.11
            command: [python]
            source: |
              import random
              import numpy as np
              from concurrent.futures import ProcessPoolExecutor
              from sklearn.ensemble import HistGradientBoostingClassifier

              def square(x):
                  return x * x

              if __name__ == "__main__":
                  x = np.random.default_rng(0).normal(size=(400, 4))
                  y = x[:, 0] > 0
                  assert (x @ x.T).shape == (400, 400)
                  assert HistGradientBoostingClassifier(max_iter=5).fit(x, y).score(x, y) > 0.9
                  with ProcessPoolExecutor(1) as pool:
                      assert list(pool.map(square, [2, 3])) == [4, 9]
                  print(random.random(), np.random.random())
    """)
    assert outcome.message == ""
    first, second = outcome.result("a").split(), outcome.result("b").split()
    assert not set(first) & set(second)


def test_a_syntax_error_and_an_exception_are_reported_as_python_does(bench):
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          dag:
            failFast: false
            tasks: [{name: syntax, template: syntax}, {name: raises, template: raises}, {name: code, template: code}]
        - name: syntax
          script: {image: x, command: [python], source: "def"}
        - name: raises
          script: {image: x, command: [python], source: "raise ValueError('no good')"}
        - name: code
          script: {image: x, command: [python], source: "import sys; sys.exit(5)"}
    """)
    messages = {name: outcome.nodes[name]["message"] for name in ("syntax", "raises", "code")}
    assert messages["syntax"].startswith("exit code 1: SyntaxError: invalid syntax")
    assert messages["raises"] == "exit code 1: ValueError: no good"
    assert messages["code"] == "exit code 5"
    trace = [line.text for line in bench.engine.logs(outcome.name, step="raises")]
    assert trace[0] == "Traceback (most recent call last):"
    assert not any("platform_cli" in line for line in trace)


@pytest.mark.parametrize("use_namespaces", [pytest.param(True, marks=needs_namespaces), False])
def test_the_same_container_path_is_each_nodes_own(bench, use_namespaces):
    bench.options |= {"use_namespaces": use_namespaces, "workers": 2}
    outcome = bench.run("""
        entrypoint: main
        volumes: [{name: scratch, emptyDir: {}}]
        templates:
        - name: main
          dag:
            tasks:
            - {name: w, template: write, withItems: [one, two], arguments: {parameters: [{name: text, value: "{{item}}"}]}}
        - name: write
          inputs: {parameters: [{name: text}]}
          script:
            image: python
            command: [python]
            env: [{name: TEXT, value: "{{inputs.parameters.text}}"}, {name: OUT, value: /results/deep/out.txt}]
            volumeMounts: [{name: scratch, mountPath: /scratch}]
            source: |
              import os, pathlib, time
              for path in (os.environ["OUT"], "/scratch/x", "/tmp/mine.txt"):
                  assert not os.path.exists(path), path
                  pathlib.Path(path).write_text(os.environ["TEXT"])
              time.sleep(0.3)
              print(pathlib.Path("/results/deep/out.txt").read_text(), open("/scratch/x").read())
          outputs:
            parameters: [{name: out, valueFrom: {path: /results/deep/out.txt}}]
            artifacts: [{name: mine, path: /tmp/mine.txt}]
    """)
    assert outcome.message == ""
    for name, text in (("w(0:one)", "one"), ("w(1:two)", "two")):
        assert outcome.result(name) == f"{text} {text}"
        assert outcome.output(name, "out") == text
    assert not os.path.exists("/results")  # noqa: PTH110


@needs_namespaces
def test_a_user_without_rights_gets_a_namespace_too(tmp_path):
    """A step of an ordinary user needs a user namespace as well; as root we become one in a child."""
    home = Path(tempfile.mkdtemp(dir="/var/tmp"))
    try:
        (home / "seen").write_text("private")
        home.chmod(0o755)
        child = os.fork()
        if child == 0:
            try:
                if os.geteuid() == 0:
                    os.setgroups([])
                    os.setgid(65534)
                    os.setuid(65534)
                    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # what changing the user took away: access to our own /proc
                mount.enter([(str(home), "/mnt", True)])
                os._exit(0 if Path("/mnt/seen").read_text() == "private" else 1)
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert not Path("/mnt/seen").exists()
    finally:
        shutil.rmtree(home)


@needs_namespaces
def test_tmp_is_private_but_the_users_own_data_is_visible(bench, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "iris.csv").write_text("a,b\n")
    outcome = bench.run(
        """
        entrypoint: main
        arguments: {parameters: [{name: source}]}
        templates:
        - name: main
          container:
            image: alpine
            command: [sh, -c, 'echo x > /tmp/undeclared-by-test; cat "$0"', "{{workflow.parameters.source}}"]
        """,
        {"source": f"{data}/iris.csv"},
    )
    assert outcome.result("") == "a,b"
    assert not os.path.exists("/tmp/undeclared-by-test")  # noqa: PTH110


def test_imports_are_found_in_the_source_and_beside_it(tmp_path):
    (tmp_path / "beside.py").write_text("import pandas as pd\nfrom sklearn import metrics\n")
    source = "import json, beside\nif True:\n    import torch\ntry:\n    import jax\nexcept ImportError: pass\ndef f():\n    import mlflow.sklearn\n"
    assert third_party_imports(source, tmp_path) == {"pandas", "sklearn", "sklearn.metrics", "mlflow.sklearn"}
    assert third_party_imports("def broken(", tmp_path) == frozenset()


def test_rewriting_touches_whole_paths_only(tmp_path):
    sandbox = Sandbox(tmp_path, [Mount(tmp_path / "code", "/opt/steps")], ["/tmp/in", "/tmp/in.csv"])
    text = "--in=/tmp/in --csv '/tmp/in.csv' /opt/steps/a.py /tmp/inner /var/tmp/in /tmp/in/x"
    root = str(tmp_path)
    expected = f"--in={root}/tmp/in --csv '{root}/tmp/in.csv' {root}/code/a.py /tmp/inner /var/tmp/in {root}/tmp/in/x"
    assert sandbox.rewrite(text) == expected


def test_links_lead_where_the_container_would_see_them(tmp_path):
    sandbox = Sandbox(tmp_path)
    sandbox.prepare()
    (tmp_path / "tmp" / "real").write_text("x")
    (tmp_path / "tmp" / "link").symlink_to("/tmp/real")
    (tmp_path / "tmp" / "round").symlink_to("/tmp/round")
    assert sandbox.resolve("/tmp/link") == tmp_path / "tmp" / "real"
    with pytest.raises(OSError, match="too many levels"):
        sandbox.resolve("/tmp/round")


@pytest.mark.skipif(sys.platform != "linux", reason="Python steps are forks on Linux only")
def test_closing_the_client_waits_for_every_server(tmp_path):
    # Fixtures of other tests have processes, too.
    others = set(psutil.Process().children(recursive=True))
    client = StepClient(env=dict(os.environ), log=tmp_path / "log")
    client.prepare([frozenset({"yaml"})])
    request = StepRequest(
        argv=[sys.executable, "-c", "pass"], env=dict(os.environ), cwd="/", python=True, modules=frozenset({"yaml"})
    )
    client.start(1, request, StepOutput(tmp_path / "step-log"))
    while not any(isinstance(event, StepExited) for event in client.poll(None)):
        pass
    servers = set(psutil.Process().children(recursive=True)) - others
    with ThreadPoolExecutor(1) as pool:
        (forked,) = (server for server in servers if server.ppid() != os.getpid())
        forked.suspend()
        closed = pool.submit(client.close)
        with pytest.raises(TimeoutError):
            closed.result(timeout=0.5)
        forked.resume()
        closed.result(timeout=20)
    assert not [server for server in servers if server.is_running() and server.status() != psutil.STATUS_ZOMBIE]
