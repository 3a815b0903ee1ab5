"""Labels needed in a host never seen, with a model of other hosts and without.

    python benchmarks/transfer.py                     # surrogates alone, on labelled insertions
    python benchmarks/transfer.py --runs              # whole runs to 5 %, which takes longer
    python benchmarks/transfer.py --held-out --pick-held-out 8 --labels 120 --name random
    python benchmarks/transfer.py --held-out CALF-20 --sources CALF20-b --pick 0 --name relative
    python benchmarks/transfer.py --guest N2 --pick 20 --also CO2 --pick-also 60 --name guests

A model is trained on reference labels in the sources, a held-out host left out where it is one of
them, and put into a registry of the benchmark's own. Sources are picked at random from CoRE MOF
2019 (``pip install --no-deps CoRE-MOF==2019.1``): small cells, at most fifteen of each metal, no
composition twice, none of the composition of a host held out; or named. With ``--also`` the model
learns from labels of another guest too, in as many of the hosts picked as asked for. Then

- surrogates: insertions of the held-out host are labelled, half where the baseline and half where
  a first surrogate says that the guest sits; 40 % of them are kept for the test. Surrogates are
  fitted to n of the others, with the model and without it; the error is the rms weighted with the
  root of the Boltzmann factor. Labels to the target: where that error falls to kT, and to kT/2,
  interpolated.
- runs: `widomill henry` with and without `--model`, same settings and seed; labels to the target:
  where the total relative standard error falls to 5 %, interpolated between rounds; and labels
  paid until the run stopped by its own rule, its answer beside the mean of all runs.

Labels, models and runs are kept in ``--folder`` and taken up where they are there.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from common.courses import Course, row, store, table
from common.machine import as_lines, describe
from common.stops import Stops, stop_of, stop_table

from data.errors import WidomillError

RESULTS = Path(__file__).parent / "results" / "transfer"
COLLECTION = "core-mof:2019-asr"
HELD_OUT = ("CALF-20", "Mg-MOF-74", "MIL-47", "NbOFFIVE-1-Ni", "SIFSIX-3-Cu", "MIL-120")
TARGET_ERROR = 0.05
TARGETS_RMS_KJ_PER_MOL = (2.48, 1.24)
"""kT and kT/2 at 298.15 K: a weight is known to a factor of e, and to one of 1.6."""


def main() -> int:
    """Label, train, measure; print and store table and picture."""
    arguments = _arguments()
    os.environ["WIDOMILL_MODELS"] = str((arguments.folder / "models").absolute())
    machine = describe()
    print("\n".join(as_lines(machine)) + "\n", flush=True)
    courses: list[Course] = []
    notes: list[str] = []
    names: dict[str, str] = {}
    taught, held_out = _hosts(arguments)
    for host in held_out:
        name = _model(host, taught, arguments)
        if (note := _provenance(name)) not in notes:
            notes.append(note)
            print(note, flush=True)
        names[host] = name
    for course in _measured(names, arguments):
        courses.append(course)
        print(row(course, _targets(arguments)), flush=True)
    text = "\n\n".join([*notes, table(courses, _targets(arguments), runs=arguments.runs)])
    if arguments.runs:
        text += "\n\n" + _stops(names, arguments)
    print("\n" + text)
    stem = arguments.out / (arguments.name or ("runs" if arguments.runs else "surrogates"))
    store(courses, _targets(arguments), text, machine, stem)
    return 0


def _options(arguments: argparse.Namespace, guest: str) -> dict[str, Any]:
    return {
        "guest": guest,
        "reference": arguments.reference,
        "charges": arguments.charges,
        "temperatures_k": (arguments.temperature_k,),
    }


def _say(text: str) -> None:
    print(f"  {text}", flush=True)


def _targets(arguments: argparse.Namespace) -> tuple[float, ...]:
    return (TARGET_ERROR,) if arguments.runs else TARGETS_RMS_KJ_PER_MOL


def _hosts(arguments: argparse.Namespace) -> tuple[dict[str, list[str]], list[str]]:
    """Return the hosts to learn from, by guest, and those held out."""
    from common.diverse import pick

    from chem.host_import.duplicates import reduced_formula
    from chem.hosts import load_host

    most = max(arguments.pick, arguments.pick_also if arguments.also else 0)
    count = most + arguments.pick_held_out
    names = sorted({*HELD_OUT, *arguments.held_out})
    known = [reduced_formula(load_host(name, charges="none").elements) for name in names]
    picked = [str(path) for path in pick(COLLECTION, count, 0, known)] if count else []
    taught = {arguments.guest: [*arguments.sources, *picked[: arguments.pick]]}
    if arguments.also:
        taught[arguments.also] = picked[: arguments.pick_also]
    return taught, [*arguments.held_out, *picked[most:]]


def _folder(kind: str, labels: int, guest: str, arguments: argparse.Namespace) -> Path:
    """Return where labels of one kind of host lie."""
    other = "" if guest == "CO2" else f"-{guest}"
    return arguments.folder / f"{kind}-{labels}-{arguments.charges}{other}"


def _model(host: str, taught: dict[str, list[str]], arguments: argparse.Namespace) -> str:
    """Return the name of the model for a host held out, trained where it is not there yet."""
    from data.errors import ModelError
    from flows.models import label_hosts, train
    from ml.registry import checked_folder

    lots = {guest: [one for one in hosts if one != host] for guest, hosts in taught.items()}
    each = [f"{g}:{Path(h).stem}" for g, hosts in lots.items() for h in hosts]
    name = f"sources-{_short('-'.join([*each, str(arguments.source_labels), arguments.charges]))}"
    try:
        return checked_folder(name)[0].name
    except ModelError:
        folders = []
        count = arguments.source_labels
        for guest, one in ((guest, one) for guest, hosts in lots.items() for one in hosts):
            folder = _folder("sources", count, guest, arguments)
            options = _options(arguments, guest)
            try:
                folders += label_hosts([one], folder, count, _say, seed=0, **options)
            except WidomillError as error:
                _say(f"{guest} in {Path(one).stem} is left out: {error}")
        return train(name, folders, seed=0, say=_say).name


def _measured(names: dict[str, str], arguments: argparse.Namespace) -> Iterator[Course]:
    """Yield the courses of all hosts and seeds, worked out side by side, in order.

    Args:
        names: the model of every host held out.
        arguments: of the command.
    """
    measure = _run_course if arguments.runs else _surrogate_course
    if not arguments.runs:
        for host in names:
            _labelled(host, arguments)
    with ProcessPoolExecutor(arguments.processes, get_context("spawn"), _one_thread) as pool:
        jobs = [
            pool.submit(measure, host, name, seed, arguments)
            for host, name in names.items()
            for seed in arguments.seeds
        ]
        for job in jobs:
            yield job.result()


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _labelled(host: str, arguments: argparse.Namespace) -> Path:
    """Return the folder of the labels of a host held out."""
    from flows.models import label_hosts

    folder = _folder("held-out", arguments.labels, arguments.guest, arguments)
    options = _options(arguments, arguments.guest)
    return label_hosts([host], folder, arguments.labels, _say, seed=1, **options)[0]


def _short(text: str) -> str:
    from data.records import content_hash

    return content_hash(text)[:8]


def _provenance(name: str) -> str:
    from ml.registry import read_card

    card = read_card(name)
    sources = ", ".join(
        f"{h.guest} in {h.name} ({h.labels}; {h.raw_rms_kj_per_mol:.1f} -> "
        + ("-" if (left := h.held_out_rms_kj_per_mol) is None else f"{left:.1f}")
        + ")"
        for h in card.hosts
    )
    return (
        f"Model {name}, hash {card.hash}: {len(card.hosts)} sources (labels; rms of the "
        f"correction -> of what is left when the others predict it, kJ/mol) {sources}"
    )


def _surrogate_course(host: str, name: str, seed: int, arguments: argparse.Namespace) -> Course:
    """Return the errors of surrogates on labels held out."""
    from flows.models import evaluate

    folder = _folder("held-out", arguments.labels, arguments.guest, arguments)
    found = evaluate(name, (folder / Path(host).stem).absolute(), seed=seed)
    rows = found["own_labels"]
    labels = (0.0, *(float(row["own_labels"]) for row in rows))
    without = (found["baseline_rms_kj_per_mol"], *(row["without"] for row in rows))
    with_model = (found["model_rms_kj_per_mol"], *(row["with"] for row in rows))
    return Course(Path(host).stem, seed, (labels, labels), (without, with_model))


def _run_course(host: str, name: str, seed: int, arguments: argparse.Namespace) -> Course:
    """Return the standard errors that runs state, round by round."""
    labels, errors = [], []
    for model in (None, name):
        rounds = _rounds(host, model, seed, arguments)
        labels.append(tuple(float(row["labels_total"]) for row in rounds))
        errors.append(tuple(float(row["relative_standard_error"]) for row in rounds))
    return Course(Path(host).stem, seed, (labels[0], labels[1]), (errors[0], errors[1]))


def _stops(names: dict[str, str], arguments: argparse.Namespace) -> str:
    """Return where the runs, all done, stopped, as a table."""
    from data.store import read_rows
    from flows.loop import MIN_LABELS, MIN_LABELS_WITH_MODEL, MIN_ROUNDS

    stops = []
    for host, name in names.items():
        for seed in arguments.seeds:
            without, with_model = (
                read_rows(_run_folder(host, model, seed, arguments) / "rounds.parquet")
                for model in (None, name)
            )
            stops.append(
                Stops(
                    Path(host).stem,
                    seed,
                    stop_of(without, TARGET_ERROR, MIN_LABELS, MIN_ROUNDS),
                    stop_of(without, TARGET_ERROR, MIN_LABELS_WITH_MODEL, MIN_ROUNDS),
                    stop_of(with_model, TARGET_ERROR, MIN_LABELS_WITH_MODEL, MIN_ROUNDS),
                )
            )
    return stop_table(stops, TARGET_ERROR, (MIN_LABELS, MIN_LABELS_WITH_MODEL))


def _run_folder(host: str, model: str | None, seed: int, arguments: argparse.Namespace) -> Path:
    """Return where a run lies."""
    case = Path(host).stem if arguments.guest == "CO2" else f"{arguments.guest}-{Path(host).stem}"
    parts = ("run", case, seed, model or "none", arguments.max_labels)
    return Path(arguments.folder) / "-".join(str(part) for part in parts)


def _rounds(
    host: str, model: str | None, seed: int, arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    """Do a run, or read one that is done, and return its rounds."""
    from data.store import read_rows
    from flows.launch import launch
    from flows.settings import make_settings

    out = _run_folder(host, model, seed, arguments)
    settings = make_settings(
        host=host,
        model=model,
        insertions=arguments.insertions,
        max_labels=arguments.max_labels,
        max_rounds=20,
        target_error=TARGET_ERROR,
        seed=seed,
        out=str(out),
        **_options(arguments, arguments.guest),
    )
    launch(settings, orchestration=False)
    return read_rows(out / "rounds.parquet")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--held-out", nargs="*", default=list(HELD_OUT), help="hosts or CIF files")
    parser.add_argument(
        "--pick-held-out", type=int, default=0, help="held out: so many more of the same draw"
    )
    parser.add_argument("--sources", nargs="*", default=[], help="bundled hosts or CIF files")
    parser.add_argument("--pick", type=int, default=200, help="sources picked from CoRE MOF")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--source-labels", type=int, default=60, help="labels of each source")
    parser.add_argument("--labels", type=int, default=200, help="labels of a host held out")
    parser.add_argument("--runs", action="store_true", help="whole runs, not surrogates alone")
    parser.add_argument("--name", help="of the stored files; default: surrogates, or runs")
    parser.add_argument("--guest", default="CO2")
    parser.add_argument("--also", help="another guest to learn from")
    parser.add_argument("--pick-also", type=int, default=60, help="sources of the other guest")
    parser.add_argument("--reference", default="mace-dac")
    parser.add_argument("--charges", default="eeq", help="the same for all hosts")
    parser.add_argument("--temperature-k", type=float, default=298.15)
    parser.add_argument("--max-labels", type=int, default=300, help="with --runs")
    parser.add_argument("--insertions", type=int, default=1_000_000, help="with --runs")
    parser.add_argument("--folder", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the stored output")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
