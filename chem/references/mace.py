"""MACE potentials as references, called on explicit graphs instead of through a calculator.

The host's edges are found once. An insertion adds the edges between guest and host and, in small
cells, between the guest and its own images. The interaction energy is a sum of node-energy
differences,

    U = sum_i (e_i[host+guest] - e_i[host]) + sum_j (e_j[host+guest] - e_j[guest images]),

accumulated in double precision, so the size of the total energy costs no digits.

Measured on one core (AVX-512 Xeon, torch 2.13.0) for MACE-DAC-1 with D3, CO2 in CALF-20, 47
atoms and 2,540 edges, seconds per label:

    ==============================  ======  ===========
    evaluation                      energy  with forces
    ==============================  ======  ===========
    ``mace_kernel``, float32         0.04        0.12
    ``mace_kernel``, float64         0.07        0.25
    the model's forward, float32     0.18        0.46
    the model's forward, float64     0.43        1.17
    ==============================  ======  ===========

Over sixteen insertions from -39 to +12 kJ/mol single precision stayed within 0.0005 kJ/mol of
double precision, so it is the default. More insertions per call gain nothing on a CPU, which gets
one at a time: its labels do not depend on how insertions are grouped. On an H200, 27 per call,
an energy without D3 takes 1 ms and one with forces 3 ms.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from chem.references.cells import LabelCell, label_cell
from chem.references.contract import LabelResult, failed_label, net_force_and_torque
from chem.references.dispersion import DispersionInteraction
from chem.references.mace_graph import Edges, HostGraph
from chem.references.mace_model import Graph, MaceModel, set_torch_threads
from data.constants import KJ_PER_MOL_PER_EV
from data.records import Guest, Host, content_hash

CUDA_EDGES_PER_CALL = 60_000


@dataclass(frozen=True)
class MaceLevel:
    """What makes a MACE level the level it is.

    Attributes:
        name: as the user wrote it.
        sha256: hash of the model file.
        dispersion: whether D3(BJ, PBE) is added.
        dtype: "float32" or "float64".
        threads: torch threads; not part of the key.
        fitted_guests: element symbols of each guest the model was fitted to; empty where unknown.
    """

    name: str
    sha256: str
    dispersion: bool
    dtype: str = "float32"
    threads: int = 1
    fitted_guests: tuple[tuple[str, ...], ...] = ()

    def warnings(self, guest: Guest) -> tuple[str, ...]:
        """A warning where the model was fitted to other guests than this one."""
        if not self.fitted_guests or tuple(sorted(guest.atom_elements)) in self.fitted_guests:
            return ()
        return (
            f"{self.name} was fitted to other guests than {guest.name}, whose energies it "
            "extrapolates: they can be off by tens of kJ/mol, K_H by powers of ten",
        )

    @property
    def key(self) -> str:
        """Content hash of the level."""
        packages = ["mace-torch", "dftd3"] if self.dispersion else ["mace-torch"]
        versions = tuple((package, version(package)) for package in packages)
        return content_hash("mace", self.sha256, self.dispersion, self.dtype, versions)


class MaceReference:
    """A MACE model bound to a host and a guest; the guest's real atoms are what it sees.

    Args:
        level: name, model hash, dispersion, precision, threads.
        model: the loaded model.
        cell: the label cell.
        guest: the molecule.

    Attributes:
        insertions_per_call: insertions per call of the model; one on a CPU.
    """

    atomistic = True
    slow = False

    def __init__(self, level: MaceLevel, model: MaceModel, cell: LabelCell, guest: Guest) -> None:
        self.name = level.name
        self.level_key = level.key
        self.key = content_hash(level.key, cell.replication)
        self.cell_note = cell.note
        self.image_distance_angstrom = cell.image_distance_angstrom
        self.warnings = level.warnings(guest) + cell.warnings
        self._level, self._model, self._cell, self._guest = level, model, cell, guest
        host = cell.host
        self._species = model.species(host.elements + guest.atom_elements)
        radius = float(np.linalg.norm(guest.atom_positions_angstrom, axis=1).max(initial=0.0))
        self._graph = HostGraph(
            host.positions_angstrom, host.lattice_angstrom, model.cutoff_angstrom, radius
        )
        set_torch_threads(level.threads)
        self._host_energies = model.evaluate([self._host_graph()])[0][0]
        self._isolated_energies = model.evaluate([self._isolated_guest_graph()])[0][0]
        on_gpu = model.device.type == "cuda"
        edges = max(1, len(self._graph.edges.senders))
        self.insertions_per_call = max(1, CUDA_EDGES_PER_CALL // edges) if on_gpu else 1
        self._dispersion = None
        if level.dispersion:
            self._dispersion = DispersionInteraction(
                host.elements, self._graph.positions, host.lattice_angstrom, guest.atom_elements
            )

    def for_host(
        self, host: Host, guest: Guest, replication: tuple[int, int, int] | None = None
    ) -> MaceReference:
        """Return the same level for another host; see ``contract.Reference``."""
        cell = label_cell(host, guest, replication)
        return MaceReference(self._level, self._model, cell, guest)

    def interaction_energies(
        self, fractional: np.ndarray, quaternions: np.ndarray, *, forces: bool = False
    ) -> list[LabelResult]:
        """Label insertions; see ``contract.Reference``."""
        positions, origins = self._cell.guest_atoms(self._guest, fractional, quaternions)
        home = self._graph.shift_home(origins)
        positions, origins = positions + home[:, None, :], origins + home
        results: list[LabelResult] = []
        set_torch_threads(self._level.threads)
        for start in range(0, len(origins), self.insertions_per_call):
            some = slice(start, start + self.insertions_per_call)
            results += self._label(positions[some], origins[some], forces)
        return results

    def _label(self, guests: np.ndarray, origins: np.ndarray, forces: bool) -> list[LabelResult]:
        began = time.perf_counter()
        try:
            pairs = self._energies_and_forces(guests, forces)
        except (RuntimeError, ValueError, MemoryError) as error:
            seconds = (time.perf_counter() - began) / len(guests)
            return [failed_label(f"{type(error).__name__}: {error}", seconds) for _ in guests]
        seconds = (time.perf_counter() - began) / len(guests)
        return [
            _result(energy, atom_forces, positions, origin, seconds)
            for (energy, atom_forces), positions, origin in zip(pairs, guests, origins, strict=True)
        ]

    def _energies_and_forces(
        self, guests: np.ndarray, forces: bool
    ) -> list[tuple[float, np.ndarray | None]]:
        found = [self._graph.guest_edges(g) for g in guests]
        alone = self._guest_alone(guests, found, forces)
        n = len(self._host_energies)
        both = self._model.evaluate(
            [self._insertion_graph(g, e) for g, (e, _) in zip(guests, found, strict=True)],
            forces=forces,
        )
        out: list[tuple[float, np.ndarray | None]] = []
        for guest, (nodes, every), (own, own_forces) in zip(guests, both, alone, strict=True):
            change = (nodes[:n] - self._host_energies).sum() + (nodes[n:] - own).sum()
            energy = float(change) * KJ_PER_MOL_PER_EV
            guest_forces = None
            if every is not None and own_forces is not None:
                guest_forces = (every[n:] - own_forces) * KJ_PER_MOL_PER_EV
            if self._dispersion is not None:
                tail, tail_forces = self._dispersion.interaction(guest, forces=forces)
                energy += tail
                if guest_forces is not None and tail_forces is not None:
                    guest_forces = guest_forces + tail_forces
            out.append((energy, guest_forces))
        return out

    def _guest_alone(
        self, guests: np.ndarray, found: Sequence[tuple[Edges, bool]], forces: bool
    ) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Node energies of the guest and its images; constant where no image is in reach.

        Forces inside a rigid guest add up to no net force and no torque, so without image edges
        they may be left at zero.
        """
        species = self._species[len(self._host_energies) :]
        out: list[tuple[np.ndarray, np.ndarray | None]] = []
        for guest, (edges, reaches_image) in zip(guests, found, strict=True):
            if reaches_image:
                out += self._model.evaluate([Graph(species, guest, edges)], forces=forces)
                continue
            out.append((self._isolated_energies, np.zeros_like(guest) if forces else None))
        return out

    def _host_graph(self) -> Graph:
        n = len(self._graph.positions)
        return Graph(self._species[:n], self._graph.positions, self._graph.edges)

    def _isolated_guest_graph(self) -> Graph:
        body = self._guest.atom_positions_angstrom
        edges, _ = self._graph.guest_edges(body)
        inside = np.all(edges.shifts_angstrom == 0.0, axis=1)
        own = Edges(edges.senders[inside], edges.receivers[inside], edges.shifts_angstrom[inside])
        return Graph(self._species[len(self._graph.positions) :], body, own)

    def _insertion_graph(self, guest: np.ndarray, guest_edges: Edges) -> Graph:
        n = len(self._graph.positions)
        edges = self._graph.edges + self._graph.guest_host_edges(guest) + guest_edges.moved(n)
        return Graph(self._species, np.vstack([self._graph.positions, guest]), edges)


def _result(
    energy: float,
    atom_forces: np.ndarray | None,
    positions: np.ndarray,
    origin: np.ndarray,
    seconds: float,
) -> LabelResult:
    if not np.isfinite(energy):
        return failed_label(f"the model gave {energy} kJ/mol", seconds)
    if atom_forces is None:
        return LabelResult(energy, None, None, "ok", "", seconds)
    force, torque = net_force_and_torque(atom_forces, positions, origin)
    return LabelResult(energy, force, torque, "ok", "", seconds)
