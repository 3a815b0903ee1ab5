"""`widomill models`: models that carry over between hosts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli_options import JsonOutput

models = typer.Typer(
    name="models", no_args_is_help=True, help="Models trained on many hosts, to start a run from."
)


@models.command("list")
def list_all(json_output: JsonOutput = False) -> None:
    """List the models with reference, guest, hosts and labels."""
    from dataclasses import asdict

    from data.store import plain
    from ml.registry import list_models

    cards = list_models()
    if json_output:
        typer.echo(json.dumps(plain({"models": [asdict(card) for card in cards]})))
        return
    for card in cards:
        typer.echo(
            f"{card.name}  {card.guest_names}, {card.reference}, {len(card.hosts)} hosts, "
            f"{card.labels} labels, {card.created}, {card.hash}"
        )


@models.command()
def show(
    name: Annotated[str, typer.Argument(help="a model")], json_output: JsonOutput = False
) -> None:
    """Print where a model comes from and how well it predicts; its files are checked."""
    from dataclasses import asdict

    from data.store import plain
    from flows.show_models import model_lines
    from ml.registry import checked_folder

    card, folder = checked_folder(name)
    if json_output:
        typer.echo(json.dumps(plain(asdict(card)), allow_nan=False))
    else:
        typer.echo("\n".join(model_lines(card, folder)))


@models.command()
def train(
    name: Annotated[str, typer.Argument(help="what the model is to be called")],
    run_dir: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR", help="finished runs to learn from")
    ] = None,
    hosts: Annotated[
        list[str] | None, typer.Option(help="host to label and learn from; repeatable")
    ] = None,
    guest: Annotated[
        list[str] | None, typer.Option(help="guest, for --hosts; repeatable; CO2 by default")
    ] = None,
    reference: Annotated[str, typer.Option(help="reference level, for --hosts")] = "mace-dac",
    force_field: Annotated[str, typer.Option(help="baseline, for --hosts")] = "UFF",
    charges: Annotated[str, typer.Option(help="host charges, for --hosts")] = "cif",
    temperature_k: Annotated[float, typer.Option(help="temperature in K, for --hosts")] = 298.15,
    labels: Annotated[int, typer.Option(help="labels for each of --hosts")] = 50,
    sources: Annotated[Path, typer.Option(help="folder for --hosts, one below by guest")] = Path(
        "runs/sources"
    ),
    members: Annotated[
        int | None,
        typer.Option(
            help="networks; by default 5, or 2 where atoms are not described", min=1, max=16
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="random seed", min=0)] = 0,
) -> None:
    """Train a model on finished runs, on hosts labelled now, or both."""
    from flows import models as made
    from flows.show_models import model_lines
    from ml.registry import check_name, model_path

    check_name(name)
    folders = [path.absolute() for path in run_dir or []]
    for one in guest or ["CO2"]:
        folders += made.label_hosts(
            hosts or [],
            sources / Path(one).stem,
            labels,
            typer.echo,
            guest=one,
            reference=reference,
            force_field=force_field,
            charges=charges,
            temperatures_k=(temperature_k,),
            seed=seed,
        )
    card = made.train(name, folders, seed=seed, members=members, say=typer.echo)
    typer.echo("\n".join(model_lines(card, model_path(name))))


@models.command()
def evaluate(
    name: Annotated[str, typer.Argument(help="a model")],
    run_dir: Annotated[list[Path], typer.Argument(metavar="DIR", help="runs to hold it against")],
    seed: Annotated[int, typer.Option(help="seed of what is held out", min=0)] = 0,
    json_output: JsonOutput = False,
) -> None:
    """Print the errors on runs' labels, before and after n labels of their own."""
    from data.store import plain
    from flows import models as made
    from flows.show_models import evaluation_lines

    found = [made.evaluate(name, path.absolute(), seed=seed) for path in run_dir]
    if json_output:
        typer.echo(json.dumps(plain({"evaluations": found}), allow_nan=False))
    else:
        typer.echo("\n".join(line for one in found for line in evaluation_lines(one)))
