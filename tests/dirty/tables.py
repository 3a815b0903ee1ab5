"""Dirty tables: charges, block files, lists of hosts, Parquet."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import valid


def charges() -> dict[str, tuple[str, str | None]]:
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


def blocks() -> dict[str, tuple[str, str | None]]:
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


def host_lists() -> dict[str, tuple[str, str | None]]:
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


def sound_parquet() -> bytes:
    """Return a table as the program writes it, with checksums of its pages."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "id": [f"h{i}" for i in range(300)],
        "path": [f"{i}.cif" for i in range(300)],
        "value": [0.5 * i for i in range(300)],
    }
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream, compression="zstd", write_page_checksum=True)
    return stream.getvalue()


def flipped(good: bytes, seed: int) -> bytes:
    """Return a file with one bit turned over."""
    rng = np.random.default_rng(seed)
    content = bytearray(good)
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    return bytes(content)


def parquets() -> dict[str, Callable[[], bytes]]:
    """Return makers of damaged Parquet files."""
    good = sound_parquet()
    found: dict[str, Callable[[], bytes]] = {
        "empty": lambda: b"",
        "text": lambda: b"id,path\na,a.cif\n",
        "head only": lambda: good[:4],
        "half": lambda: good[: len(good) // 2],
        "one byte short": lambda: good[:-1],
        "no footer": lambda: good[:-8] + bytes(4) + b"PAR1",
        "huge footer": lambda: good[:-8] + b"\xff\xff\xff\x7f" + b"PAR1",
        "noise between magic": lambda: b"PAR1" + bytes(range(256)) * 4 + b"\x00\x02\x00\x00PAR1",
    }
    found |= {f"maybe flipped {seed}": lambda seed=seed: flipped(good, seed) for seed in range(100)}
    return found
