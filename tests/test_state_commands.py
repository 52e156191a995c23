"""What people do with a state: who holds its lock, unlock, back up, restore, move; and what `mlops state` says."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from terraform_fixtures import REGION, StandIn

from platform_cli.clouds.aws.backend import S3Backend, S3Service
from platform_cli.clouds.aws.state_bucket import S3Store
from platform_cli.clouds.terraform.backend import Lock, Settings, StateBackend
from platform_cli.clouds.terraform.backend_local import LocalBackend
from platform_cli.clouds.terraform.state_bootstrap import Move, bootstrap, remove_store, require_one_state
from platform_cli.clouds.terraform.state_change import TargetState, backup, open_record, restore, unlock
from platform_cli.clouds.terraform.state_choice import Choice, read_choice
from platform_cli.clouds.terraform.state_heartbeat import beating
from platform_cli.clouds.terraform.state_lock import (
    STALE_S,
    Beat,
    Liveness,
    explain_lock,
    find_holding,
    judge,
    new_beat,
    read_beat,
    this_machine,
)
from platform_cli.clouds.terraform.state_log import read_interventions
from platform_cli.errors import NotFoundError, RefusedError, StateError
from platform_cli.events import Event
from platform_cli.tools.terraform import LOCKED

ROOT = Path(__file__).resolve().parent.parent
HERE = socket.gethostname()


def text(serial: int, *, lineage: str = "one", count: int = 2) -> bytes:
    instances = [{"index_key": index, "attributes": {"input": "hunter2"}} for index in range(count)]
    block = {"mode": "managed", "type": "terraform_data", "name": "a", "instances": instances}
    return json.dumps(
        {"version": 4, "serial": serial, "lineage": lineage, "resources": [block] if count else []}
    ).encode()


@pytest.fixture
def local(tmp_path: Path) -> TargetState:
    backend = LocalBackend(tmp_path / "state" / "terraform.tfstate")
    backend.write(text(3))
    return TargetState("aws/dev", backend, tmp_path / "root", backend.backups)


@pytest.fixture
def bucket(aws: StandIn) -> str:
    name = f"commands-{uuid.uuid4().hex}"
    S3Store(name, REGION, aws.client("s3")).ensure()
    return name


@pytest.fixture
def remote(tmp_path: Path, aws: StandIn, bucket: str) -> TargetState:
    backend = S3Backend(bucket, "aws/dev/terraform.tfstate", REGION, aws.client("s3"))
    backend.write(text(3))
    return TargetState("aws/dev", backend, tmp_path / "root", tmp_path / "backups")


def yes(_: str) -> None:
    """Every question is answered with yes."""


def no(_: str) -> None:
    raise RefusedError("not confirmed")


def ignore(_: Event) -> None:
    """Nobody listens."""


def lock(*, host: str = HERE, age_s: float = 1.0) -> Lock:
    return Lock(id=str(uuid.uuid4()), operation="OperationTypeApply", who=f"ann@{host}", created=time.time() - age_s)


def put_lock(state: TargetState, held: Lock) -> None:
    """A lock that nobody lets go."""
    assert isinstance(state.backend, S3Backend)
    state.backend.client.put_object(
        Bucket=state.backend.bucket, Key=f"{state.backend.key}.tflock", Body=held.to_text("x")
    )


def beat(**changed: Any) -> Beat:
    fields = {"pid": 1, "created": 1.0, "host": HERE, "machine": this_machine(), "command": "mlops deploy"}
    return Beat(**{**fields, "began": time.time() - 5, "at": time.time(), **changed})


# --- is the holder alive ---


def test_a_holder_on_this_machine_is_alive_while_its_process_is(tmp_path: Path) -> None:
    assert judge(lock(), new_beat("x"), tmp_path, now=time.time())[0] is Liveness.UNKNOWN, "it began after the lock"
    held = lock(age_s=0)
    me = psutil.Process()
    assert judge(held, beat(pid=me.pid, created=me.create_time()), tmp_path, now=time.time())[0] is Liveness.ALIVE
    assert judge(held, beat(pid=me.pid, created=me.create_time() - 99), tmp_path, now=time.time())[0] is Liveness.DEAD
    assert judge(held, beat(pid=999999), tmp_path, now=time.time())[0] is Liveness.DEAD


def test_a_holder_elsewhere_is_alive_while_it_is_heard(tmp_path: Path) -> None:
    now = time.time()
    held, far = lock(host="runner-7"), beat(host="runner-7", machine="runner-7/1/1")
    assert judge(held, far, tmp_path, now=now)[0] is Liveness.ALIVE
    liveness, because = judge(held, far, tmp_path, now=now + STALE_S + 1)
    assert liveness is Liveness.DEAD
    assert "runner-7" in because


def test_a_machine_of_the_same_name_is_not_taken_for_this_one(tmp_path: Path) -> None:
    assert judge(lock(), beat(machine=f"{HERE}/another boot"), tmp_path, now=time.time())[0] is Liveness.ALIVE


def test_of_a_holder_that_is_not_ours_nothing_is_known(tmp_path: Path) -> None:
    assert judge(lock(), None, tmp_path, now=time.time())[0] is Liveness.UNKNOWN
    assert judge(lock(host="elsewhere"), beat(), tmp_path, now=time.time())[0] is Liveness.UNKNOWN


def test_a_process_that_works_in_the_folder_is_a_living_holder(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=tmp_path, stdin=subprocess.PIPE) as process:
        liveness, because = judge(lock(), None, tmp_path, now=time.time())
        assert liveness is Liveness.ALIVE
        assert str(process.pid) in because
        process.kill()


HOLDER = """
import sys, time
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from platform_cli.clouds.terraform.backend import Lock, Settings, StateBackend
from platform_cli.clouds.terraform.backend_local import LocalBackend
with LocalBackend(Path(sys.argv[1])).hold_lock(Lock(id="7", operation="apply", who="ann@here", created=time.time())):
    print("held", flush=True)
    input()
