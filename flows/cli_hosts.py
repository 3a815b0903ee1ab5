"""`widomill hosts`: check structures before they are screened, collections, hypothetical hosts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.cli_options import JsonOutput, Seed

hosts = typer.Typer(
    name="hosts", no_args_is_help=True, help="Hosts to screen: import, collections, build."
)
Names = Annotated[list[str] | None, typer.Option(help="building block; repeatable")]
StripSolvent = Annotated[
    bool,
    typer.Option("--strip-solvent", help="leave unbound molecules out of the copies"),
]


@hosts.command("import")
def import_(
    places: Annotated[
        list[str],
        typer.Argument(metavar="DIR|FILE|COLLECTION...", help="folders, CIF files, collections"),
    ],
    out: Annotated[Path, typer.Option(help="folder for hosts/ and the catalogue")] = Path(
        "imported"
    ),
    strip_solvent: StripSolvent = False,
    cutoff_angstrom: Annotated[
        float, typer.Option(help="note cells thinner than this, angstrom", min=0.0)
    ] = 12.0,
    json_output: JsonOutput = False,
) -> None:
    """Check structures one by one, copy the sound ones and write a catalogue with reasons."""
    from data.store import plain
    from flows.hosts import import_places, print_import, summary_of

    imported = import_places(
        places, out, strip_solvent=strip_solvent, cutoff_angstrom=cutoff_angstrom
    )
    if json_output:
        typer.echo(json.dumps(plain(summary_of(imported)), allow_nan=False))
    else:
        print_import(imported)


@hosts.command()
def collections(json_output: JsonOutput = False) -> None:
    """List the collections of hosts with licence, citation and whether they are installed."""
    from data.store import plain
    from flows.hosts import collection_facts, collection_lines

    if json_output:
        typer.echo(json.dumps(plain({"collections": collection_facts()})))
    else:
        typer.echo("\n".join(collection_lines()))


@hosts.command()
def build(
    topology: Annotated[str, typer.Option(help="net, such as pcu, dia, fcu")] = "pcu",
    nodes: Names = None,
    edges: Names = None,
    number: Annotated[int, typer.Option(help="hosts wanted", min=1, max=100_000)] = 10,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="folder for hosts/ and the catalogue")] = Path("built"),
    json_output: JsonOutput = False,
) -> None:
    """Build hypothetical hosts on a net from building blocks, keep those that pass the checks."""
    from data.store import plain
    from flows.hosts import build_hosts, print_import, summary_of

    built = build_hosts(topology, nodes or [], edges or [], number, seed, out)
    if json_output:
        typer.echo(json.dumps(plain(summary_of(built)), allow_nan=False))
    else:
        print_import(built)
