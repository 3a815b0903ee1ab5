"""The corpus of dirty inputs, modelled on what databases and users' folders hold.

Each case is a kind of file, a name and a function that writes it. ``must`` says what the outcome
has to be where only one is right: ``error``, ``record``, or None where both are.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import valid
from valid import ROWS, cif

MEGABYTE = 1_000_000
SUFFIX = {
    "cif": ".cif",
    "import": ".cif",
    "charges": ".csv",
    "block file": ".block",
    "parquet": ".parquet",
    "host list": ".csv",
    "cluster": ".yaml",
    "campaign": ".yaml",
}


@dataclass(frozen=True)
class Case:
    """One dirty input."""

    kind: str
    name: str
    content: Callable[[], str | bytes] | None
    suffix: str
    must: str | None = "error"
    large: bool = False

    def write(self, folder: Path) -> Path:
        """Write it into a folder (a folder of its name where there is no content)."""
        path = folder / f"dirty{self.suffix}"
        if self.content is None:
            path.mkdir(parents=True)
            return path
        made = self.content()
        path.write_bytes(made.encode("utf-8", "surrogatepass") if isinstance(made, str) else made)
        return path


def cases() -> Iterator[Case]:
    """Yield the whole corpus."""
    for name, (text, must) in _cifs().items():
        yield Case("cif", name, lambda text=text: text, ".cif", must)
        yield Case("import", name, lambda text=text: text, ".cif", "record")
    yield from _large_cifs()
    for suffix, table in ((".yaml", _force_fields_yaml()), (".json", _force_fields_json())):
        for name, (text, must) in table.items():
            yield Case("force field", f"{name} ({suffix[1:]})", lambda t=text: t, suffix, must)
    for suffix, table in ((".yaml", _guests_yaml()), (".json", _guests_json())):
        for name, (text, must) in table.items():
            yield Case("guest", f"{name} ({suffix[1:]})", lambda t=text: t, suffix, must)
    for kind, table in (
        ("charges", _charges()),
        ("block file", _blocks()),
        ("host list", _host_lists()),
    ):
        for name, (text, must) in table.items():
            yield Case(kind, name, lambda text=text: text, SUFFIX[kind], must)
    for name, make in _parquets().items():
        yield Case("parquet", name, make, ".parquet", None if name.startswith("maybe") else "error")
        yield Case("host list", f"parquet {name}", make, ".parquet", None)
    yield from _everywhere()


def _everywhere() -> Iterator[Case]:
    """Yield what is wrong for every kind of text file."""
    kinds = [
        *(("cif", s) for s in (".cif",)),
        *((kind, s) for kind in ("force field", "guest") for s in (".yaml", ".json")),
        ("charges", ".csv"),
        ("charges", ".json"),
        ("block file", ".block"),
        ("host list", ".csv"),
        ("cluster", ".yaml"),
        ("campaign", ".yaml"),
    ]
    for kind, suffix in kinds:
        for name, content in {
            "empty": b"",
            "blank": b" \n\t\r\n",
            "nulls": b"\x00" * 1000,
            "every byte": bytes(range(256)) * 8,
            "half a utf-8": "data_é".encode()[:-1],
            "utf-16": "data_x\n_cell_length_a 1\n".encode("utf-16"),
            "elf": b"\x7fELF\x02\x01\x01" + bytes(64),
            "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + bytes(64),
            "html": b"<!doctype html><html><body>404 not found</body></html>",
            "deep brackets": b"[" * 100_000,
            "deep braces": b'{"a":' * 50_000,
            "one long line": b"a" * (2 * MEGABYTE),
            "many quotes": b"'\"" * 200_000,
            "surrogates": b"\xed\xa0\x80\xed\xbf\xbf",
            "git lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        }.items():
            yield Case(kind, f"{name} {suffix}", lambda c=content: c, suffix)
        yield Case(kind, f"directory {suffix}", None, suffix)
    for kind, suffix in kinds:
        if suffix == ".yaml":
            yield from _yaml_bombs(kind)


def _yaml_bombs(kind: str) -> Iterator[Case]:
    """Yield documents that unfold to billions of values, name Python objects, or hold themselves."""
    first = {"force field": "types", "guest": "sites", "campaign": "hosts"}.get(kind, "general")
    wide = "a0: &a0 [1, 2]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    merged = "m0: &m0 {x: 1}\n" + "".join(
        f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}], y{n}: 1}}\n" for n in range(1, 26)
    )
    bombs = {
        "alias bomb": wide + f"{first}: *a29\n",
        "alias bomb of names": wide + "name: *a29\n",
        "merge bomb": merged + f"{first}: *m25\n",
        "holds itself": f"{first}: &self [*self]\n",
        "mapping that holds itself": f"&self\n{first}: *self\nname: *self\n",
        "python object": f"{first}: !!python/object/apply:os.system ['true']\n",
        "python name": f"name: !!python/name:os.system\n{first}: 1\n",
        "python module": f"{first}: !!python/module:os\n",
        "own tag": f"{first}: !widomill 3\n",
        "bad date": f"{first}: 2024-13-45\n",
        "bad int": f"{first}: !!int ''\n",
        "bad bool": f"{first}: !!bool perhaps\n",
        "bad float": f"{first}: !!float ''\n",
        "bad binary": f"{first}: !!binary '###'\n",
        "huge int": f"{first}: {'9' * 6000}\n",
        "list as key": "? [a, b]\n: 1\n",
        "mapping as key": "? {a: b}\n: 1\n",
        "two documents": f"{first}: 1\n---\n{first}: 2\n",
        "unknown alias": f"{first}: *nobody\n",
        "tabs": f"{first}:\n\t- 1\n",
        "many keys": "".join(f"k{n}: {n}\n" for n in range(20_000)),
        "key twice": f"{first}: 1\n{first}: 2\n",
    }
    for name, text in bombs.items():
        yield Case(kind, name, lambda text=text: text, ".yaml")


def _swap(index: int, row: str) -> tuple[str, ...]:
    return (*ROWS[:index], row, *ROWS[index + 1 :])


def _cifs() -> dict[str, tuple[str, str | None]]:
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
            cif(ROWS[:2], operations=("x,y,z", "-x,-y,-z"), group="'P -1'", cell="12 13 14 90 90 90",
                columns=valid.COLUMNS).replace(" 0.8\n", " 0.5\n"),
            "record",
        ),  # fmt: skip
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
    rows = [f"{symbol}{i} {symbol} {x:.6f} {y:.6f} {z:.6f} 1 0" for i, (x, y, z) in enumerate(places)]
    return cif(rows, cell=f"{3 * side} {3 * side} {3 * side} 90 90 90")


def _large_cifs() -> Iterator[Case]:
    """Yield files that are large in one way each."""
    makers: dict[str, tuple[Callable[[], str | bytes], str | None]] = {
        "ten thousand atoms": (lambda: _grid_of_atoms(10_000), "record"),
        "ten thousand atoms of a supercell": (
            lambda: _grid_of_regular(22),
            "record",
        ),
        "two hundred thousand atoms": (lambda: _grid_of_atoms(200_000), "error"),
        "50 MB of reflections": (
            lambda: cif() + "_shelx_hkl_file\n;\n" + "   1   2   3   17.20    0.30\n" * 1_800_000 + ";\n",
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
    for name, (make, must) in makers.items():
        yield Case("cif", name, make, ".cif", must, large=True)


def _grid_of_regular(side: int) -> str:
    rows = [
        f"Si Si {x / side:.8f} {y / side:.8f} {z / side:.8f} 1 0"
        for x in range(side)
        for y in range(side)
        for z in range(side)
    ]
    return cif(rows, cell=f"{3 * side} {3 * side} {3 * side} 90 90 90")


def _force_fields_yaml() -> dict[str, tuple[str, str | None]]:
    good = valid.FORCE_FIELD_YAML

    def zinc(value: str) -> str:
        return good.replace("[62.4, 2.46]", value)

    return {
        "clean": (good, "record"),
        "crlf": (good.replace("\n", "\r\n"), "record"),
        "missing type": (good.replace("  O: [30.2, 3.12]\n", ""), "record"),
        "negative epsilon": (zinc("[-62.4, 2.46]"), "error"),
        "negative sigma": (zinc("[62.4, -2.46]"), "error"),
        "zero sigma": (zinc("[62.4, 0]"), "error"),
        "zero epsilon": (zinc("[0, 2.46]"), "record"),
        "nan": (zinc("[.nan, 2.46]"), "error"),
        "infinity": (zinc("[.inf, 2.46]"), "error"),
        "1e300": (zinc("[1.0e+300, 2.46]"), "error"),
        "sigma of a metre": (zinc("[62.4, 1.0e+10]"), "error"),
        "true": (zinc("[yes, 2.46]"), "error"),
        "text": (zinc("[much, 2.46]"), "error"),
        "null": (zinc("[null, 2.46]"), "error"),
        "one number": (zinc("[62.4]"), "error"),
        "three numbers": (zinc("[62.4, 2.46, 1]"), "error"),
        "a mapping": (zinc("{epsilon: 62.4}"), "error"),
        "sexagesimal": (zinc("[1:30, 2.46]"), "error"),
        "type twice": (good.replace("  O: [", "  Zn: [1.0, 1.0]\n  O: ["), "error"),
        "key no": (good.replace("  Zn: [", "  no: ["), "error"),
        "charge of nobody": (good.replace("{Zn: 0.8}", "{Xx: 0.8}"), "error"),
        "charge nan": (good.replace("{Zn: 0.8}", "{Zn: .nan}"), "error"),
        "charge 1e9": (good.replace("{Zn: 0.8}", "{Zn: 1.0e+9}"), "error"),
        "pair of nobody": (good.replace("[O_co2, Zn]", "[O_co2, Qq]"), "error"),
        "pair twice": (
            good.replace("truncation:", "  - {types: [Zn, O_co2], epsilon_k: 1, sigma_angstrom: 1}\ntruncation:"),
            "error",
        ),  # fmt: skip
        "pair negative": (good.replace("epsilon_k: 50.0", "epsilon_k: -50.0"), "error"),
        "cutoff zero": (good.replace("cutoff_angstrom: 12.0", "cutoff_angstrom: 0"), "error"),
        "cutoff tiny": (good.replace("cutoff_angstrom: 12.0", "cutoff_angstrom: 1.0e-9"), "error"),
        "cutoff huge": (good.replace("cutoff_angstrom: 12.0", "cutoff_angstrom: 1.0e+9"), "error"),
        "unknown key": (good + "epsilon: 3\n", "error"),
        "unknown truncation": (good.replace("shifted", "smooth"), "error"),
        "unknown mixing": (good + "mixing_rule: Waldman-Hagler\n", "error"),
        "empty types": (good.split("types:")[0] + "types: {}\n", "error"),
        "ten thousand types": (
            good.replace("charges:", "".join(f"  T{i}: [1, 1]\n" for i in range(10_000)) + "charges:"),
            "record",
        ),  # fmt: skip
    }


def _force_fields_json() -> dict[str, tuple[str, str | None]]:
    good = valid.FORCE_FIELD_JSON
    content = json.loads(good)

    def changed(**values: object) -> str:
        return json.dumps({**content, **values})

    def zinc(*parameters: object, kind: str = "lennard-jones") -> str:
        entry = {"name": "Zn", "type": kind, "parameters": list(parameters)}
        return changed(SelfInteractions=[entry, content["SelfInteractions"][1]])

    return {
        "clean": (good, "record"),
        "negative epsilon": (zinc(-1.0, 2.46), "error"),
        "nan": (zinc(float("nan"), 2.46), "error"),
        "infinity": (zinc(float("inf"), 2.46), "error"),
        "1e300": (zinc(1e300, 2.46), "error"),
        "true": (zinc(True, 2.46), "error"),
        "text": (zinc("a", 2.46), "error"),
        "one number": (zinc(1.0), "error"),
        "other potential": (zinc(1.0, 1.0, kind="buckingham"), "error"),
        "type twice": (
            changed(SelfInteractions=[*content["SelfInteractions"], {"name": "Zn", "parameters": [1, 1]}]),
            "error",
        ),
        "same type twice": (
            changed(SelfInteractions=[*content["SelfInteractions"], content["SelfInteractions"][0]]),
            "record",
        ),
        "atom twice": (
            changed(PseudoAtoms=[*content["PseudoAtoms"], {"name": "Zn", "charge": -3.0}]),
            "error",
        ),
        "key twice": (good.replace('"MixingRule"', '"MixingRule": "Jorgensen", "MixingRule"'), "error"),
        "key in other case": (
            good.replace('"MixingRule"', '"mixingrule": "Jorgensen", "MixingRule"'),
            "error",
        ),
        "missing pair type": (
            changed(BinaryInteractions=[{"names": ["Zn", "Qq"], "parameters": [1, 1]}]),
            "error",
        ),
        "no interactions": (changed(SelfInteractions=[]), "record"),
        "nothing": ("{}", "error"),
        "null": ("null", "error"),
        "a list": ("[1, 2]", "error"),
        "a number": ("3", "error"),
        "huge number": ('{"PseudoAtoms": ' + "9" * 5000 + "}", "error"),
        "trailing comma": (good.replace("12.0,", "12.0,,"), "error"),
        "comment": ("// RASPA\n" + good, "error"),
        "truncated": (good[: len(good) // 2], "error"),
        "cutoff nan": (changed(CutOffVDW=float("nan")), "error"),
        "cutoff huge": (changed(CutOffVDW=1e9), "error"),
        "lists of lists": (changed(PseudoAtoms=[[[]]]), "error"),
        "names are numbers": (changed(PseudoAtoms=[{"name": 3}]), "error"),
        "charge 1e9": (changed(PseudoAtoms=[{"name": "Zn", "charge": 1e9}]), "error"),
        "mass negative": (changed(PseudoAtoms=[{"name": "Zn", "mass": -1.0}]), "error"),
    }


def _guests_yaml() -> dict[str, tuple[str, str | None]]:
    good = valid.GUEST_YAML
    head = "name: dirty\nsource: made up\nsites:\n"

    def site(position: str = "[0, 0, 0]", element: str = "Ar", **more: object) -> str:
        values = {"epsilon_k": 1.0, "sigma_angstrom": 3.0, "charge_e": 0.0, **more}
        listed = ", ".join(f"{key}: {value}" for key, value in values.items())
        return f"  - {{type: A, element: {element}, position_angstrom: {position}, {listed}}}\n"

    return {
        "clean": (good, "record"),
        "one atom": (head + site(), "record"),
        "one atom far away": (head + site("[50, 50, 50]"), "record"),
        "coincident sites": (head + site() + site(), "error"),
        "nearly coincident atoms": (head + site() + site("[0, 0, 0.01]"), "error"),
        "charge site on an atom": (
            head + site() + "  - {type: Q, position_angstrom: [0, 0, 0], epsilon_k: 0, sigma_angstrom: 1}\n",
            "record",
        ),
        "no sites": ("name: dirty\nsource: made up\nsites: []\n", "error"),
        "nan": (head + site("[.nan, 0, 0]"), "error"),
        "galactic": (head + site() + site("[1.0e+9, 0, 0]"), "error"),
        "true": (head + site(epsilon_k="yes"), "error"),
        "negative epsilon": (head + site(epsilon_k=-1.0), "error"),
        "1e300": (head + site(epsilon_k="1.0e+300"), "error"),
        "zero sigma": (head + site(sigma_angstrom=0.0), "error"),
        "charge 1e9": (head + site(charge_e="1.0e+9"), "error"),
        "unknown element": (head + site(element="Qq"), "error"),
        "two coordinates": (head + site("[0, 0]"), "error"),
        "empty name": (good.replace("dirty-co2", "''"), "error"),
        "name of a path": (good.replace("dirty-co2", "'../../etc/passwd'"), None),
        "site twice the key": (head + site().replace("{type", "{type: B, type"), "error"),
        "ten thousand sites": (
            head + "".join(site(f"[{i % 20}, {i // 20 % 20}, {i // 400}]") for i in range(4000)),
            None,
        ),
    }  # fmt: skip


def _guests_json() -> dict[str, tuple[str, str | None]]:
    good = valid.GUEST_JSON
    content = json.loads(good)

    def sites(*listed: object, **more: object) -> str:
        return json.dumps({**content, "pseudoAtoms": list(listed), **more})

    return {
        "clean": (good, "record"),
        "one atom": (sites(["Ar", [0.0, 0.0, 0.0]], Connectivity=[]), "record"),
        "coincident atoms": (sites(["O_co2", [0, 0, 0]], ["O_co2", [0, 0, 0]]), "error"),
        "flexible": (json.dumps({**content, "Type": "flexible"}), "error"),
        "nan": (sites(["Ar", [float("nan"), 0.0, 0.0]]), "error"),
        "true": (sites(["Ar", [True, 0.0, 0.0]]), "error"),
        "galactic": (sites(["Ar", [1e9, 0.0, 0.0]], ["Ar", [0.0, 0.0, 0.0]]), "error"),
        "text": (sites(["Ar", ["a", 0.0, 0.0]]), "error"),
        "no sites": (sites(), "error"),
        "nested": (sites([[["Ar"]]]), "error"),
        "empty name": (sites(["", [0, 0, 0]]), None),
        "connectivity of nobody": (json.dumps({**content, "Connectivity": [[0, 99]]}), None),
        "connectivity of text": (json.dumps({**content, "Connectivity": "all"}), "error"),
        "truncated": (good[: len(good) // 2], "error"),
    }


def _charges() -> dict[str, tuple[str, str | None]]:
    good = valid.CHARGES
    return {
        "clean": (good, "record"),
        "crlf": (good.replace("\n", "\r\n"), "record"),
        "net": (good.replace("0.8", "1.8"), "error"),
        "nan": (good.replace("0.8", "nan"), "error"),
        "1e300": (good.replace("0.8", "1e300").replace("-0.5", "-1e300"), "error"),
        "absurd": (good.replace("0.8", "80.8").replace("-0.5", "-80.5"), "error"),
        "underscore": (good.replace("0.8", "0_0.8"), "error"),
        "full-width digits": (good.replace("0.8", "０.８"), "error"),
        "missing one": (good.replace("H1 0.1\n", ""), "error"),
        "stranger": (good + "Xe1 0.0\n", "error"),
        "twice": (good + "Zn1 0.7\n", "error"),
        "three fields": (good.replace("Zn1 0.8", "Zn1 0.8 1"), "error"),
        "only numbers": ("0.8\n-0.5\n0.3\n-0.4\n0.1\n-0.3\n", "record"),
        "too many numbers": ("0.1\n" * 50, "error"),
        "zeros": ("0\n" * 6, None),
    }


def _blocks() -> dict[str, tuple[str, str | None]]:
    good = valid.BLOCKS
    return {
        "clean": (good, "record"),
        "too few": (good.replace("2\n", "3\n", 1), "error"),
        "superscript count": (good.replace("2\n", "²\n", 1), "error"),
        "huge count": (good.replace("2\n", "9" * 5000 + "\n", 1), "error"),
        "nan": (good.replace("0.1", "nan"), "error"),
        "negative radius": (good.replace("1.5", "-1.5"), "error"),
        "huge radius": (good.replace("1.5", "1e300"), "error"),
        "huge place": (good.replace("0.1", "1e300"), "error"),
        "text": (good.replace("0.1", "here"), "error"),
        "underscore": (good.replace("0.1", "0_1.1"), "error"),
    }


def _host_lists() -> dict[str, tuple[str, str | None]]:
    return {
        "clean": ("id,path\na,a.cif\nb,b.cif\n", "record"),
        "no path column": ("id,file\na,a.cif\n", "error"),
        "no rows": ("id,path\n", "error"),
        "blank path": ("id,path\na,\n", "error"),
        "ragged": ("id,path\na,a.cif,3\nb\n", "error"),
        "path out of the folder": ("id,path\n../../x,a.cif\n", None),
        "id of dots": ("id,path\n..,a.cif\n", "error"),
        "only refused": ("id,path,verdict\na,,refused\n", "error"),
        "refused left out": ("id,path,verdict\na,,refused\nb,b.cif,accepted\n", "record"),
        "numbers as ids": ("id,path\n1,a.cif\n2,b.cif\n", "record"),
        "null bytes in a path": ("id,path\na,a\x00.cif\n", None),
    }


def _parquets() -> dict[str, Callable[[], bytes]]:
    """Return makers of damaged Parquet files."""

    def good() -> bytes:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table({"id": [f"h{i}" for i in range(500)], "path": [f"{i}.cif" for i in range(500)]})
        stream = io.BytesIO()
        pq.write_table(table, stream, compression="zstd")
        return stream.getvalue()

    def flipped(seed: int) -> bytes:
        content = bytearray(good())
        rng = np.random.default_rng(seed)
        for place in rng.integers(4, len(content) - 8, 12):
            content[place] ^= 1 << int(rng.integers(8))
        return bytes(content)

    found: dict[str, Callable[[], bytes]] = {
        "empty": lambda: b"",
        "text": lambda: b"id,path\na,a.cif\n",
        "head only": lambda: good()[:4],
        "half": lambda: good()[: len(good()) // 2],
        "one byte short": lambda: good()[:-1],
        "no footer": lambda: good()[:-8] + bytes(4) + b"PAR1",
        "huge footer": lambda: good()[:-8] + b"\xff\xff\xff\x7f" + b"PAR1",
        "noise between magic": lambda: b"PAR1" + bytes(range(256)) * 4 + b"\x00\x02\x00\x00PAR1",
    }
    found |= {f"maybe flipped {seed}": lambda seed=seed: flipped(seed) for seed in range(10)}
    return found