"""


def test_a_local_lock_ends_with_its_holder_but_its_text_tells_of_it(local: TargetState) -> None:
    assert isinstance(local.backend, LocalBackend)
    argv = [sys.executable, "-c", HOLDER, str(local.backend.path), str(ROOT)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        alive = local.find_holding()
        assert alive
        assert (alive.liveness, alive.lock.who) == (Liveness.ALIVE, "ann@here")
        with pytest.raises(RefusedError, match="is alive"):
            unlock(local, reason="x", force=True, confirm=yes)
        holder.send_signal(signal.SIGKILL)
    dead = local.find_holding()
    assert dead
    assert dead.liveness is Liveness.DEAD
    assert unlock(local, reason="it was killed", force=False, confirm=yes)
    assert local.find_holding() is None


class LettingGo(S3Backend):
    """A state whose holder lets go of the lock, and ends, between two looks at it."""

    def read_note(self, name: str) -> bytes | None:
        found = super().read_note(name)
        self.client.delete_object(Bucket=self.bucket, Key=f"{self.key}.tflock")
        return found


def test_a_holder_that_ends_while_it_is_looked_at_has_left_no_lock(remote: TargetState) -> None:
    leave_beat(remote, pid=4711)
    put_lock(remote, lock(age_s=0))
    dead = remote.find_holding()
    assert dead
    assert dead.liveness is Liveness.DEAD
    assert isinstance(remote.backend, S3Backend)
    passing = LettingGo(remote.backend.bucket, remote.backend.key, REGION, remote.backend.client)
    assert find_holding(passing, remote.root) is None


# --- heartbeats ---


def test_a_command_beats_while_it_works_and_is_silent_after(remote: TargetState) -> None:
    with beating(remote.backend, "mlops deploy"):
        deadline = time.monotonic() + 20
        while (found := read_beat(remote.backend)) is None and time.monotonic() < deadline:
            time.sleep(0.01)
    assert found
    assert (found.pid, found.host, found.machine) == (os.getpid(), HERE, this_machine())
    assert read_beat(remote.backend) is None


def test_the_last_beat_of_a_failed_command_stays_and_explains_its_lock(remote: TargetState) -> None:
    with pytest.raises(ZeroDivisionError), beating(remote.backend, "terraform apply"):
        while read_beat(remote.backend) is None:
            time.sleep(0.01)
        put_lock(remote, lock(age_s=0))
        raise ZeroDivisionError
    holding = find_holding(remote.backend, remote.root)
    assert holding
    assert holding.beat
    assert "terraform apply" in holding.because


def leave_beat(state: TargetState, **changed: Any) -> Beat:
    """The last beat of a command; of one on this machine that has ended, unless told otherwise."""
    left = beat(**{"pid": 4711, **changed})
    state.backend.write_note("heartbeat", json.dumps(asdict(left)).encode())
    return left


def await_beat(state: TargetState) -> Beat:
    """The first beat of ours."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (found := read_beat(state.backend)) and found.pid == os.getpid():
            return found
        time.sleep(0.01)
    pytest.fail("no beat of ours came")


