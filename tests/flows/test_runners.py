"""Cluster files: what they turn into, and what is said about a bad one."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest

from data.errors import SettingsError
from flows.cluster_file import (
    BatchQueue,
    PoolsSettings,
    read_cluster,
    read_pools,
    wall_seconds,
)
from flows.executors import _reach_from_workers
from flows.runners import batch_queue_arguments, make_task_runner, worker_environment

EXAMPLES = Path(__file__).parents[2] / "flows" / "clusters"


def written(folder: Path, text: str) -> Path:
    path = folder / "cluster.yaml"
    path.write_text(text)
    return path


TEMPLATES = {
    "local": "local",
    "threads": "threads",
    "existing-scheduler": "scheduler",
    "slurm": "slurm",
    "pbs": "pbs",
    "lsf": "lsf",
}


@pytest.mark.parametrize(("name", "kind"), TEMPLATES.items())
def test_the_examples_are_valid(name: str, kind: str) -> None:
    cluster = read_cluster(EXAMPLES / f"{name}.yaml")
    assert cluster.kind == kind
    assert read_pools(EXAMPLES / f"{name}.yaml") == PoolsSettings(general=cluster)


def test_the_example_with_a_gpu_pool_is_valid() -> None:
    pools = read_pools(EXAMPLES / "slurm-gpu.yaml")
    assert isinstance(pools.general, BatchQueue)
    assert isinstance(pools.references, BatchQueue)
    assert pools.references.resources == {"GPU": 1}
    assert pools.general.resources == {}
    with pytest.raises(SettingsError, match=r"two clusters.*one run takes one cluster"):
        read_cluster(EXAMPLES / "slurm-gpu.yaml")


def test_every_example_is_tested() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.yaml")}
    assert names == {*TEMPLATES, "slurm-gpu"}


@pytest.mark.parametrize("name", ["slurm", "pbs", "lsf", "slurm-gpu"])
def test_batch_examples_make_a_job_script(name: str) -> None:
    dask_jobqueue = pytest.importorskip("dask_jobqueue")
    pools = read_pools(EXAMPLES / f"{name}.yaml")
    for cluster in filter(None, (pools.general, pools.references)):
        assert isinstance(cluster, BatchQueue)
        arguments = batch_queue_arguments(cluster, workers=1)
        for ours in ("n_workers", "scheduler_options"):
            arguments.pop(ours)
        job = getattr(dask_jobqueue, f"{cluster.kind.upper()}Cluster").job_cls
        if cluster.kind == "lsf":
            arguments["use_stdin"] = True  # else it asks the batch system
        script = job(scheduler="tcp://login1:8786", name="w", **arguments).job_script()
        assert "--lifetime " in script
        assert ("--resources GPU=1" in script) == ("GPU" in cluster.resources)
        assert ("--gres=gpu:1" in script) == ("GPU" in cluster.resources)
        assert "-q" in script or "-p" in script


@pytest.mark.parametrize(
    ("kind", "text", "seconds"),
    [
        ("slurm", "01:30:00", 5400),
        ("slurm", "2-06:00:00", 194_400),
        ("slurm", "1-12", 129_600),
        ("slurm", "30:30", 1830),
        ("slurm", "90", 5400),
        ("pbs", "01:30:00", 5400),
        ("pbs", "30:30", 1830),
        ("pbs", "90", 90),
        ("lsf", "01:30", 5400),
        ("lsf", "90", 5400),
        ("slurm", "UNLIMITED", None),
    ],
)
def test_time_limits_are_read_as_the_batch_system_does(
    kind: str, text: str, seconds: float | None
) -> None:
    assert wall_seconds(kind, text) == seconds


@pytest.mark.parametrize(
    ("text", "lifetime_s", "stagger_s"),
    [("10:00:00", 35_400, 300), ("01:00:00", 3240, 180), ("02:00", 60, 30)],
)
def test_workers_leave_before_their_jobs_end(text: str, lifetime_s: int, stagger_s: int) -> None:
    cluster = BatchQueue(kind="slurm", memory="4GB", walltime=text)
    arguments = batch_queue_arguments(cluster, workers=1)["worker_extra_args"]
    assert arguments[arguments.index("--lifetime") + 1] == f"{lifetime_s}s"
    assert arguments[arguments.index("--lifetime-stagger") + 1] == f"{stagger_s}s"
    assert lifetime_s + stagger_s < wall_seconds("slurm", text)


BAD_POOLS = {
    "general: {kind: local}\nworkers: 2\n": "workers: beside `general` and `references`",
    "references: {kind: local}\n": "general: this field is required",
    "general: {kind: local}\nreferences: 4\n": "references: has to be a mapping, found 4",
    "general: {kind: local}\nreferences: {kind: grid}\n": "references: kind: .*'grid'",
    "general: {kind: local, resources: {GPU: 0}}\n": "general: resources.GPU: .*greater than 0",
}


@pytest.mark.parametrize(("text", "message"), BAD_POOLS.items(), ids=range(len(BAD_POOLS)))
def test_a_bad_file_of_two_pools_is_named_with_the_field(
    tmp_path: Path, text: str, message: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError, match=message) as caught:
        read_pools(path)
    assert str(path) in str(caught.value)


def test_without_a_file_workers_are_processes_of_this_machine() -> None:
    runner = make_task_runner(3)
    arguments = runner.cluster_kwargs
    assert runner.cluster_class == "distributed.LocalCluster"
    assert (arguments["n_workers"], arguments["threads_per_worker"]) == (3, 1)
    assert arguments["processes"] is True
    assert arguments["host"] == "127.0.0.1"
    assert arguments["dashboard_address"] == "127.0.0.1:0"
    assert arguments["env"]["OMP_NUM_THREADS"] == "1"


def test_the_runner_survives_the_copy_that_prefect_makes() -> None:
    runner = make_task_runner(2)
    assert runner.duplicate() == runner


def test_the_file_decides_before_the_command_line(tmp_path: Path) -> None:
    path = written(tmp_path, "kind: local\nworkers: 5\nthreads_per_worker: 2\nmemory_limit: 2GiB\n")
    arguments = make_task_runner(3, path).cluster_kwargs
    assert arguments["n_workers"] == 5
    assert arguments["memory_limit"] == "2GiB"
    assert arguments["env"]["NUMBA_NUM_THREADS"] == "2"
    assert arguments["threads_per_worker"] == 1


def test_threads_of_this_process(tmp_path: Path) -> None:
    from prefect.task_runners import ThreadPoolTaskRunner

    runner = make_task_runner(3, written(tmp_path, "kind: threads\n"))
    assert isinstance(runner, ThreadPoolTaskRunner)
    assert runner._max_workers == 3


def test_workers_get_threads_and_address_but_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4242/api")
    monkeypatch.setenv("PREFECT_API_KEY", "secret")
    environment = worker_environment(4)
    assert environment["PREFECT_API_URL"] == "http://127.0.0.1:4242/api"
    assert environment["MKL_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "4"
    assert "PREFECT_API_KEY" not in environment


def test_a_slurm_file_becomes_the_job_it_describes(tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    from dask_jobqueue.slurm import SLURMJob

    path = written(
        tmp_path,
        'kind: slurm\nqueue: main\naccount: chem\ncores: 4\nmemory: 8GB\nwalltime: "02:00:00"\n'
        "prologue: [module load python]\noptions: {job_extra_directives: [--exclusive]}\n",
    )
    cluster = read_cluster(path)
    assert isinstance(cluster, BatchQueue)
    arguments = batch_queue_arguments(cluster, workers=6)
    assert arguments.pop("n_workers") == 6
    assert arguments.pop("scheduler_options") == {"dashboard_address": "127.0.0.1:0"}
    script = SLURMJob(scheduler="tcp://login1:8786", name="w", **arguments).job_script()
    for line in (
        "#SBATCH -p main",
        "#SBATCH -A chem",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH -t 02:00:00",
        "#SBATCH --exclusive",
        "export OMP_NUM_THREADS=4",
        "module load python",
    ):
        assert line in script
    assert script.index("--nthreads 4") < script.index("--nthreads 1")  # the last one counts
    assert script.index("module load") < script.index("distributed.cli.dask_worker")


@pytest.mark.parametrize(("kind", "name"), [("pbs", "account"), ("lsf", "project")])
def test_other_queues_take_the_same_fields(tmp_path: Path, kind: str, name: str) -> None:
    pytest.importorskip("dask_jobqueue")
    text = f'kind: {kind}\nmemory: 4GB\nwalltime: "01:00"\naccount: chem\n'
    runner = make_task_runner(2, written(tmp_path, text + "adapt: {minimum: 1, maximum: 9}\n"))
    assert runner.cluster_class == f"dask_jobqueue.{kind.upper()}Cluster"
    assert runner.cluster_kwargs[name] == "chem"
    assert runner.cluster_kwargs["n_workers"] == 0
    assert runner.adapt_kwargs == {"minimum": 1, "maximum": 9}


BAD = {
    "kind: grid\n": r"kind: .*'grid'.*kind is one of local, threads, scheduler, slurm, pbs, lsf",
    "workers: 2\n": r"kind: .*kind is one of local",
    "": "expected a YAML mapping",
    "[1, 2]\n": "expected a YAML mapping",
    "kind: [local\n": "line 2.*not valid YAML",
    "kind: local\nworker: 2\n": "worker: there is no such field here",
    "kind: local\nworkers: 0\n": "workers: .*greater than or equal to 1, found 0",
    "kind: local\nworkers: many\n": "workers: .*valid integer.*found 'many'",
    "kind: threads\nthreads_per_worker: 2\n": "threads_per_worker: there is no such field",
    "kind: scheduler\n": "address: this field is required and missing",
    "kind: scheduler\naddress: login1\n": "address: .*pattern.*found 'login1'",
    "kind: slurm\nwalltime: '1:00'\n": "memory: this field is required and missing",
    "kind: slurm\nmemory: 4GB\nwalltime: 3600\n": "walltime: .*found 3600; put it in quotes",
    "kind: pbs\nmemory: 4GB\nwalltime: '1:00'\nadapt: {maximum: 0}\n": "adapt.maximum: .*found 0",
    "kind: lsf\nmemory: 4GB\nwalltime: '1:00'\noptions: {cores: 4}\n": "options: .*field `cores`",
    "kind: local\ncluster: !!python/object/apply:os.getcwd []\n": "not valid YAML",
}


def test_a_time_without_quotes_is_a_time(tmp_path: Path) -> None:
    path = written(tmp_path, "kind: slurm\nmemory: 4GB\nwalltime: 01:30:00\n")
    assert read_pools(path).general.wall_seconds() == 5400


@pytest.mark.parametrize(("text", "message"), BAD.items(), ids=range(len(BAD)))
def test_a_bad_file_is_named_with_the_field(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError, match=message) as caught:
        make_task_runner(2, path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml cannot be read: No such file"):
        make_task_runner(2, tmp_path / "none.yaml")


def test_a_scheduler_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    path = written(tmp_path, f"kind: scheduler\naddress: tcp://127.0.0.1:{port}\n")
    with pytest.raises(SettingsError, match=f"no Dask scheduler answers at tcp://127.0.0.1:{port}"):
        make_task_runner(2, path)


def test_scheduler_options_of_the_user_are_kept(tmp_path: Path) -> None:
    text = 'kind: slurm\nmemory: 4GB\nwalltime: "1:00"\noptions: {scheduler_options: {host: lo}}\n'
    cluster = read_cluster(written(tmp_path, text))
    assert isinstance(cluster, BatchQueue)
    options = batch_queue_arguments(cluster, workers=1)["scheduler_options"]
    assert options == {"host": "lo", "dashboard_address": "127.0.0.1:0"}


@pytest.mark.server
def test_another_cluster_on_the_usual_dashboard_port_is_no_trouble(
    prefect_api: str, tmp_path: Path
) -> None:
    from executor_functions import Draw, draw, in_flow

    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # a real cluster has it: as good
            taken.bind(("127.0.0.1", 8787))
            taken.listen()
        (record,), _ = in_flow(
            lambda executor: executor.map(
                draw, [Draw(1, str(tmp_path))], kind="insertions", run_names=["1"]
            ),
            make_task_runner(1),
        )
    assert record.seed == 1


@pytest.mark.server
def test_an_existing_scheduler_runs_the_items(prefect_api: str, tmp_path: Path) -> None:
    from distributed import Client, LocalCluster
    from executor_functions import Draw, draw, in_flow

    items = [Draw(seed, str(tmp_path)) for seed in range(3)]
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as cluster:
        path = written(tmp_path, f"kind: scheduler\naddress: {cluster.scheduler_address}\n")
        records, _ = in_flow(
            lambda executor: executor.map(
                draw, items, kind="insertions", run_names=["1", "2", "3"]
            ),
            make_task_runner(2, path),
        )
        with (
            Client(cluster) as client,
            pytest.raises(SettingsError, match=r"workers cannot reach .* PREFECT_API_URL"),
        ):
            _reach_from_workers(client, "http://127.0.0.1:9/api")
    assert [record.seed for record in records] == [0, 1, 2]
    assert os.getpid() not in {record.process for record in records}
