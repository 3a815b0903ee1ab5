"""Hosts, guests, force fields, kernels, references and the estimator."""

from pathlib import Path

from chem.kernel_cache import use_own_folder

use_own_folder(Path(__file__).parent)