def test_who_beats_already_is_not_shouted_down(remote: TargetState) -> None:
    parent = psutil.Process(os.getppid())
    first = leave_beat(remote, pid=parent.pid, created=parent.create_time())
    with beating(remote.backend, "mlops plan"):
        pass
    assert read_beat(remote.backend) == first


def test_the_beat_of_a_dead_command_does_not_stand_for_the_next_ones_lock(remote: TargetState) -> None:
    """It was killed a moment ago and left no lock; whoever looks from elsewhere must not take ours for its."""
    leave_beat(remote, pid=4711)
    with beating(remote.backend, "mlops deploy"):
        await_beat(remote)
        put_lock(remote, lock(age_s=0))
        holding = remote.find_holding()
    assert holding
    assert holding.liveness is Liveness.ALIVE
    assert read_beat(remote.backend) is None


@pytest.mark.parametrize("silent_s", [0, 2 * STALE_S])
def test_the_beat_of_a_dead_command_stays_beside_its_lock(remote: TargetState, silent_s: float) -> None:
    now = time.time()
    left = leave_beat(remote, machine="runner/1/1", began=now - silent_s - 30, at=now - silent_s)
    put_lock(remote, lock(age_s=silent_s + 20))
    with beating(remote.backend, "mlops plan"):
        pass
    assert read_beat(remote.backend) == left


@pytest.mark.parametrize("note", [b"", b"{", b"{}", b"[1]"])
def test_a_beat_that_cannot_be_read_is_none(remote: TargetState, note: bytes) -> None:
    remote.backend.write_note("heartbeat", note)
    assert read_beat(remote.backend) is None


# --- unlock ---


def test_an_unlock_copies_the_state_asks_and_is_written_down(remote: TargetState) -> None:
    put_lock(remote, lock())
    with pytest.raises(RefusedError, match="only its holder knows"):
        unlock(remote, reason="x", force=False, confirm=yes)
    with pytest.raises(RefusedError, match="not confirmed"):
        unlock(remote, reason="x", force=True, confirm=no)
    assert remote.find_holding()
    assert not remote.backups.exists()
    asked: list[str] = []
    assert unlock(remote, reason="the runner is gone", force=True, confirm=asked.append)
    assert "OperationTypeApply by ann@" in asked[0]
    assert remote.find_holding() is None
    (copy,) = remote.backups.iterdir()
    assert copy.read_bytes() == text(3)
    assert copy.stat().st_mode & 0o777 == 0o600
    (step,) = read_interventions(remote.backend)
    assert (step.action, step.reason) == ("unlock", "the runner is gone")
    assert "ann@" in step.detail
    assert unlock(remote, reason="again", force=False, confirm=no) is None


