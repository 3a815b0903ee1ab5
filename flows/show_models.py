"""What is printed about a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml.registry import Card


def model_lines(card: Card, folder: Path) -> list[str]:
    """Return what a person wants to know of a model.

    Args:
        card: its card.
        folder: where it is.
    """
    settings = ", ".join(f"{key} {value}" for key, value in card.settings.items())
    lines = [
        f"{card.name}  (hash {card.hash}, made {card.created}, in {folder})",
        f"reference   {card.reference}, key {card.reference_key}",
        *(f"guest       {guest}, hash {guest.hash}" for guest in card.guests),
        f"baseline    {card.force_field}; labels weighted at {card.temperature_k:g} K",
        f"settings    {settings}",
        f"versions    {', '.join(f'{k} {v}' for k, v in card.versions.items())}",
        "",
        "rms of reference - baseline, and of reference - prediction from the other hosts, kJ/mol:",
    ]
    several = len(card.guests) > 1
    for host in card.hosts:
        name = f"{host.guest} in {host.name}" if several else host.name
        known = host.held_out_rms_kj_per_mol
        shown = "-" if known is None else f"{known:.2f}"
        lines.append(
            f"  {name:20s} {host.labels:5d} labels  {host.raw_rms_kj_per_mol:6.2f}  "
            f"{shown:>6s}  {' '.join(host.elements)}  {host.hash}"
        )
    for one in card.evaluations:
        lines += ["", *evaluation_lines(one)]
    return lines


def evaluation_lines(found: dict[str, Any]) -> list[str]:
    """Return the figures of one evaluation.

    Args:
        found: what ``flows.models.evaluate`` returned.
    """
    seen = " (the model was trained on this host)" if found["seen_in_training"] else ""
    lines = [
        f"{found['guest']} in {found['host']}{seen}, {found['test_labels']} labels held out, "
        f"{found['date']}: rms "
        f"{found['baseline_rms_kj_per_mol']:.2f} kJ/mol by the baseline, "
        f"{found['model_rms_kj_per_mol']:.2f} by the model"
    ]
    for row in found["own_labels"]:
        lines.append(
            f"  with {row['own_labels']:3d} labels of its own: {row['without']:.2f} without the "
            f"model, {row['with']:.2f} with it"
        )
    return lines
