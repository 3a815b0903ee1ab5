"""Executors: same records everywhere, errors of their own type, retries, names, artifacts."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from executor_functions import (
    Draw,
    Drawn,
    die_always,
    die_once,
    draw,
    fail_at_three,
    hiccup_twice,
    in_flow,
)

from data.errors import SettingsError, TransientError
from flows.artifacts import artifact_key, markdown_image
from flows.executors import PlainExecutor, PrefectExecutor
from flows.runners import make_task_runner

pytestmark = pytest.mark.server

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
NAMES = [f"CALF-20 CO2 {{}} round 2 labels {number + 1}/8" for number in range(8)]


def folder(base: Path, name: str) -> str:
    (base / name).mkdir(exist_ok=True)
    return str(base / name)


def draws(base: Path, name: str, count: int = 8, pause_s: float = 0.0) -> list[Draw]:
    return [Draw(seed, folder(base, name), pause_s) for seed in range(count)]


@dataclass(frozen=True)
class Shared:
    """What one flow on two Dask processes gave; most tests read a part of it."""

    base: Path
    run_id: UUID
    records: list[Drawn]
    reports: list[tuple[int, int]]
    hiccup: int
    trained: Drawn
    survived: list[int]
    failure: BaseException


@pytest.fixture(scope="module")
def dask_run(prefect_api: str, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    base = tmp_path_factory.mktemp("dask")
    reports: list[tuple[int, int]] = []

    def body(executor: PrefectExecutor) -> dict[str, Any]:
        out: dict[str, Any] = {}
        out["records"] = executor.map(
            draw,
            draws(base, "draws", pause_s=0.3),
            kind="labels",
            run_names=NAMES,
            progress=lambda done, total: reports.append((done, total)),
        )
        (item,) = draws(base, "hiccup", 1)
        out["hiccup"] = executor.call(hiccup_twice, item, kind="scores", run_name="hiccup")
        out["trained"] = executor.call(draw, item, kind="train", run_name="train")
        names = ["dies", "lives"]
        out["survived"] = executor.map(
            die_once, draws(base, "die", 2), kind="insertions", run_names=names
        )
        executor.progress("Labels CALF-20", 10.0, "10 of 100")
        executor.progress("Labels CALF-20", 100.0, "100 of 100")
        row = {"host": "CALF-20", "K_H": np.float64(1.5), "error": float("nan"), "labels": 3}
        executor.table("Answer CALF-20", [row], "the answer")
        executor.markdown("convergence", markdown_image(PNG, "convergence"), "by round")
        with pytest.raises(SettingsError, match="item 3 is wrong") as caught:
            executor.map(
                fail_at_three,
                draws(base, "fail", 60, pause_s=0.2),
                kind="labels",
                run_names=[f"fail {number}" for number in range(60)],
            )
        out["failure"] = caught.value
        return out

    out, run_id = in_flow(body, make_task_runner(2))
    return Shared(base, run_id, reports=reports, **out)


def artifacts(run_id: UUID) -> dict[str, list[Any]]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=wanted)
    by_key: dict[str, list[Any]] = {}
    for artifact in found:
        by_key.setdefault(str(artifact.key), []).append(artifact)
    return by_key


def task_runs(run_id: UUID, until: int) -> list[Any]:
    """Read the task runs of a flow run; the server records them a moment later."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    wanted = FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
    with get_client(sync_client=True) as client:
        for _ in range(50):
            found = client.read_task_runs(flow_run_filter=wanted, limit=200)
            if sum(run.state_name == "Completed" for run in found) >= until:
                break
            time.sleep(0.2)
    return found


def test_records_are_those_of_the_plain_executor_in_order(dask_run: Shared) -> None:
    plain = PlainExecutor().map(draw, draws(dask_run.base, "draws"), kind="labels", run_names=NAMES)
    assert [record.seed for record in plain] == list(range(8))
    assert [(record.seed, record.mean) for record in dask_run.records] == [
        (record.seed, record.mean) for record in plain
    ]


def test_items_run_in_two_other_processes_with_one_thread_each(dask_run: Shared) -> None:
    processes = {record.process for record in dask_run.records}
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert {record.threads for record in dask_run.records} == {"1"}
    assert dask_run.trained.process not in (os.getpid(), 0)


def test_progress_is_called_as_results_arrive(dask_run: Shared) -> None:
    assert dask_run.reports == [(done, 8) for done in range(1, 9)]


def test_transient_errors_are_retried_and_others_are_not(dask_run: Shared) -> None:
    assert dask_run.hiccup == 3
    assert len(list((dask_run.base / "fail").glob("3-*"))) == 1


def test_the_first_failure_keeps_its_type_and_stops_the_rest(dask_run: Shared) -> None:
    assert type(dask_run.failure) is SettingsError
    assert 1 <= len(list((dask_run.base / "fail").iterdir())) < 55  # of 60


def test_an_item_whose_worker_was_killed_runs_again_on_another(dask_run: Shared) -> None:
    assert all(attempts == 2 for attempts in dask_run.survived)