def test_a_dead_lock_is_told_at_once_and_a_live_one_when_terraform_meets_it(
    remote: TargetState, tmp_path: Path
) -> None:
    held = lock()
    put_lock(remote, held)
    with (
        pytest.raises(StateError, match="only its holder knows") as unknown,
        explain_lock(remote.backend, tmp_path, "aws/dev"),
    ):
        raise StateError(f"aws/dev: {LOCKED}")
    assert "--force" in unknown.value.hint
    stale = {name: getattr(beat(pid=999999), name) for name in Beat.__slots__}
    remote.backend.write_note("heartbeat", json.dumps(stale).encode())
    with pytest.raises(StateError, match="has ended") as dead, explain_lock(remote.backend, tmp_path, "aws/dev"):
        raise AssertionError("Terraform is not even started")
    assert "mlops state unlock" in dead.value.hint
    assert dead.value.exit_code == 7


# --- back up and restore ---


def test_a_backup_is_private_and_replaces_nothing(local: TargetState, tmp_path: Path) -> None:
    file = backup(local, tmp_path / "copy.tfstate")
    assert file.read_bytes() == text(3)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(RefusedError, match="is there already"):
        backup(local, file)
    assert backup(local, None).parent == local.backups


def test_without_a_state_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "terraform.tfstate")
    with pytest.raises(NotFoundError):
        backup(TargetState("aws/dev", backend, tmp_path, backend.backups), None)


@pytest.mark.parametrize("kind", ["local", "remote"])
def test_an_older_version_comes_back_under_a_newer_serial(kind: str, request: pytest.FixtureRequest) -> None:
    state: TargetState = request.getfixturevalue(kind)
    state.backend.write(text(4, count=5))
    older = state.backend.list_versions()[1].id
    with pytest.raises(RefusedError, match=r"is older \(serial 3\)"):
        restore(state, older, reason="", force=False, confirm=yes)
    assert (held := state.read())
    assert held.serial == 4
    restored = restore(state, older, reason="a mistake", force=True, confirm=yes)
    assert (restored.serial, len(restored.resources)) == (5, 2)
    assert [step.action for step in read_interventions(state.backend)] == ["restore"]
    assert text(4, count=5) in [path.read_bytes() for path in state.backups.iterdir()]


def test_a_broken_state_is_replaced_by_a_version_that_can_be_read(remote: TargetState) -> None:
    remote.backend.write(b'{"version": 4, "ser')
    with pytest.raises(StateError, match="cannot be read") as caught:
        remote.read()
    assert "mlops state restore" in caught.value.hint
    older = remote.backend.list_versions()[1].id
    assert restore(remote, older, reason="", force=False, confirm=yes).serial == 3


def test_the_state_of_another_deployment_is_refused(local: TargetState, tmp_path: Path) -> None:
    other = tmp_path / "other.tfstate"
    other.write_bytes(text(9, lineage="two"))
    with pytest.raises(RefusedError, match="another deployment"):
        restore(local, str(other), reason="", force=True, confirm=yes)


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"", StateError), (b"{}", StateError), (b'{"version": 3}', StateError), (None, NotFoundError)],
)
def test_what_is_no_state_is_not_restored(
    local: TargetState, tmp_path: Path, content: bytes | None, error: type[Exception]
) -> None:
    file = tmp_path / "x.tfstate"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(error):
        restore(local, str(file), reason="", force=True, confirm=yes)
    assert (held := local.read())
    assert held.serial == 3


def test_what_was_applied_until_the_answer_is_not_overwritten(remote: TargetState) -> None:
    file = remote.backups / "mine.tfstate"
    file.parent.mkdir()
    file.write_bytes(text(4, count=1))
    with pytest.raises(RefusedError, match="was changed meanwhile"):
        restore(remote, str(file), reason="", force=True, confirm=lambda _: remote.backend.write(text(9, count=5)))
    left = remote.read()
    assert left
    assert (left.serial, len(left.resources)) == (9, 5)
    assert remote.find_holding() is None


