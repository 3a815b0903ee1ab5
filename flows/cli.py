"""The command line: one function a command, each a thin call."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, TextIO

import typer

from data.constants import LABEL_SECONDS
from data.errors import InputError, StorageError, WidomillError
from data.shortage import KEPT, shortage_of
from flows.cli_campaign import campaign
from flows.cli_classical import register
from flows.cli_cluster import cluster as cluster_commands
from flows.cli_hosts import hosts
from flows.cli_models import models
from flows.cli_options import (
    AcceptOffset,
    BlockPockets,
    Charges,
    Cluster,
    CutoffAngstrom,
    Energies,
    ForceField,
    Guest,
    Host,
    JsonOutput,
    LabelSeconds,
    LennardJones,
    Orchestration,
    Out,
    PocketThresholdKt,
    Seed,
    TailCorrection,
    TemperaturesK,
    TrustModelFile,
    Workers,
)
from flows.cli_screen import register as register_screen
from flows.cli_ui import ui
from flows.cli_upgrade import register as register_upgrade

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Henry coefficients of gases in porous crystals, at a reference level of theory.",
)
EXIT_BAD_INPUT = 2
EXIT_FAILURE = 1
STANDARD_OUTPUT, STANDARD_ERROR = 1, 2
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"widomill {version('widomill')}")
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Henry coefficients of gases in porous crystals, at a reference level of theory."""


@app.command()
def henry(
    host: Host,
    guest: Guest,
    temperature_k: TemperaturesK = None,
    temperature_range: Annotated[
        str | None, typer.Option(help="temperatures in K as FIRST:LAST:STEP, such as 250:400:25")
    ] = None,
    insertions: Annotated[int, typer.Option(help="insertions to place")] = 1_000_000,
    reference: Annotated[
        str,
        typer.Option(
            help="classical | forcefield:NAME_OR_PATH | mace-dac | mace:PATH | "
            "xtb[:GFN1-xTB|GFN2-xTB] | ase:MODULE:CALLABLE"
        ),
    ] = "mace-dac",
    force_field: ForceField = "UFF",
    charges: Charges = "cif",
    cutoff_angstrom: CutoffAngstrom = None,
    lj: LennardJones = None,
    tail_correction: TailCorrection = None,
    feynman_hibbs: Annotated[
        bool,
        typer.Option("--feynman-hibbs", help="quantum-corrected Lennard-Jones of light guests"),
    ] = False,
    energies: Energies = "auto",
    block_pockets: BlockPockets = True,
    pocket_threshold_kt: PocketThresholdKt = 15.0,
    block_file: Annotated[
        Path | None, typer.Option(help="RASPA block file to use in place of the search for pockets")
    ] = None,
    sampling: Annotated[str, typer.Option(help="adaptive | uniform")] = "adaptive",
    target_error: Annotated[
        float | None,
        typer.Option(
            help="relative standard error to stop at", show_default="0.05, classical 0.01"
        ),
    ] = None,
    keep_insertions: Annotated[
        bool | None,
        typer.Option(
            "--keep-insertions/--drop-insertions",
            help="write a classical run's insertions",
            show_default="up to 2,000,000",
        ),
    ] = None,
    max_labels: Annotated[int, typer.Option(help="most reference calls")] = 300,
    min_labels: Annotated[
        int | None,
        typer.Option(
            help="fewest labels to stop on the target with", show_default="100, with a model 40"
        ),
    ] = None,
    max_rounds: Annotated[int, typer.Option(help="most rounds")] = 10,
    workers: Workers = 2,
    threads: Annotated[int, typer.Option(help="threads of the classical level")] = 2,
    cluster: Cluster = None,
    orchestration: Orchestration = True,
    seed: Seed = 0,
    out: Out = None,
    json_output: JsonOutput = False,
    model: Annotated[
        str | None, typer.Option(help="model of other hosts to start from; see `widomill models`")
    ] = None,
    label_seconds: LabelSeconds = LABEL_SECONDS,
    accept_offset: AcceptOffset = False,
    trust_model_file: TrustModelFile = False,
) -> None:
    """Compute the Henry coefficient of a guest in a host."""
    from data.store import plain
    from flows.launch import launch
    from flows.report import REPORT_NAME
    from flows.settings import make_settings
    from flows.summary import print_summary

    settings = make_settings(
        host=host,
        guest=guest,
        temperatures_k=_temperatures(temperature_k, temperature_range),
        insertions=insertions,
        reference=reference,
        force_field=force_field,
        charges=charges,
        cutoff_angstrom=cutoff_angstrom,
        lj=lj,
        tail_correction=tail_correction,
        feynman_hibbs=feynman_hibbs,
        energies=energies,
        block_pockets=block_pockets,
        pocket_threshold_kt=pocket_threshold_kt,
        block_file=None if block_file is None else str(block_file),
        sampling=sampling,
        target_error=target_error,
        max_labels=max_labels,
        min_labels=min_labels,
        max_rounds=max_rounds,
        keep_insertions=keep_insertions,
        workers=workers,
        threads=threads,
        cluster=None if cluster is None else str(cluster),
        seed=seed,
        out="" if out is None else str(out),
        model=model,
        label_seconds=label_seconds,
        accept_offset=accept_offset,
        trust_model_file=trust_model_file,
    )
    answer = _keep_standard_output() if json_output else None
    results = launch(settings, orchestration=orchestration)
    if answer is not None:
        with answer:
            json.dump(plain({"results": results}), answer, allow_nan=False)
            answer.write("\n")
    else:
        print_summary(results, settings.run_dir, settings.run_dir / REPORT_NAME)