def test_task_runs_carry_kind_and_name(dask_run: Shared) -> None:
    runs = {run.name: run for run in task_runs(dask_run.run_id, until=12)}
    assert set(NAMES) <= set(runs)
    labels = runs[NAMES[0]]
    assert labels.state_name == "Completed"
    assert "labels" in labels.tags
    assert labels.task_key.startswith("run_item")
    assert runs["hiccup"].run_count == 3
    assert "train" in runs["train"].tags


def test_artifacts_are_read_back_through_the_api(dask_run: Shared) -> None:
    import base64
    import json

    found = artifacts(dask_run.run_id)
    (progress,) = found["labels-calf-20"]
    assert progress.type == "progress"
    assert progress.data == 100.0
    assert progress.description == "100 of 100"
    (table,) = found["answer-calf-20"]
    (row,) = json.loads(table.data)
    assert row == {"host": "CALF-20", "K_H": 1.5, "error": "nan", "labels": 3}
    (markdown,) = found["convergence"]
    picture = markdown.data.split("base64,")[1].rstrip(")")
    assert base64.b64decode(picture) == PNG


def test_a_worker_that_always_dies_is_a_transient_error(prefect_api: str, tmp_path: Path) -> None:
    def body(executor: PrefectExecutor) -> None:
        (item,) = draws(tmp_path, "die", 1)
        with pytest.raises(TransientError, match="label 7: the worker process died"):
            executor.call(die_always, item, kind="labels", run_name="label 7")

    in_flow(body, make_task_runner(1))


def not_importable_on_workers(item: Draw) -> int:
    return item.seed


def test_workers_that_cannot_import_the_function_are_an_error_not_a_hang(
    prefect_api: str, tmp_path: Path
) -> None:
    def body(executor: PrefectExecutor) -> None:
        (item,) = draws(tmp_path, "draws", 1)
        executor.call(not_importable_on_workers, item, kind="labels", run_name="x")

    with pytest.raises(SettingsError, match=r"workers cannot run widomill: .*tests\.flows"):
        in_flow(body, make_task_runner(1))


def test_threads_give_the_same_records(prefect_api: str, tmp_path: Path) -> None:
    cluster = tmp_path / "threads.yaml"
    cluster.write_text("kind: threads\n")
    items = draws(tmp_path, "draws")
    reports: list[int] = []

    def body(executor: PrefectExecutor) -> list[Drawn]:
        with pytest.raises(SettingsError, match="item 3"):
            executor.map(fail_at_three, items, kind="labels", run_names=NAMES)
        return executor.map(
            draw,
            items,
            kind="insertions",
            run_names=NAMES,
            progress=lambda done, total: reports.append(done),
        )

    records, _ = in_flow(body, make_task_runner(2, cluster))
    plain = PlainExecutor().map(draw, items, kind="insertions", run_names=NAMES)
    assert [record.mean for record in records] == [record.mean for record in plain]
    assert {record.process for record in records} == {os.getpid()}
    assert reports == list(range(1, 9))


def test_the_plain_executor_retries_transient_errors_only(tmp_path: Path) -> None:
    executor = PlainExecutor(retry_delays_seconds=(0.0, 0.0))
    (item,) = draws(tmp_path, "hiccup", 1)
    assert executor.call(hiccup_twice, item, kind="labels", run_name="x") == 3
    with pytest.raises(SettingsError, match="item 3 is wrong"):
        executor.map(
            fail_at_three, draws(tmp_path, "fail", 6), kind="labels", run_names=list("abcdef")
        )
    assert len(list((tmp_path / "fail").iterdir())) == 4


def test_the_plain_executor_gives_up_after_its_retries(tmp_path: Path) -> None:
    (item,) = draws(tmp_path, "hiccup", 1)
    with pytest.raises(TransientError, match="a hiccup"):
        PlainExecutor(retry_delays_seconds=(0.0,)).call(
            hiccup_twice, item, kind="labels", run_name="x"
        )
    assert len(list((tmp_path / "hiccup").iterdir())) == 2


def test_a_missing_name_is_an_error_and_no_item_is_lost() -> None:
    with pytest.raises(ValueError, match="zip"):
        PlainExecutor().map(abs, [1, 2], kind="labels", run_names=["only one"])


def test_an_artifact_the_server_refuses_is_a_warning(
    prefect_api: str, caplog: pytest.LogCaptureFixture
) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    executor = PrefectExecutor()
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        executor.table("answer", [{"a": 1}], "no server there")
    assert "the artifact answer was not written" in caplog.text


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("CALF-20", "CO2"), "calf-20-co2"),
        (("Mg-MOF-74 (1x1x2)", "CO2:García"), "mg-mof-74-1x1x2-co2-garc-a"),
        (("--a__b--",), "a-b"),
    ],
)
def test_artifact_keys_have_letters_digits_and_dashes_only(
    words: tuple[str, ...], key: str
) -> None:
    assert artifact_key(*words) == key


def test_an_artifact_key_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no artifact key"):
        artifact_key("--", "")


def test_a_picture_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    assert markdown_image(tmp_path / "a.png", "plot") == markdown_image(PNG, "plot")
