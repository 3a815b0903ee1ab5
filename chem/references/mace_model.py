"""A MACE model file: found, checked against its SHA-256, loaded quietly, called on graphs.

A model file is a Python pickle, which can run code when it is opened. Its hash is therefore
checked first, and a file nobody vouches for is not opened.

MACE: Batatia et al., NeurIPS 2022. MACE-DAC-1: a MACE-MP-0 fine-tuned on DFT energies of CO2 and
H2O in MOFs, shipped in the ``dac-sim`` package (MIT).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chem.references.mace_graph import Edges
from chem.references.mace_kernel import MaceKernel, supported
from data.errors import ReferenceLevelError

MACE_DAC_SHA256 = "6c31634523ce89f843f8286ebcf841d9a18ab3f2cb505bd52ca1e3e189c34791"
KERNEL_TOLERANCE_EV = {"float32": 1e-4, "float64": 1e-9}
_LOADING = threading.Lock()  # filters and standard output belong to the whole process
MACE_DAC_GUESTS = (("C", "O", "O"), ("H", "H", "O"))
"""Elements, sorted, of the guests of its training set: CO2 and H2O."""
TRUSTED_SHA256 = {MACE_DAC_SHA256: "MACE-DAC-1"}


def mace_dac_path() -> Path:
    """Return the MACE-DAC-1 model file inside the installed ``dac-sim`` package.

    The package itself is not imported: it asks for more than the model file needs.

    Raises:
        ReferenceLevelError: the package or the file is not there.
    """
    spec = importlib.util.find_spec("dac_sim")
    if spec is None or not spec.submodule_search_locations:
        raise ReferenceLevelError(
            "Reference mace-dac needs the model file from the dac-sim package, which is not "
            "installed. Install it with: pip install --no-deps dac-sim==0.0.3"
        )
    path = Path(spec.submodule_search_locations[0]) / "models" / "mace-dac-1.model"
    if not path.is_file():
        raise ReferenceLevelError(
            f"Reference mace-dac expects its model at {path}, and there is no such file. "
            "Reinstall it with: pip install --no-deps --force-reinstall dac-sim==0.0.3"
        )
    return path


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_model_file(path: Path, *, trust_model_file: bool = False) -> str:
    """Return a model file's SHA-256 after making sure that it may be opened.

    Args:
        path: the model file.
        trust_model_file: whether the user vouches for a file of unknown hash.

    Raises:
        ReferenceLevelError: no such file, or its hash is unknown and nobody vouches for it.
    """
    if not path.is_file():
        raise ReferenceLevelError(f"There is no MACE model file at {path}.")
    sha256 = file_sha256(path)
    if sha256 not in TRUSTED_SHA256 and not trust_model_file:
        raise ReferenceLevelError(
            f"The model file {path} has SHA-256 {sha256}, which widomill does not know. Such a "
            "file is a pickle and can run any code when it is opened. If you trust where it came "
            "from, pass --trust-model-file."
        )
    return sha256


@dataclass(frozen=True)
class Graph:
    """One structure as the model takes it.

    Attributes:
        species: (n,) indices into the model's element table.
        positions_angstrom: (n, 3) positions.
        edges: directed edges within the cutoff.
    """

    species: np.ndarray
    positions_angstrom: np.ndarray
    edges: Edges


class MaceModel:
    """A loaded MACE model that gives node energies and forces of explicit graphs.

    Args:
        path: model file, already checked with ``check_model_file``.
        device: "cpu", "cuda", or "auto" for CUDA where there is one.
        dtype: "float32" or "float64".
        fast: whether ``mace_kernel`` may be used where it knows the model's make.
    """

    def __init__(
        self, path: Path, *, device: str = "auto", dtype: str = "float32", fast: bool = True
    ) -> None:
        import torch

        chosen = device
        if device == "auto":
            chosen = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(chosen)
        self.dtype_name = dtype
        self.dtype = {"float32": torch.float32, "float64": torch.float64}[dtype]
        model = _load_quietly(path)
        self.module = model.to(device=self.device, dtype=self.dtype).eval()
        for parameter in self.module.parameters():
            parameter.requires_grad_(False)
        self.cutoff_angstrom = float(model.r_max)
        self._numbers = [int(z) for z in model.atomic_numbers]
        self._one_hot = torch.eye(len(self._numbers), dtype=self.dtype, device=self.device)
        heads = [str(head).lower() for head in getattr(model, "heads", None) or ["default"]]
        self._kernel = MaceKernel(self.module) if fast and supported(self.module) else None
        self._kernel_checked = False
        self._head = heads.index("default") if "default" in heads else len(heads) - 1

    @property
    def uses_kernel(self) -> bool:
        """Whether the fast evaluation is in use."""
        return self._kernel is not None

    def species(self, elements: Sequence[str]) -> np.ndarray:
        """Return the model's index of each element.

        Raises:
            ReferenceLevelError: the model does not know an element.
        """
        from ase.data import atomic_numbers

        unknown = sorted({e for e in elements if atomic_numbers[e] not in self._numbers})
        if unknown:
            raise ReferenceLevelError(
                f"The MACE model knows no {', '.join(unknown)}. Choose another reference level."
            )
        return np.array([self._numbers.index(atomic_numbers[e]) for e in elements])

    def evaluate(
        self, graphs: Sequence[Graph], *, forces: bool = False
    ) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Return node energies in eV and, where asked, forces in eV/angstrom, per graph.

        Node energies are summed by the caller in double precision: differences between a graph
        and a part of it then lose nothing to the size of the total.
        """
        import torch

        data = self._collate(graphs)
        species = np.concatenate([g.species for g in graphs])
        if self._kernel is not None and not self._kernel_checked:
            self._check_kernel(data, species)
        with torch.enable_grad() if forces else torch.no_grad():
            if self._kernel is None:
                out = self.module(data, training=False, compute_force=forces)
                nodes, all_forces = out["node_energy"], out["forces"]
            else:
                positions = data["positions"].requires_grad_(forces)
                nodes, all_forces = self._kernel.node_energies(data, species), None
                if forces:
                    all_forces = -torch.autograd.grad(nodes.sum(), positions)[0]
        sizes = np.cumsum([len(g.species) for g in graphs])[:-1]
        energies = np.split(nodes.detach().double().cpu().numpy(), sizes)
        if all_forces is None:
            return [(e, None) for e in energies]
        split = np.split(all_forces.detach().double().cpu().numpy(), sizes)
        return list(zip(energies, split, strict=True))

    def invariant_features(self, graph: Graph) -> np.ndarray:
        """Return the (n, d) node features of all layers that no rotation changes, float32."""
        import torch

        with torch.no_grad():
            out = self.module(self._collate([graph]), training=False, compute_force=False)
        layers = [product.linear.irreps_out for product in self.module.products]
        parts, start = [], 0
        for irreps in layers:
            parts += [
                out["node_feats"][:, start + where.start : start + where.stop]
                for one, where in zip(irreps, irreps.slices(), strict=True)
                if one.ir.l == 0
            ]
            start += irreps.dim
        return np.asarray(torch.cat(parts, dim=1).cpu().numpy(), dtype=np.float32)

    def _check_kernel(self, data: dict[str, Any], species: np.ndarray) -> None:
        """Compare the fast evaluation with the model's own once, and drop it if they differ."""
        import torch

        kernel, self._kernel_checked = self._kernel, True
        with torch.no_grad():
            own = self.module(dict(data), training=False, compute_force=False)["node_energy"]
            try:
                fast = kernel.node_energies(data, species) if kernel is not None else own
            except (RuntimeError, TypeError, AttributeError, IndexError, ValueError):
                self._kernel = None
                return
        if float((fast - own).abs().max()) > KERNEL_TOLERANCE_EV[self.dtype_name]:
            self._kernel = None

    def _collate(self, graphs: Sequence[Graph]) -> dict[str, Any]:
        import torch

        sizes = [len(g.species) for g in graphs]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        edges = graphs[0].edges
        for start, graph in zip(starts[1:], graphs[1:], strict=False):
            edges = edges + graph.edges.moved(int(start))

        def whole(array: np.ndarray) -> Any:
            return torch.as_tensor(array, dtype=torch.long, device=self.device)

        def real(array: np.ndarray) -> Any:
            return torch.tensor(array, dtype=self.dtype, device=self.device)

        return {
            "positions": real(np.vstack([g.positions_angstrom for g in graphs])),
            "node_attrs": self._one_hot[whole(np.concatenate([g.species for g in graphs]))],
            "edge_index": whole(np.stack([edges.senders, edges.receivers])),
            "shifts": real(edges.shifts_angstrom),
            "unit_shifts": real(np.zeros_like(edges.shifts_angstrom)),
            "cell": real(np.zeros((3 * len(graphs), 3))),
            "batch": whole(np.repeat(np.arange(len(graphs)), sizes)),
            "ptr": whole(starts),
            "head": whole(np.full(len(graphs), self._head)),
        }


def set_torch_threads(threads: int) -> None:
    """Set torch's threads; not put back, since other threads of the process may be computing."""
    import torch

    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what torch, e3nn and mace say about their own internals while they load."""
    with warnings.catch_warnings():
        for message in (
            r"`?torch\.jit\.",
            "Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD",
            "The TorchScript type system doesn't support instance-level annotations",
            r".*weights_only=False",
        ):
            warnings.filterwarnings("ignore", message=message)
        yield


def _load_quietly(path: Path) -> Any:
    import torch

    with _LOADING, _quiet(), contextlib.redirect_stdout(io.StringIO()):
        if importlib.util.find_spec("mace") is None:
            raise ReferenceLevelError(
                "MACE references need the mace-torch package, which is not installed. "
                "Install it with: pip install mace-torch"
            )
        try:
            return torch.load(path, map_location="cpu", weights_only=False)
        except Exception as error:
            raise ReferenceLevelError(
                f"The file {path} could not be loaded as a MACE model: {error}"
            ) from error