def _temperatures(single: list[float] | None, span: str | None) -> tuple[float, ...]:
    """Return the temperatures asked for one by one and as a range, ascending in the range."""
    from chem.van_t_hoff import temperature_range

    listed = tuple(single or ())
    if span is not None:
        listed += tuple(t for t in temperature_range(span) if t not in listed)
    return listed or (298.15,)


def _keep_standard_output() -> TextIO:
    """Return standard output for the answer alone; what else is printed goes to standard error.

    References may print (DFT codes do, from C too), so the file descriptor itself is moved.
    """
    sys.stdout.flush()
    answer = os.fdopen(os.dup(STANDARD_OUTPUT), "w", encoding="utf-8")
    os.dup2(STANDARD_ERROR, STANDARD_OUTPUT)
    return answer


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(metavar="DIR", help="a run folder")],
) -> None:
    """Rebuild the HTML report of a run from its files."""
    from flows.report import write_report

    typer.echo(write_report(run_dir))


@app.command()
def doctor(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="folder of a run or a campaign to look through"),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair/--look-only", help="with DIR: mend what can be mended")
    ] = True,
) -> None:
    """Say what is installed and works here; with DIR, find and mend what is damaged in it."""
    from rich.console import Console

    if folder is not None:
        from flows.mend import mend, tell

        raise typer.Exit(tell(folder, mend(folder, repair=repair), Console(soft_wrap=True)))
    from flows.doctor import collect, render

    render(collect(), Console())


@app.command("list")
def list_bundled(
    what: Annotated[str, typer.Argument(help="hosts | guests | force-fields")],
) -> None:
    """List what is bundled."""
    from chem.force_fields import bundled_force_fields
    from chem.guests import bundled_guests
    from chem.hosts import bundled_hosts
    from data.errors import SettingsError

    known = {
        "hosts": bundled_hosts,
        "guests": bundled_guests,
        "force-fields": bundled_force_fields,
    }
    if what not in known:
        raise SettingsError(f"Cannot list {what!r}; choose one of {', '.join(known)}.")
    if sys.stdout.isatty():
        from rich.console import Console

        from flows.show import list_table

        Console().print(list_table(what))
    else:
        typer.echo("\n".join(known[what]()))


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="bundled host, guest or force field, or a file")],
) -> None:
    """Print parameters and sources of a host, guest or force field."""
    from rich.console import Console

    from flows.show import show as show_named

    show_named(name, Console())


register(app)
register_upgrade(app)
register_screen(app)
app.add_typer(models)
app.add_typer(hosts)
app.add_typer(campaign)
app.add_typer(cluster_commands)
app.add_typer(ui)


def main() -> None:
    """Run the command line; bad input ends with status 2 and one paragraph."""
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    from flows.server_settings import quiet_environment

    quiet_environment()
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        app(standalone_mode=True)
    except InputError as error:
        _fail(error, EXIT_BAD_INPUT)
    except WidomillError as error:
        _fail(error, EXIT_FAILURE)
    except MemoryError as error:
        told = f" ({error})" if str(error) else ""
        words = f"Not enough memory{told}. Use fewer --workers or a machine with more. {KEPT}"
        _fail(WidomillError(words), EXIT_FAILURE)
    except Exception as error:
        short: StorageError | None = shortage_of(error)
        if short is None:
            raise
        _fail(short, EXIT_FAILURE)
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        typer.echo("Stopped. Run the same command again to go on from here.", err=True)
        sys.exit(130)


def _as_interrupt(number: int, frame: object) -> None:
    """Let SIGTERM end a run the way Ctrl-C does: workers ended, files whole, a word on going on."""
    raise KeyboardInterrupt


def _fail(error: WidomillError, status: int) -> None:
    typer.echo(f"{type(error).__name__}: {error}", err=True)
    sys.exit(status)
