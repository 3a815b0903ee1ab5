"""Pools: same records as in one process, order, limits, retries, dead workers, nothing left."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from pool_functions import (
    Mark,
    burn,
    die_always,
    die_once,
    draw,
    fail_at_three,
    hiccup_always,
    hiccup_twice,
    say_and_sleep,
    sleep,
    square,
    where,
)

from data.errors import DeadWorkerError, SettingsError, TimeLimitError, TransientError
from flows.executors import PlainExecutor
from flows.pool_executor import PoolExecutor
from flows.pools import Job, Pools, open_pools

TWO_POOLS = {
    "general": {"kind": "local", "workers": 1},
    "references": {"kind": "local", "workers": 1, "resources": {"GPU": 1}},
}


def names(count: int) -> list[str]:
    return [f"item {number}" for number in range(count)]


def marks(base: Path, name: str, count: int, pause_s: float = 0.0) -> list[Mark]:
    (base / name).mkdir(exist_ok=True)
    return [Mark(number, str(base / name), pause_s) for number in range(count)]


@pytest.fixture(scope="module")
def pools() -> Iterator[Pools]:
    with open_pools(None, 2) as opened:
        yield opened


def executor(pools: Pools, **options: object) -> PoolExecutor:
    return PoolExecutor(pools, retry_delays_seconds=(0.05, 0.1), **options)


def test_records_are_those_of_the_plain_executor_in_order(pools: Pools, tmp_path: Path) -> None:
    items = marks(tmp_path, "draws", 30)
    moved: list[tuple[int, int]] = []
    records = executor(pools).map(
        draw,
        items,
        kind="scores",
        run_names=names(30),
        progress=lambda done, total: moved.append((done, total)),
    )
    assert records == PlainExecutor().map(draw, items, kind="scores", run_names=names(30))
    assert moved == [(done, 30) for done in range(1, 31)]


def test_workers_are_processes_with_one_thread_and_no_prefect(pools: Pools) -> None:
    found = executor(pools).map(where, [0.3] * 4, kind="labels", run_names=names(4))
    assert len({place.process for place in found}) == 2
    assert os.getpid() not in {place.process for place in found}
    assert {place.threads for place in found} == {"1"}
    assert not any(place.prefect for place in found)


def test_many_executors_share_the_workers(pools: Pools) -> None:
    def one(start: int) -> list[int]:
        own = executor(pools, priority=start % 3)
        return own.map(square, range(start, start + 20), kind="train", run_names=names(20))

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(one, range(0, 160, 20)))
    assert answers == [[n * n for n in range(start, start + 20)] for start in range(0, 160, 20)]
    assert [(status.running, status.waiting) for status in pools.status()] == [(0, 0)]


def test_transient_errors_are_tried_again_others_are_not(pools: Pools, tmp_path: Path) -> None:
    (item,) = marks(tmp_path, "hiccup", 1)
    assert executor(pools).call(hiccup_twice, item, kind="labels", run_name="x") == 3
    (item,) = marks(tmp_path, "always", 1)
    with pytest.raises(TransientError, match="a hiccup"):
        executor(pools).call(hiccup_always, item, kind="labels", run_name="x")
    assert len(list((tmp_path / "always").iterdir())) == 3
    items = marks(tmp_path, "fail", 60, 0.02)
    with pytest.raises(SettingsError, match="item 3 is wrong") as caught:
        executor(pools).map(fail_at_three, items, kind="labels", run_names=names(60))
    assert type(caught.value) is SettingsError
    tried = list((tmp_path / "fail").iterdir())
    assert len([path for path in tried if path.name.startswith("3-")]) == 1
    assert len(tried) < 55


def test_a_hanging_item_is_ended_and_the_pool_goes_on(pools: Pools) -> None:
    hang = pools.submit(Job(sleep, 600.0, "labels", "MOF-5 CO2 labels 1/2", limit_s=1.0))
    rest = executor(pools).map(sleep, [0.05] * 10, kind="scores", run_names=names(10))
    with pytest.raises(TimeLimitError, match=r"MOF-5 CO2 labels 1/2: stopped after 1 s"):
        hang.result(timeout=60)
    assert rest == [0.05] * 10
    places = executor(pools).map(where, [0.5] * 4, kind="labels", run_names=names(4))
    assert len(places) == 4


def test_waiting_for_a_worker_does_not_count_as_time_of_an_item(pools: Pools) -> None:
    limited = executor(pools, limits_s={"labels": 1.5})
    # 8 x 0.6 s on two workers: the last waits for 1.8 s and takes 0.6 s.
    assert limited.map(sleep, [0.6] * 8, kind="labels", run_names=names(8)) == [0.6] * 8


def test_a_dead_worker_costs_its_own_item_a_second_run_and_no_other(
    pools: Pools, tmp_path: Path
) -> None:
    done = marks(tmp_path, "done", 6)
    futures = [pools.submit(Job(draw, item, "scores", "done")) for item in done]
    before = [future.result(timeout=60) for future in futures]
    items = marks(tmp_path, "die", 2)
    assert executor(pools).map(die_once, items, kind="train", run_names=names(2)) == [2, 2]
    assert [future.result() for future in futures] == before
    assert len(list((tmp_path / "done").iterdir())) == 6


def test_an_item_that_kills_every_worker_is_a_transient_error(pools: Pools, tmp_path: Path) -> None:
    (item,) = marks(tmp_path, "die", 1)
    with pytest.raises(DeadWorkerError, match="label 7: the worker process died each time"):
        executor(pools).call(die_always, item, kind="labels", run_name="label 7")
    assert issubclass(DeadWorkerError, TransientError)
    assert len(list((tmp_path / "die").iterdir())) == 4  # and not again with every retry


def test_processor_seconds_of_workers_that_left_are_remembered(tmp_path: Path) -> None:
    with open_pools({"kind": "local", "workers": 1}, 2) as own:
        PoolExecutor(own).call(burn, 1.0, kind="train", run_name="burn")
        spent = own.cpu_seconds()
        assert spent >= 1.0
        (item,) = marks(tmp_path, "die", 1)
        PoolExecutor(own).call(die_once, item, kind="train", run_name="die")
        assert own.cpu_seconds() > spent
        assert own.cpu_seconds() < spent + 30


def test_a_worker_that_is_killed_while_it_starts_is_started_again() -> None:
    killed: list[int] = []
    over = threading.Event()

    def kill_the_first() -> None:
        while not killed and not over.is_set():
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if "spawn_main" in " ".join(process.cmdline()):
                        process.kill()
                        killed.append(process.pid)
                        return
            time.sleep(0.005)

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    try:
        with open_pools({"kind": "local", "workers": 2}, 2) as own:
            assert PoolExecutor(own).call(abs, -3, kind="train", run_name="x") == 3
            assert len(own.clients["all"].scheduler_info()["workers"]) == 2
    finally:
        over.set()
        killer.join()
    assert killed


def not_importable(number: int) -> int:
    return number


def test_workers_that_cannot_import_the_function_say_so(pools: Pools) -> None:
    with pytest.raises(SettingsError, match=r"workers cannot run widomill: .*tests"):
        executor(pools).call(not_importable, 1, kind="train", run_name="x")


def test_the_urgent_come_first_and_then_those_who_came_first(tmp_path: Path) -> None:
    items = marks(tmp_path, "order", 7, 0.05)
    with open_pools({"kind": "threads", "workers": 1}, 2) as own:
        assert own.workers == 1
        first = own.submit(Job(say_and_sleep, Mark(99, items[0].folder, 1.0), "train", "first"))
        while own.status()[0].running == 0:
            time.sleep(0.01)
        ranks = [0, 0, 5, 0, 9, 5, 0]
        futures = [
            own.submit(Job(say_and_sleep, item, "train", "x", priority=rank))
            for item, rank in zip(items, ranks, strict=True)
        ]
        for future in [first, *futures]:
            future.result(timeout=60)
    order = (tmp_path / "order" / "order").read_text().split()
    assert order == ["99", "4", "2", "5", "0", "1", "3", "6"]


def test_what_has_not_started_can_be_taken_back(tmp_path: Path) -> None:
    items = marks(tmp_path, "back", 20, 0.3)
    with open_pools({"kind": "threads", "workers": 1}, 1) as own:
        futures = [own.submit(Job(draw, item, "train", "x")) for item in items]
        futures[0].result(timeout=60)
        taken = [future.cancel() for future in futures[5:]]
        assert all(taken)
        assert [future.result(timeout=60) for future in futures[:5]]
        assert own.status()[0].waiting == 0 or all(f.cancelled() for f in futures[5:])
    assert len(list((tmp_path / "back").iterdir())) == 5


def test_a_thread_past_its_limit_is_given_up(tmp_path: Path) -> None:
    with open_pools({"kind": "threads", "workers": 2}, 2) as own:
        limited = PoolExecutor(own, limits_s={"labels": 0.3})
        with pytest.raises(TimeLimitError, match="its thread goes on"):
            limited.call(sleep, 2.0, kind="labels", run_name="x")
        assert limited.call(square, 3, kind="labels", run_name="y") == 9


def test_two_pools_keep_references_apart() -> None:
    with open_pools(TWO_POOLS, 4) as own:
        assert own.workers == 2
        both = PoolExecutor(own)
        jobs = [("scores", 0.2), ("labels", 0.2), ("train", 0.2), ("labels", 0.2)]
        futures = [own.submit(Job(where, pause, kind, kind)) for kind, pause in jobs]
        scores, label, train, other = [f.result(timeout=60).process for f in futures]
        assert scores == train
        assert label == other
        assert label != scores
        assert [status.name for status in own.status()] == ["general", "references"]
        # The references' worker hangs: the other pool does not notice.
        hang = own.submit(Job(sleep, 600.0, "labels", "hang", limit_s=0.5))
        assert both.map(square, [1, 2], kind="scores", run_names=names(2)) == [1, 4]
        with pytest.raises(TimeLimitError):
            hang.result(timeout=60)


def test_reference_calls_ask_for_what_their_worker_has(tmp_path: Path) -> None:
    """One scheduler, two kinds of worker: labels run where the GPU is, the rest anywhere."""
    from distributed import Scheduler, SpecCluster, Worker

    spec = {
        "plain": {"cls": Worker, "options": {"nthreads": 1}},
        "gpu": {"cls": Worker, "options": {"nthreads": 1, "resources": {"GPU": 1}}},
    }
    options = {"dashboard_address": "127.0.0.1:0", "protocol": "tcp", "host": "127.0.0.1"}
    scheduler = {"cls": Scheduler, "options": options}
    with SpecCluster(workers=spec, scheduler=scheduler) as cluster:
        address = cluster.scheduler_address
        file = {"kind": "scheduler", "address": address, "resources": {"GPU": 1}}
        with open_pools(file, 1) as own:
            assert {s.name: s.places for s in own.status()} == {"general": 2, "references": 1}
            began = time.monotonic()
            labels = [own.submit(Job(sleep, 0.3, "labels", "l")) for _ in range(4)]
            rest = [own.submit(Job(sleep, 0.3, "scores", "s")) for _ in range(4)]
            for future in rest:
                future.result(timeout=60)
            for future in labels:
                future.result(timeout=60)
            assert time.monotonic() - began >= 1.2  # four labels in turn on the one GPU


def test_closing_cancels_what_waits_and_refuses_more(tmp_path: Path) -> None:
    others = {process.pid for process in psutil.Process().children(recursive=True)}
    own = open_pools({"kind": "local", "workers": 1}, 1)
    processes = {process.pid for process in psutil.Process().children(recursive=True)} - others
    assert processes
    running = own.submit(Job(sleep, 600.0, "train", "long"))
    waiting = own.submit(Job(sleep, 600.0, "train", "waits"))
    while own.status()[0].running == 0:
        time.sleep(0.05)
    own.close()
    assert waiting.cancelled()
    with pytest.raises(DeadWorkerError, match="long: stopped before it was done"):
        running.result(timeout=1)
    with pytest.raises(RuntimeError, match="closed"):
        own.submit(Job(square, 1, "train", "late"))
    assert _left(sorted(processes)) == []


def _left(numbers: list[int]) -> list[int]:
    """Return those of the worker processes that are still there after a while."""
    for _ in range(100):
        left = [number for number in numbers if _is_worker(number)]
        if not left:
            break
        time.sleep(0.1)
    return left


def _is_worker(number: int) -> bool:
    """Say whether a process lives that multiprocessing started for work (not its own helper)."""
    try:
        process = psutil.Process(number)
        ended = process.status() == psutil.STATUS_ZOMBIE
        return not ended and "resource_tracker" not in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


INTERRUPTED = """
import os, signal, sys, threading, time
sys.path.append({folder!r})
import psutil
from pool_functions import sleep
from flows.pools import Job, open_pools

if __name__ == "__main__":
    def interrupt():
        time.sleep(1.5)
        print(*[p.pid for p in psutil.Process().children(recursive=True)], flush=True)
        os.killpg(os.getpgid(0), signal.SIGINT)  # what a terminal does on Ctrl-C

    try:
        with open_pools(None, 2) as pools:
            futures = [pools.submit(Job(sleep, 600.0, "train", "x")) for _ in range(4)]
            threading.Thread(target=interrupt).start()
            futures[0].result()
    except KeyboardInterrupt:
        print("stopped", flush=True)
"""


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, repository: Path) -> None:
    script = tmp_path / "interrupted.py"
    script.write_text(INTERRUPTED.format(folder=str(Path(__file__).parent)))
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository), "DASK_LOGGING__DISTRIBUTED": "warning"},
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=120,
        check=False,
    )
    children, last = done.stdout.splitlines()
    assert last == "stopped"
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(children.split()) >= 2
    assert _left([int(pid) for pid in children.split()]) == []
