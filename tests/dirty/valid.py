"""Valid files that the dirty ones are made from, as text."""

from __future__ import annotations

import json

CELL = "10.1 11.2 12.3 90 95 90"
ROWS = (
    "Zn1 Zn 0.1 0.2 0.3 1 0.8",
    "O1 O 0.28 0.2 0.3 1 -0.5",
    "C1 C 0.4 0.2 0.31 1 0.3",
    "N1 N 0.4 0.32 0.31 1 -0.4",
    "H1 H 0.48 0.34 0.3 1 0.1",
    "Cl1 Cl 0.1 0.2 0.48 1 -0.3",
)
COLUMNS = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy", "charge")
OPERATIONS = ("x,y,z",)


def cif(
    rows=ROWS, cell=CELL, columns=COLUMNS, operations=OPERATIONS, group="'P 1'", name="data_dirty"
) -> str:
    """A CIF; every part can be replaced by something wrong."""
    names = [f"_cell_length_{x}" for x in "abc"]
    names += [f"_cell_angle_{x}" for x in ("alpha", "beta", "gamma")]
    lines = [name]
    lines += [f"_symmetry_space_group_name_H-M {group}"] if group else []
    lines += [f"{key} {value}" for key, value in zip(names, cell.split(), strict=False)]
    if operations:
        lines += ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{one}'" for one in operations)]
    lines += ["loop_", *(f"_atom_site_{column}" for column in columns), *rows]
    return "\n".join(lines) + "\n"


FORCE_FIELD_YAML = """\
name: dirty
source: made up
types:
  Zn: [62.4, 2.46]
  O: [30.2, 3.12]
  C: [52.8, 3.43]
  N: [34.7, 3.26]
  H: [22.1, 2.57]
  Cl: [114.2, 3.52]
charges: {Zn: 0.8}
guest_types: {C_co2: [27.0, 2.8]}
guest_charges: {O_co2: -0.35}
pairs:
  - {types: [O_co2, Zn], epsilon_k: 50.0, sigma_angstrom: 3.0}
truncation: shifted
cutoff_angstrom: 12.0
"""
FORCE_FIELD_JSON = json.dumps(
    {
        "MixingRule": "Lorentz-Berthelot",
        "TruncationMethod": "shifted",
        "TailCorrections": False,
        "CutOffVDW": 12.0,
        "PseudoAtoms": [
            {"name": "Zn", "framework": True, "element": "Zn", "charge": 0.8, "mass": 65.4},
            {"name": "O_co2", "framework": False, "element": "O", "charge": -0.35, "mass": 16.0},
        ],
        "SelfInteractions": [
            {"name": "Zn", "type": "lennard-jones", "parameters": [62.4, 2.46]},
            {"name": "O_co2", "type": "lennard-jones", "parameters": [79.0, 3.05]},
        ],
        "BinaryInteractions": [
            {"names": ["Zn", "O_co2"], "type": "lennard-jones", "parameters": [50.0, 3.0]}
        ],
    },
    indent=1,
)
GUEST_YAML = """\
name: dirty-co2
source: made up
sites:
  - {type: C_co2, element: C, position_angstrom: [0, 0, 0], epsilon_k: 27.0, sigma_angstrom: 2.8, charge_e: 0.7}
  - {type: O_co2, element: O, position_angstrom: [0, 0, 1.16], epsilon_k: 79.0, sigma_angstrom: 3.05, charge_e: -0.35}
  - {type: O_co2, element: O, position_angstrom: [0, 0, -1.16], epsilon_k: 79.0, sigma_angstrom: 3.05, charge_e: -0.35}
"""
GUEST_JSON = json.dumps(
    {
        "CriticalTemperature": 304.1282,
        "Type": "rigid",
        "pseudoAtoms": [
            ["O_co2", [0.0, 0.0, 1.149]],
            ["C_co2", [0.0, 0.0, 0.0]],
            ["O_co2", [0.0, 0.0, -1.149]],
        ],
        "Connectivity": [[0, 1], [1, 2]],
    },
    indent=1,
)
CHARGES = "# label charge\nZn1 0.8\nO1 -0.5\nC1 0.3\nN1 -0.4\nH1 0.1\nCl1 -0.3\n"
BLOCKS = "2\n0.1 0.2 0.3 1.5\n0.5 0.5 0.5 2.25\n"
CLUSTER = """\
general: {kind: threads, workers: 2}
references: {kind: local, workers: 1, memory_limit: 4GiB}
"""
CAMPAIGN = """\
name: dirty
out: out
seed: 3
hosts: [CALF-20, Mg-MOF-74]
guests: [CO2]
temperatures_k: [298.15, 313.15]
classical: {force_field: UFF}
"""


def sources() -> tuple[tuple[str, str, str], ...]:
    """Return kind, suffix and text of every valid file, to be spoilt."""
    symmetric = cif(
        ("Zn1 Zn 0.1 0.2 0.3 1 0.5", "O1 O 0.28 0.2 0.3 1 -0.5"),
        operations=("x,y,z", "-x,-y,-z"),
        group="'P -1'",
    )
    return (
        ("cif", ".cif", cif()),
        ("import", ".cif", cif()),
        ("cif", ".cif", symmetric),
        ("force field", ".yaml", FORCE_FIELD_YAML),
        ("force field", ".json", FORCE_FIELD_JSON),
        ("guest", ".yaml", GUEST_YAML),
        ("guest", ".json", GUEST_JSON),
        ("charges", ".csv", CHARGES),
        ("block file", ".block", BLOCKS),
        ("host list", ".csv", HOST_LIST),
        ("cluster", ".yaml", CLUSTER),
        ("campaign", ".yaml", CAMPAIGN),
    )


HOST_LIST = "id,path\nalpha,alpha.cif\nbeta,beta.cif\ngamma,deep/gamma.cif\n"