def test_nothing_is_restored_under_a_lock(remote: TargetState) -> None:
    remote.backend.write(text(4))
    older = remote.backend.list_versions()[1].id
    put_lock(remote, lock())
    with pytest.raises(StateError, match="is locked"):
        restore(remote, older, reason="", force=True, confirm=yes)
    assert (held := remote.read())
    assert held.serial == 4


# --- bootstrap ---


@pytest.fixture
def move(tmp_path: Path, aws: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Move]:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    prefix = f"m{uuid.uuid4().hex[:8]}"
    yield Move(
        name="aws/dev",
        local=LocalBackend(tmp_path / "state" / "terraform.tfstate"),
        service=S3Service(profile=None, bucket=None, region="", prefix=prefix, tags={"product": prefix}),
        arguments={"key": "aws/dev/terraform.tfstate"},
        choice=tmp_path / "aws-dev.state.json",
        current=None,
        region=REGION,
    )


def again(move: Move) -> Move:
    """The next command: it knows what the last one recorded."""
    return Move(**{**{name: getattr(move, name) for name in Move.__slots__}, "current": read_choice(move.choice)})


def test_a_state_moves_as_it_is_and_once(move: Move) -> None:
    move.local.write(text(3))
    done = bootstrap(move, "", confirm=yes, emit=ignore)
    assert done.migrated
    assert (done.migrated.serial, done.migrated.lineage) == (3, "one")
    assert done.backup
    assert done.backup.read_bytes() == text(3)
    assert not move.local.path.exists()
    choice = read_choice(move.choice)
    assert choice
    assert choice.settings["bucket"].startswith(f"{move.service.prefix}-tfstate-")  # type: ignore[attr-defined]
    second = bootstrap(again(move), "", confirm=yes, emit=ignore)
    assert (second.changes, second.migrated, second.backup) == ((), None, None)
    assert done.hint == f"aws: {{state_bucket: {choice.settings['bucket']}, state_region: {REGION}}}"


def test_what_was_cut_off_after_the_copy_goes_on(move: Move) -> None:
    move.local.write(text(3))
    bootstrap(move, "", confirm=yes, emit=ignore)
    move.local.write(text(3))
    backend = move.service.open_backend(again(move).current.settings, move.arguments)  # type: ignore[union-attr]
    with pytest.raises(StateError, match="two states"):
        require_one_state(move.local, backend)
    assert bootstrap(again(move), "", confirm=yes, emit=ignore).migrated is None
    assert not move.local.path.exists()
    require_one_state(move.local, backend)


def test_two_states_are_not_merged(move: Move) -> None:
    move.local.write(text(3))
    bootstrap(move, "", confirm=yes, emit=ignore)
    move.local.write(text(8, lineage="two"))
    with pytest.raises(RefusedError, match="holds another state"):
        bootstrap(again(move), "", confirm=yes, emit=ignore)
    assert move.local.path.exists()


class Hurried(S3Backend):
    """A store into which somebody else is quicker to put a state."""

    def hold_lock(self, lock: Lock) -> AbstractContextManager[None]:
        self.write(text(5, lineage="theirs"))
        return super().hold_lock(lock)


class HurriedService(S3Service):
    def open_backend(self, settings: Settings, arguments: Settings) -> StateBackend:
        found = super().open_backend(settings, arguments)
        assert isinstance(found, S3Backend)
        return Hurried(found.bucket, found.key, found.region, found.client)


def test_what_somebody_else_moved_there_meanwhile_is_not_overwritten(move: Move) -> None:
    move.local.write(text(3))
    service = move.service
    assert isinstance(service, S3Service)
    hurried = HurriedService(service.profile, service.bucket, service.region, service.prefix, service.tags)
    with pytest.raises(StateError, match="was changed meanwhile"):
        bootstrap(replace(move, service=hurried), "", confirm=yes, emit=ignore)
    assert move.local.path.exists()
    assert read_choice(move.choice) is None
    settings = service.name_store("", REGION)
    left = open_record(service.open_backend(settings, move.arguments))
    assert left
    assert (left.lineage, left.serial) == ("theirs", 5)


