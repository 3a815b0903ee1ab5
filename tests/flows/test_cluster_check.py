"""`widomill cluster check`: what it says of each kind, and of clusters that do not answer."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from data.errors import SettingsError, WidomillError
from flows import cli, pool_queue
from flows.cluster_check import check_cluster, describe
from flows.cluster_file import read_pools
from flows.pools import open_pools

EXAMPLES = Path(__file__).parents[2] / "flows" / "clusters"


def checked(path: Path, folder: Path, timeout_s: float = 60.0) -> str:
    lines: list[str] = []
    try:
        check_cluster(path, timeout_s, folder, lines.append)
    finally:
        text = "\n".join(lines)
    return text


def test_a_process_of_this_machine_answers(tmp_path: Path) -> None:
    said = checked(EXAMPLES / "local.yaml", tmp_path)
    assert "pool all: --workers processes on this machine" in said
    assert "versions: python 3" in said
    assert "OMP_NUM_THREADS=1" in said
    assert "GPU: " in said
    assert f"it reads what is written in {tmp_path}" in said
    assert "note:" not in said
    assert said.endswith("1 of 1 pools answer.")
    assert list(tmp_path.iterdir()) == []  # the file it wrote is gone


def test_each_of_two_pools_answers(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(
        "general: {kind: threads, workers: 3}\nreferences: {kind: threads, resources: {GPU: 1}}\n"
    )
    result = CliRunner().invoke(cli.app, ["cluster", "check", str(file), "--folder", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "pool general: 3 threads of the process" in result.output
    assert "pool references: --workers threads" in result.output
    assert "reference calls ask for GPU 1" in result.output
    assert "2 of 2 pools answer." in result.output


def test_a_scheduler_without_the_worker_asked_for_is_told_in_time(tmp_path: Path) -> None:
    from distributed import LocalCluster

    options = {"n_workers": 1, "processes": False, "protocol": "tcp", "host": "127.0.0.1"}
    with LocalCluster(dashboard_address="127.0.0.1:0", **options) as cluster:
        address = cluster.scheduler_address
        file = tmp_path / "cluster.yaml"
        file.write_text(f"kind: scheduler\naddress: {address}\nresources: {{GPU: 1}}\n")
        with pytest.raises(WidomillError, match=r"within 1 s: .* no worker that has GPU .* free"):
            checked(file, tmp_path, timeout_s=1.0)


def test_a_machine_without_the_batch_system_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match=r"kind: pbs: there is no command qsub here"):
        checked(EXAMPLES / "pbs.yaml", tmp_path)


def test_a_batch_system_that_takes_no_job_is_told_in_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dask_jobqueue")
    command = tmp_path / "sbatch"
    command.write_text("#!/bin/sh\necho 'sbatch: error: invalid partition' >&2\nexit 1\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WidomillError, match=r"took no job: sbatch: error: invalid partition"):
        checked(EXAMPLES / "slurm.yaml", tmp_path)


def test_a_job_that_never_starts_is_told_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dask_jobqueue")
    for name, said in (("sbatch", "echo Submitted batch job 7"), ("scancel", "echo $1 >> gone")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{said}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WidomillError, match=r"answered within 2 s.*still waits.*`squeue`"):
        checked(EXAMPLES / "slurm.yaml", tmp_path, timeout_s=2.0)
    assert set((tmp_path / "gone").read_text().split()) == {"7"}  # its job is not left behind


def test_a_job_that_ended_before_its_worker_came_is_submitted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setattr(pool_queue, "LISTED_SECONDS", 0.1)
    count = f"{tmp_path}/count"
    commands = {
        "sbatch": f"echo x >> {count}; echo Submitted batch job $(wc -l < {count})",
        "squeue": f"test $(wc -l < {count}) -lt 2 || echo 2",  # the second stays, unlike the first
        "scancel": f"echo $1 >> {tmp_path}/gone",
    }
    for name, said in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{said}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    cluster = {"kind": "slurm", "memory": "1GB", "walltime": "00:10:00", "workers": 1}
    with open_pools(cluster, 1):
        for _ in range(300):
            if Path(count).exists() and len(Path(count).read_text().split()) == 2:
                break
            time.sleep(0.1)
        time.sleep(5.0)
    assert len(Path(count).read_text().split()) == 2
    assert "job 1 ended before its worker came" in caplog.text
    assert (tmp_path / "gone").read_text().split()[-1] == "2"


def test_what_a_file_means_is_said_in_words() -> None:
    pools = read_pools(EXAMPLES / "slurm-gpu.yaml")
    assert describe(pools.general) == (
        "1 to 64, as there is work, slurm jobs in main, each 1 cores, 4GB, 04:00:00; workers leave "
        "before that"
    )
    assert pools.references is not None
    assert describe(pools.references).endswith("reference calls ask for GPU 1")
    existing = read_pools(EXAMPLES / "existing-scheduler.yaml").general
    assert describe(existing) == "the workers of the Dask scheduler at tcp://login1:8786"
