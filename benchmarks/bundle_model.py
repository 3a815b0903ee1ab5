"""Put a model of the registry among those that come with the package: card and weights.

    python benchmarks/bundle_model.py sources-5400264f core-mof-co2 --sources "CoRE MOF 2019 ..."

The labels stay behind. The card gets the new name, the hash of the weights and a line that says
whose structures the model learned from.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace

from ml.registry import WEIGHTS, bundled_folder, checked_folder, files_hash, write_card


def main() -> int:
    """Copy a model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", help="its name in the registry")
    parser.add_argument("name", help="what it is to be called")
    parser.add_argument("--sources", required=True, help="whose structures, and their licence")
    parser.add_argument("--charges", help="host charges, where the card does not say")
    arguments = parser.parse_args()
    card, path = checked_folder(arguments.model)
    folder = bundled_folder() / arguments.name
    folder.mkdir(parents=True)
    shutil.copy(path / WEIGHTS, folder / WEIGHTS)
    settings = card.settings | {"sources": arguments.sources}
    if arguments.charges:
        settings["charges"] = arguments.charges
    write_card(
        replace(card, name=arguments.name, hash=files_hash(folder), settings=settings), folder
    )
    print(f"{folder}: {card.labels} labels of {len(card.hosts)} hosts")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
