"""Dirty CIFs: text and the only right outcome, None where an error and a record are both right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import valid
from valid import ROWS, cif

MEGABYTE = 1_000_000


def _swap(index: int, row: str) -> tuple[str, ...]:
    return (*ROWS[:index], row, *ROWS[index + 1 :])


def cifs() -> dict[str, tuple[str, str | None]]:
    """Return dirty CIFs: text and the only right outcome."""
    good = cif()
    lines = good.splitlines(keepends=True)
    found: dict[str, tuple[str, str | None]] = {
        "clean": (good, "record"),
        "crlf": (good.replace("\n", "\r\n"), "record"),
        "old mac line ends": (good.replace("\n", "\r"), None),
        "byte order mark": ("\ufeff" + good, "record"),
        "unicode label": (cif(_swap(0, "Zné Zn 0.1 0.2 0.3 1 0.8")), None),
        "unicode block": (cif(name="data_ξενία"), "record"),
        "right to left": (cif(_swap(0, "Zn\u202e1 Zn 0.1 0.2 0.3 1 0.8")), None),
        "full-width digits": (cif(_swap(0, "Zn1 Zn ０.1 0.2 0.3 1 0.8")), "error"),
        "unicode minus": (cif(_swap(0, "Zn1 Zn \u22120.1 0.2 0.3 1 0.8")), "error"),
        "underscore in number": (cif(_swap(0, "Zn1 Zn 0.1_1 0.2 0.3 1 0.8")), "error"),
        "su inside number": (cif(_swap(0, "Zn1 Zn 0.1(2)3 0.2 0.3 1 0.8")), "error"),
        "two sus": (cif(_swap(0, "Zn1 Zn 0.1(2)(3) 0.2 0.3 1 0.8")), "error"),
        "su without number": (cif(_swap(0, "Zn1 Zn (5) 0.2 0.3 1 0.8")), "error"),
        "fraction": (cif(_swap(0, "Zn1 Zn 1/3 0.2 0.3 1 0.8")), "error"),
        "comma decimals": (cif(_swap(0, "Zn1 Zn 0,1 0.2 0.3 1 0.8")), "error"),
        "hexadecimal": (cif(_swap(0, "Zn1 Zn 0x1 0.2 0.3 1 0.8")), "error"),
        "exponent": (cif(_swap(0, "Zn1 Zn 1.0e-1 0.2 0.3 1 0.8")), "record"),
        "su": (cif(_swap(0, "Zn1 Zn 0.1000(12) 0.2 0.3 1 0.8")), "record"),
        "nan": (cif(_swap(0, "Zn1 Zn nan 0.2 0.3 1 0.8")), "error"),
        "infinity": (cif(_swap(0, "Zn1 Zn inf 0.2 0.3 1 0.8")), "error"),
        "huge coordinate": (cif(_swap(0, "Zn1 Zn 1e12 0.2 0.3 1 0.8")), "error"),
        "overflow": (cif(_swap(0, "Zn1 Zn 1e999 0.2 0.3 1 0.8")), "error"),
        "coordinates in angstrom": (cif(_swap(0, "Zn1 Zn 1.01 2.24 3.69 1 0.8")), None),
        "negative coordinate": (cif(_swap(0, "Zn1 Zn -0.9 0.2 0.3 1 0.8")), "record"),
        "duplicate atom": (cif((*ROWS, ROWS[0])), "error"),
        "nearly duplicate atom": (cif((*ROWS, "Zn2 Zn 0.101 0.2 0.3 1 0.8")), "error"),
        "duplicate across the face": (
            cif(("C1 C 0.999 0 0 1 0.1", "C2 C 0.001 0 0 1 -0.1")),
            "error",
        ),
        "partial occupancy": (cif(_swap(0, "Zn1 Zn 0.1 0.2 0.3 0.5 0.8")), "error"),
        "occupancy above one": (cif(_swap(0, "Zn1 Zn 0.1 0.2 0.3 2 0.8")), "error"),
        "occupancy zero": (cif(_swap(0, "Zn1 Zn 0.1 0.2 0.3 0 0.8")), "error"),
        "occupancy negative": (cif(_swap(0, "Zn1 Zn 0.1 0.2 0.3 -1 0.8")), "error"),
        "occupancy nan": (cif(_swap(0, "Zn1 Zn 0.1 0.2 0.3 nan 0.8")), "error"),
        "unknown occupancy": (cif(_swap(0, "Zn1 Zn 0.1 0.2 0.3 ? 0.8")), "record"),
        "dummy atom": (cif(_swap(5, "X1 X 0.1 0.2 0.48 1 -0.3")), "error"),
        "dummy Du": (cif(_swap(5, "Du1 Du 0.1 0.2 0.48 1 -0.3")), "error"),
        "vacancy": (cif(_swap(5, "Q1 . 0.1 0.2 0.48 1 -0.3")), "error"),
        "deuterium": (cif(_swap(4, "D1 D 0.48 0.34 0.3 1 0.1")), "record"),
        "element by number": (cif(_swap(5, "Cl1 17 0.1 0.2 0.48 1 -0.3")), "error"),
        "element 119": (cif(_swap(5, "U1 Uue 0.1 0.2 0.48 1 -0.3")), "error"),
        "ion": (cif(_swap(0, "Zn1 Zn2+ 0.1 0.2 0.3 1 0.8")), "record"),
        "mixed site": (cif(_swap(0, "Zn1 Zn/Cu 0.1 0.2 0.3 1 0.8")), "error"),
        "lower case elements": (cif(_swap(0, "zn1 zn 0.1 0.2 0.3 1 0.8")), "record"),
        "net charge": (cif(_swap(0, "Zn1 Zn 0.1 0.2 0.3 1 2.8")), "error"),
        "rounded charges": (cif(_swap(0, "Zn1 Zn 0.1 0.2 0.3 1 0.801")), "record"),
        "charge missing": (cif(_swap(0, "Zn1 Zn 0.1 0.2 0.3 1 ?")), "error"),
        "charge nan": (cif(_swap(0, "Zn1 Zn 0.1 0.2 0.3 1 nan")), "error"),
        "charge text": (cif(_swap(0, "Zn1 Zn 0.1 0.2 0.3 1 plus")), "error"),
        "charges that cancel at 1e300": (
            cif(("Zn1 Zn 0.1 0.2 0.3 1 1e300", "O1 O 0.5 0.2 0.3 1 -1e300")),
            "error",
        ),
        "absurd charges": (
            cif(("Zn1 Zn 0.1 0.2 0.3 1 80", "O1 O 0.5 0.2 0.3 1 -80")),
            "error",
        ),
        "zero charges": (cif(tuple(row.rsplit(" ", 1)[0] + " 0.0" for row in ROWS)), "record"),
        "no charges": (
            cif(tuple(row.rsplit(" ", 1)[0] for row in ROWS), columns=valid.COLUMNS[:-1]),
            "record",
        ),
        "empty label": (cif(_swap(0, "'' Zn 0.1 0.2 0.3 1 0.8")), None),
        "label with blank": (cif(_swap(0, "'Zn 1' Zn 0.1 0.2 0.3 1 0.8")), "record"),
        "label with quote": (cif(_swap(0, "Zn' Zn 0.1 0.2 0.3 1 0.8")), None),
        "label with both quotes": (cif(_swap(0, "Zn'\"a Zn 0.1 0.2 0.3 1 0.8")), None),
        "label like a comment": (cif(_swap(0, "'#Zn' Zn 0.1 0.2 0.3 1 0.8")), "record"),
        "label like a tag": (cif(_swap(0, "'_Zn' Zn 0.1 0.2 0.3 1 0.8")), "record"),
        "label like a loop": (cif(_swap(0, "'loop_' Zn 0.1 0.2 0.3 1 0.8")), "record"),
        "label like a block": (cif(_swap(0, "'data_x' Zn 0.1 0.2 0.3 1 0.8")), "record"),
        "label of markup": (cif(_swap(0, "<script> Zn 0.1 0.2 0.3 1 0.8")), "record"),
        "label ?": (cif(_swap(0, "? Zn 0.1 0.2 0.3 1 0.8")), None),
        "label .": (cif(_swap(0, ". Zn 0.1 0.2 0.3 1 0.8")), None),
        "label of 10000 letters": (cif(_swap(0, f"{'Z' * 10_000} Zn 0.1 0.2 0.3 1 0.8")), None),
        "row too short": (cif(_swap(0, "Zn1 Zn 0.1 0.2 0.3 1")), "error"),
        "row too long": (cif(_swap(0, "Zn1 Zn 0.1 0.2 0.3 1 0.8 9")), "error"),
        "unclosed quote": (cif(_swap(0, "'Zn1 Zn 0.1 0.2 0.3 1 0.8")), None),
        "unclosed text": (good.replace("loop_", ";\nloop_", 1), None),
        "no rows": (cif(()), "error"),
        "no operations": (cif(operations=()), "record"),
        "comment within loop": (good.replace(ROWS[1], f"# a remark\n{ROWS[1]}"), "record"),
        "blank lines": (good.replace("\n", "\n\n"), "record"),
        "upper case tags": (good.replace("_atom_site_fract", "_ATOM_SITE_FRACT"), "record"),
        "tags twice": (good + "_cell_length_a 30\n", "error"),
        "cell twice": (
            good.replace("_cell_length_a", "_cell_length_a 30\n_cell_length_a"),
            "error",
        ),
        "atoms twice": (good + "\n".join(lines[-14:]), "error"),
        "two structures": (good + cif(name="data_other", cell="8 9 10 90 90 90"), None),
        "same block twice": (good + good, None),
        "first block empty": ("data_global\n_publ 'x'\n" + good, "record"),
        "cartesian": (good.replace("fract_", "Cartn_"), "error"),
        "mm cif": (good.replace("_atom_site_", "_atom_site."), "error"),
        "wrong operator": (cif(operations=("x,y,z", "-x,y,z+0.3")), "error"),
        "operator that is no rotation": (cif(operations=("x,y,z", "2x,y,z")), "error"),
        "operator of two parts": (cif(operations=("x,y,z", "x,y")), "error"),
        "operator of text": (cif(operations=("x,y,z", "a,b,c")), "error"),
        "operator divides by zero": (cif(operations=("x,y,z", "x+1/0,y,z")), "error"),
        "operator that runs code": (cif(operations=("x,y,z", "__import__('os'),y,z")), "error"),
        "operators without identity": (cif(operations=("-x,-y,-z",)), "error"),
        "operators that are no group": (cif(operations=("x,y,z", "y,z,x")), "error"),
        "operators foreign to the cell": (
            cif(operations=("x,y,z", "y,z,x", "z,x,y"), group=None),
            "error",
        ),
        "operators twice": (cif(operations=("x,y,z", "x,y,z"), group=None), "record"),
        "five thousand operators": (
            cif(operations=[f"x+{i}/5003,y,z" for i in range(5000)], group=None),
            "error",
        ),
        "inversion": (
            cif(
                ROWS[:2],
                operations=("x,y,z", "-x,-y,-z"),
                group="'P -1'",
                cell="12 13 14 90 90 90",
                columns=valid.COLUMNS,
            ).replace(" 0.8\n", " 0.5\n"),
            "record",
        ),
        "all atoms in a group that doubles them": (
            cif(
                (*ROWS[:1], "Zn2 Zn -0.1 -0.2 -0.3 1 -0.8"),
                operations=("x,y,z", "-x,-y,-z"),
                group="'P -1'",
            ),
            "error",
        ),
        "unknown group": (cif(group="'Q 7 z'", operations=()), "error"),
        "group number 999": (
            cif(group=None, operations=()).replace(
                "data_dirty", "data_dirty\n_symmetry_Int_Tables_number 999"
            ),
            "error",
        ),
        "group of text": (
            cif(group=None, operations=()).replace(
                "data_dirty", "data_dirty\n_symmetry_Int_Tables_number many"
            ),
            "error",
        ),
    }
    cells = {
        "zero length": "0 10 10 90 90 90",
        "negative length": "-10 10 10 90 90 90",
        "angle zero": "10 10 10 0 90 90",
        "angle 180": "10 10 10 180 90 90",
        "angle 200": "10 10 10 200 90 90",
        "flat": "10 10 10 60 60 120",
        "impossible angles": "10 10 10 30 30 120",
        "nearly flat": "10 10 10 60 60 119.9999999",
        "nan": "nan 10 10 90 90 90",
        "infinite": "inf 10 10 90 90 90",
        "missing": "10 10 10 90 90",
        "question mark": "? 10 10 90 90 90",
        "nanometres": "1.01 1.12 1.23 90 90 90",
        "picometres": "1010 1120 1230 90 90 90",
        "metres": "1e-9 1e-9 1e-9 90 90 90",
        "galactic": "1e200 1e200 1e200 90 90 90",
        "one side of 1e8": "1e8 10 10 90 90 90",
        "radians": "10 10 10 1.57 1.57 1.57",
        "needle": "10 10 10 90 90 0.01",
        "sliver": "10 10 10 1 1 1",
    }
    for name, cell in cells.items():
        found[f"cell: {name}"] = (cif(cell=cell), None if name == "picometres" else "error")
    thin = cif(("Si1 Si 0.1 0.2 0.3 1 0",), cell="3.1 4.2 5.3 90 90 90")
    found["cell: thinner than the cutoff"] = (thin, "record")
    for cut in (0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        found[f"truncated to {cut:.0%}"] = (good[: int(cut * len(good))], None)
    return found


def _grid_of_atoms(count: int, shift: float = 0.0, symbol: str = "Si") -> str:
    """A made-up crystal of single atoms 3 angstrom apart, every one a little displaced."""
    side = int(np.ceil(count ** (1 / 3)))
    rng = np.random.default_rng(7)
    places = np.stack(np.meshgrid(*[np.arange(side)] * 3), axis=-1).reshape(-1, 3)[:count] + shift
    places = (places + rng.uniform(-0.1, 0.1, places.shape)) / side
    rows = [
        f"{symbol}{i} {symbol} {x:.6f} {y:.6f} {z:.6f} 1 0" for i, (x, y, z) in enumerate(places)
    ]
    return cif(rows, cell=f"{3 * side} {3 * side} {3 * side} 90 90 90")


def large_cifs() -> dict[str, tuple[Callable[[], str], str | None]]:
    """Return makers of files that are large in one way each."""
    return {
        "ten thousand atoms": (lambda: _grid_of_atoms(10_000), "record"),
        "ten thousand atoms of a supercell": (
            lambda: _grid_of_regular(22),
            "record",
        ),
        "two hundred thousand atoms": (lambda: _grid_of_atoms(200_000), "error"),
        "50 MB of reflections": (
            lambda: (
                cif()
                + "_shelx_hkl_file\n;\n"
                + "   1   2   3   17.20    0.30\n" * 1_800_000
                + ";\n"
            ),
            "record",
        ),
        "50 MB of blanks": (lambda: cif() + (" " * 99 + "\n") * 500_000, "error"),
        "50 MB of one line": (lambda: cif() + "# " + "x" * (50 * MEGABYTE) + "\n", "error"),
        "200 MB": (lambda: cif() + "#" * 200 * MEGABYTE, "error"),
        "one megabyte quoted": (lambda: cif() + "_x '" + "y " * (MEGABYTE // 2) + "'\n", None),
        "100000 tags": (lambda: cif() + "".join(f"_tag{i} {i}\n" for i in range(100_000)), None),
        "10000 blocks": (lambda: "".join(f"data_{i}\n_x 1\n" for i in range(10_000)) + cif(), None),
        "10000 columns": (
            lambda: cif() + "loop_\n" + "".join(f"_c{i}\n" for i in range(10_000)) + "1 " * 10_000,
            None,
        ),
    }


def _grid_of_regular(side: int) -> str:
    rows = [
        f"Si Si {x / side:.8f} {y / side:.8f} {z / side:.8f} 1 0"
        for x in range(side)
        for y in range(side)
        for z in range(side)
    ]
    return cif(rows, cell=f"{3 * side} {3 * side} {3 * side} 90 90 90")
