"""A real Slurm of one node for tests: munge, controller and node daemon, in a folder of their own.

Needs Debian's packages `slurm-wlm` and `munge` (or any Slurm 22.05 or later) and root; no systemd,
no cgroups, no database. Nothing outside the folder is touched, and all daemons end with the block.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

COMMANDS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
START_SECONDS = 30.0
CONFIGURATION = """\
ClusterName=widomill
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
MinJobAge=3600
KillWait=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mb} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES
"""


def missing() -> str:
    """Return why no Slurm can be brought up here; empty where it can."""
    absent = [name for name in COMMANDS if _which(name) is None]
    if absent:
        return f"not installed: {', '.join(absent)} (Debian: apt-get install slurm-wlm munge)"
    return "" if os.geteuid() == 0 else "its daemons need root"


@contextlib.contextmanager
def slurm_node(folder: Path, cpus: int, memory_mb: int = 8000) -> Iterator[dict[str, str]]:
    """Bring up Slurm, and take it down with every job.

    Args:
        folder: for its files; short, since a socket's path is bounded.
        cpus: processors of the node.
        memory_mb: memory of the node, MB.

    Yields:
        The environment in which `sbatch` and the others find it.
    """
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)  # munge trusts no folder that others may write to
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(
            host=socket.gethostname().split(".")[0],
            folder=folder,
            cpus=cpus,
            memory_mb=memory_mb,
            controller_port=_free_port(),
            node_port=_free_port(),
        )
    )
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    environment = {**os.environ, "SLURM_CONF": str(configuration)}
    environment["PATH"] = f"{environment.get('PATH', '')}:/usr/sbin:/sbin"
    own = [f"--{name}={folder}/munge.{name.split('-')[0]}" for name in ("pid-file", "log-file")]
    own += [f"--socket={folder}/munge.socket", f"--key-file={key}", f"--seed-file={folder}/seed"]
    daemons = [
        ["munged", "--foreground", "--force", *own],
        ["slurmctld", "-D", "-f", str(configuration)],
        ["slurmd", "-D", "-f", str(configuration)],
    ]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in daemons:
            started.append(_start(command, environment, folder))
            time.sleep(0.5)
        _wait_until_idle(environment, folder)
        yield environment
    finally:
        if len(started) == len(daemons):
            subprocess.run(["scancel", "--user=root"], env=environment, check=False)
            _wait_until_empty(environment)
        for process in reversed(started):
            _stop(process)


def _which(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _start(
    command: list[str], environment: dict[str, str], folder: Path
) -> subprocess.Popen[bytes]:
    with (folder / f"{command[0]}.out").open("wb") as out:
        return subprocess.Popen(
            [str(_which(command[0])), *command[1:]],
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10.0)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _wait_until_idle(environment: dict[str, str], folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        done = subprocess.run(
            ["sinfo", "-h", "-o", "%T"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.stdout.strip() == "idle":
            return
        time.sleep(0.3)
    logs = "\n".join(path.read_text(errors="replace") for path in sorted(folder.glob("*.out")))
    raise RuntimeError(f"Slurm did not come up within {START_SECONDS:g} s:\n{logs}")


def _wait_until_empty(environment: dict[str, str]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        done = subprocess.run(
            ["squeue", "-h"], env=environment, capture_output=True, text=True, check=False
        )
        if not done.stdout.strip():
            return
        time.sleep(0.3)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
