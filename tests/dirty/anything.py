"""What is wrong for files of every kind: empty, binary, endless, YAML bombs."""

from __future__ import annotations

from collections.abc import Iterator

MEGABYTE = 1_000_000


def everywhere() -> Iterator[tuple[str, str, bytes | str | None, str]]:
    """Yield kind, name, content (None: a folder) and suffix of what is wrong for every kind."""
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
            yield kind, f"{name} {suffix}", content, suffix
        yield kind, f"directory {suffix}", None, suffix
    for kind, suffix in kinds:
        if suffix == ".yaml":
            yield from _yaml_bombs(kind)


def _yaml_bombs(kind: str) -> Iterator[tuple[str, str, str, str]]:
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
        yield kind, name, text, ".yaml"
