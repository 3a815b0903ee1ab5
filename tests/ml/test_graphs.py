"""The geometry against brute force, ASE and calculus."""

import itertools

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.neighborlist import neighbor_list

from ml.graphs import (
    GuestSites,
    HostArrays,
    RadialBasis,
    SiteNeighbours,
    host_edges,
    host_images,
    place_sites,
    rotation_matrices,
)

LATTICE = np.array([[5.1, 0.0, 0.0], [1.7, 4.6, 0.0], [-0.9, 1.3, 5.8]])
POSITIONS = np.array([[0.1, 0.2, 0.3], [2.4, 1.1, 3.0], [6.9, 4.1, -1.2], [0.4, 3.0, 2.2]])
HOST = HostArrays(LATTICE, POSITIONS, np.array([30, 8, 8, 6]))


def brute_force_distances(site: np.ndarray, cutoff: float) -> list[tuple[int, float]]:
    found = []
    for shift in itertools.product(range(-4, 5), repeat=3):
        for atom, place in enumerate(POSITIONS):
            distance = float(np.linalg.norm(place + np.array(shift) @ LATTICE - site))
            if distance < cutoff:
                found.append((atom, round(distance, 9)))
    return sorted(found)


@pytest.mark.parametrize("cutoff", [3.0, 7.5])
def test_sites_see_the_images_that_a_loop_over_cells_finds(cutoff: float) -> None:
    neighbours = SiteNeighbours.build(HOST, cutoff)
    sites = np.random.default_rng(0).uniform(-9.0, 9.0, size=(20, 3))
    wrapped, images = neighbours.lookup(torch.as_tensor(sites))
    distances = torch.linalg.norm(neighbours.images[images] - wrapped.unsqueeze(1), dim=2)
    for site, row, indices in zip(sites, distances, images, strict=True):
        atoms = neighbours.atoms[indices]
        seen = [(int(a), round(float(d), 9)) for a, d in zip(atoms, row, strict=True) if d < cutoff]
        assert sorted(seen) == brute_force_distances(site, cutoff)


def test_host_edges_are_those_of_ase() -> None:
    receivers, senders, distances = host_edges(HOST, 6.5)
    atoms = Atoms(numbers=HOST.atomic_numbers, positions=POSITIONS, cell=LATTICE, pbc=True)
    i, j, d = neighbor_list("ijd", atoms, 6.5)
    ours = sorted(
        zip(receivers.tolist(), senders.tolist(), np.round(distances.numpy(), 8), strict=True)
    )
    theirs = sorted(zip(i.tolist(), j.tolist(), np.round(d, 8), strict=True))
    assert ours == theirs


def test_images_copy_their_atoms() -> None:
    images, atoms = host_images(HOST, 4.0)
    shifts = (images - POSITIONS[atoms]) @ np.linalg.inv(LATTICE)
    np.testing.assert_allclose(shifts, np.round(shifts), atol=1e-9)


def test_basis_ends_with_two_continuous_derivatives() -> None:
    basis = RadialBasis(5.0, 1.5, 8)
    edge = torch.tensor(5.0 - 1e-6, dtype=torch.float64, requires_grad=True)
    value = basis(edge).sum()
    (slope,) = torch.autograd.grad(value, edge, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, edge)
    assert abs(float(value.detach())) < 1e-15
    assert abs(float(slope.detach())) < 1e-9
    assert abs(float(curvature)) < 1e-4
    assert torch.count_nonzero(basis(torch.tensor([5.0, 5.5, 1e4]))) == 0


def test_rotations_are_proper_and_follow_the_quaternion_convention() -> None:
    quaternions = torch.as_tensor(np.random.default_rng(1).normal(size=(30, 4)))
    quaternions = quaternions / quaternions.norm(dim=1, keepdim=True)
    matrices = rotation_matrices(quaternions)
    eye = torch.eye(3, dtype=torch.float64).expand(30, 3, 3)
    torch.testing.assert_close(matrices @ matrices.mT, eye)
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(30, dtype=torch.float64))
    quarter_about_z = torch.tensor([[np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]])
    turned = rotation_matrices(quarter_about_z)[0] @ torch.tensor([1.0, 0.0, 0.0]).double()
    torch.testing.assert_close(turned, torch.tensor([0.0, 1.0, 0.0]).double())


def test_sites_are_the_rotated_body_at_the_fractional_position() -> None:
    body = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 1.2]], dtype=torch.float64)
    identity = torch.tensor([[1.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    fractional = torch.tensor([[0.25, 0.5, 0.75]], dtype=torch.float64)
    sites, arms = place_sites(torch.as_tensor(LATTICE), body, fractional, identity)
    expected = np.array([0.25, 0.5, 0.75]) @ LATTICE + body.numpy()
    np.testing.assert_allclose(sites[0].numpy(), expected)
    np.testing.assert_allclose(arms[0].numpy(), body.numpy())


def test_site_types_are_indexed_by_name() -> None:
    guest = GuestSites(("O", "C", "O"), np.zeros((3, 3)))
    assert guest.type_names == ("C", "O")
    assert guest.type_index.tolist() == [1, 0, 1]
