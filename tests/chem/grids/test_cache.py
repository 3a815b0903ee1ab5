"""Grids kept on disk: same bits, damage seen, limits held."""

import os

import numpy as np

from chem.grids import GridCache, build_grid_model, default_cache_folder

TEMPERATURES = (298.0,)


def energies(grid, tools):
    return grid.energies(*tools.uniform(2000))[0]


def test_a_hit_gives_the_same_bits(tools, tmp_path):
    direct = tools.direct("CALF-20", "CO2")
    cache = GridCache(tmp_path)
    plain = build_grid_model(direct, temperatures_k=TEMPERATURES)
    first = build_grid_model(direct, temperatures_k=TEMPERATURES, cache=cache)
    again = build_grid_model(direct, temperatures_k=TEMPERATURES, cache=GridCache(tmp_path))
    assert not first.check.from_cache
    assert again.check.from_cache
    assert np.array_equal(energies(plain, tools), energies(first, tools))
    assert np.array_equal(energies(first, tools), energies(again, tools))
    assert again.check.bias == first.check.bias


def test_guests_share_the_potential(tools, tmp_path):
    cache = GridCache(tmp_path)
    build_grid_model(tools.direct("CALF-20", "CO2"), temperatures_k=TEMPERATURES, cache=cache)
    before = set(tmp_path.iterdir())
    build_grid_model(tools.direct("CALF-20", "N2"), temperatures_k=TEMPERATURES, cache=cache)
    assert len(set(tmp_path.iterdir()) - before) == 3  # N, the centre of mass, the check


def test_damaged_files_are_made_again(tools, tmp_path):
    direct = tools.direct("CALF-20", "CO2")
    cache = GridCache(tmp_path)
    first = build_grid_model(direct, temperatures_k=TEMPERATURES, cache=cache)
    for number, path in enumerate(sorted(tmp_path.iterdir())):
        content = bytearray(path.read_bytes())
        if number % 2:
            content[len(content) // 2] ^= 0xFF
        else:
            del content[-100:]
        path.write_bytes(bytes(content))
    again = build_grid_model(direct, temperatures_k=TEMPERATURES, cache=cache)
    assert not again.check.from_cache
    assert np.array_equal(energies(first, tools), energies(again, tools))
    third = build_grid_model(direct, temperatures_k=TEMPERATURES, cache=cache)
    assert third.check.from_cache


def test_the_least_recently_used_goes_first(tmp_path):
    cache = GridCache(tmp_path, max_bytes=3500)
    for number, name in enumerate("abc"):
        cache.put(name, np.full(1000, number, dtype=np.uint8))
        os.utime(cache.path(name), (number, number))
    assert cache.get("a")[0] == 0  # used again
    cache.put("d", np.zeros(1000, dtype=np.uint8))
    assert cache.get("b") is None
    assert cache.get("a") is not None
    assert cache.get("d") is not None
    cache.put("huge", np.zeros(10_000, dtype=np.uint8))
    assert cache.get("huge") is None
    assert cache.get("a") is not None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    cache = GridCache(tmp_path / "file" / "inside")
    cache.put("a", np.zeros(3))
    assert cache.get("a") is None


def test_default_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("WIDOMILL_CACHE", str(tmp_path))
    assert default_cache_folder() == tmp_path / "grids"
    monkeypatch.delenv("WIDOMILL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache_folder() == tmp_path / "xdg" / "widomill" / "grids"