def test_a_no_changes_nothing(move: Move, aws: StandIn) -> None:
    move.local.write(text(3))
    before = len(aws.client("s3").list_buckets()["Buckets"])
    with pytest.raises(RefusedError):
        bootstrap(move, "", confirm=no, emit=ignore)
    assert len(aws.client("s3").list_buckets()["Buckets"]) == before
    assert read_choice(move.choice) is None


def test_a_state_has_one_store(move: Move) -> None:
    bootstrap(move, "", confirm=yes, emit=ignore)
    with pytest.raises(RefusedError, match="lies in s3://"):
        bootstrap(again(move), "another-name", confirm=yes, emit=ignore)


def test_a_store_stays_while_any_state_in_it_holds_resources(move: Move) -> None:
    bootstrap(move, "", confirm=yes, emit=ignore)
    known = again(move)
    assert known.current
    prod = move.service.open_backend(known.current.settings, {"key": "aws/prod/terraform.tfstate"})
    prod.write(text(1))
    with pytest.raises(RefusedError, match=r"aws/prod/terraform\.tfstate"):
        remove_store(known, confirm=lambda _: None)
    prod.write(text(2, count=0))
    remove_store(known, confirm=lambda _: None)
    assert read_choice(move.choice) is None
    with pytest.raises(StateError, match="there is no store"):
        remove_store(again(move), confirm=lambda _: None)


@pytest.mark.parametrize("content", ["", "{", "{}", '{"kind": "s3", "what": 1}'])
def test_a_broken_record_of_the_choice_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(StateError, match="should say where the state lies"):
        read_choice(tmp_path / "x.json")


def test_a_choice_names_kind_and_settings() -> None:
    assert Choice("s3", {"bucket": "b"}) == Choice(kind="s3", settings={"bucket": "b"})


def test_an_empty_state_is_not_a_second_one(tmp_path: Path, remote: TargetState) -> None:
    empty = LocalBackend(tmp_path / "terraform.tfstate")
    empty.write(text(3, count=0))
    require_one_state(empty, remote.backend)
    assert open_record(empty)


# --- the command line ---


def mlops(folder: Path, *words: str, code: int) -> str:
    program = "from platform_cli.cli.start import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "state", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show",), 2, "embedded/dev has no Terraform state"),
        (("unlock", "--cloud", "aws"), 2, "an unlock needs a reason"),
        (("unlock", "--cloud", "aws", "--reason", "x"), 0, "was not locked"),
        (("backup", "--cloud", "aws"), 13, "aws/dev has no state"),
        (("restore", "nothing", "--cloud", "aws", "--yes"), 13, "no version nothing"),
        (("bootstrap", "--cloud", "local"), 2, "stays on this machine"),
        (("remove-store", "--cloud", "aws"), 7, "there is no store"),
        (("lock", "--cloud", "aws", "-o", "json"), 0, '"locked": false'),
        (("show", "--cloud", "aws"), 0, "no state in "),
        (("history", "--cloud", "aws"), 0, "version"),
    ],
)
def test_a_command_says_what_it_cannot_do(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    assert said in mlops(tmp_path, *words, code=code)


def test_unlock_and_restore_ask_and_without_a_terminal_refuse(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / ".mlops" / "aws-dev" / "terraform" / "state" / "terraform.tfstate")
    backend.write(text(1))
    (backend.path.parent / ".terraform.tfstate.lock.info").write_bytes(lock().to_text("x"))
    assert "nobody can confirm" in mlops(tmp_path, "unlock", "--cloud", "aws", "--reason", "x", code=9)
    assert "is unlocked" in mlops(tmp_path, "unlock", "--cloud", "aws", "--reason", "x", "--yes", code=0)
    shown = mlops(tmp_path, "show", "--cloud", "aws", code=0)
    assert "2 terraform_data" in shown
    assert "unlock by" in shown
    assert "hunter2" not in shown + mlops(tmp_path, "show", "--cloud", "aws", "-o", "json", code=0)
