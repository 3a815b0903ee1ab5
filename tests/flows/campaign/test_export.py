"""What is exported reads back, elsewhere, with the numbers and units of the runs."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from ase.io import read
from ase.io.cif import parse_cif
from pymatgen.io.cif import CifFile

from chem.force_fields import load_force_field
from chem.guests import load_guest
from data.errors import RunFolderError, SettingsError
from data.schemas import CAMPAIGN_RESULTS
from data.store import read_rows
from flows.campaign.export.aif import aif_text, pressures_pa, value
from flows.campaign.export.export import csv_header, export
from flows.campaign.export.xyz import ENERGY
from flows.campaign.folder import CampaignFolder

EV_KJ_PER_MOL = 96.48533212  # CODATA 2018: e N_A


def answers(folder: CampaignFolder) -> dict[tuple[str, float], dict]:
    """Results as the runs wrote them, by unit and temperature."""
    return {
        (unit.id, r["temperature_k"]): r
        for unit in folder.units()
        if (folder.runs / unit.id / "result.json").is_file()
        for r in json.loads((folder.runs / unit.id / "result.json").read_text())["results"]
    }


def test_parquet_holds_every_answer_with_units(finished: CampaignFolder, tmp_path: Path) -> None:
    record = export(finished, "parquet", tmp_path / "all.parquet")
    table, wanted = pd.read_parquet(record.path), answers(finished)
    assert record.rows == len(table) == len(wanted) == 2 * 9
    for row in table.to_dict("records"):
        one = wanted[row["unit_id"], row["temperature_k"]]
        for name in ("henry_mol_per_kg_pa", "qst_kj_per_mol", "labels", "seed"):
            np.testing.assert_equal(row[name], np.nan if one[name] is None else one[name])
        ends = [np.nan if end is None else end for end in one["henry_ci95"]]
        np.testing.assert_equal([row["henry_ci95_low"], row["henry_ci95_high"]], ends)
    assert set(table["level"]) == {"classical", "forcefield:DREIDING"}
    schema = pq.read_schema(record.path)
    assert schema.metadata[b"widomill.table"] == b"campaign_results"
    assert schema.field("henry_mol_per_kg_pa").metadata[b"unit"] == b"mol/(kg Pa)"
    assert all(field.metadata[b"unit"] is not None for field in schema)


def test_parquet_finds_a_name_in_a_folder(finished: CampaignFolder, tmp_path: Path) -> None:
    assert export(finished, "parquet", tmp_path).path == tmp_path / "results.parquet"


def test_csv_says_its_units_and_agrees_with_parquet(
    finished: CampaignFolder, tmp_path: Path
) -> None:
    wanted = pd.read_parquet(export(finished, "parquet", tmp_path / "all.parquet").path)
    found = pd.read_csv(export(finished, "csv", tmp_path / "all.csv").path)
    assert list(found.columns) == csv_header()
    assert "henry_mol_per_kg_pa [mol/(kg Pa)]" in found.columns
    assert "qst_kj_per_mol [kJ/mol]" in found.columns
    assert "host_id" in found.columns
    for name, shown in zip(CAMPAIGN_RESULTS.names, found.columns, strict=True):
        if pd.api.types.is_numeric_dtype(wanted[name]):
            np.testing.assert_array_equal(found[shown].astype(float), wanted[name].astype(float))


def test_csv_runs_nothing_in_a_spreadsheet(finished: CampaignFolder, tmp_path: Path) -> None:
    path = export(finished, "csv", tmp_path / "all.csv").path
    with open(path, encoding="utf-8", newline="") as handle:
        cells = [cell for row in csv.reader(handle) for cell in row]
    texts = [c for c in cells if not re.fullmatch(r"-?[\d.e+-]+|-?inf|nan|", c)]
    assert not [c for c in texts if c[:1] in "=+-@"]


def test_aif_is_read_by_another_parser(finished: CampaignFolder, tmp_path: Path) -> None:
    """One block a file, as readers of AIF expect; pymatgen reads it as the CIF it is."""
    record, wanted = export(finished, "aif", tmp_path / "aif"), answers(finished)
    files = sorted((tmp_path / "aif").glob("*.aif"))
    assert record.files == len(files) == len(wanted) - len(record.left_out)
    for path in files:
        (block,) = CifFile.from_file(path).data.values()
        item = block.data
        unit_id, kelvin = item["_adsnt_sample_id"], float(item["_exptl_temperature"])
        result = wanted[unit_id, kelvin]
        assert path.name == f"{unit_id}_{kelvin:g}K.aif"
        assert item["_exptl_adsorptive"] == result["guest"]
        assert item["_adsnt_material_id"] == result["host"]
        assert item["_adsnt_hashkey"] == result["host_hash"]
        assert (item["_units_pressure"], item["_units_loading"]) == ("Pa", "mmol/g")
        assert item["_units_temperature"] == "K"
        henry = result["henry_mol_per_kg_pa"]
        assert float(item["_widomill_henry_coefficient"]) == henry
        assert item["_widomill_units_henry"] == "mol/(kg Pa)"
        pressure = np.array(item["_adsorp_pressure"], dtype=float)
        amount = np.array(item["_adsorp_amount"], dtype=float)
        np.testing.assert_allclose(amount, henry * pressure, rtol=1e-14)  # mol/kg = mmol/g
        assert amount.max() <= 1.0001e-3
        assert pressure.max() <= 1e4
        if henry:
            error = np.array(item["_adsorp_amount_uncertainty"], dtype=float)
            relative = result["henry_relative_standard_error"]
            np.testing.assert_allclose(error, relative * amount, rtol=1e-12)


@pytest.mark.parametrize(
    "text",
    ['it\'s a "host"', "two\nlines", "a\n;b", "x # y", "_loop_ data_x", "a\r\nb\x0bc", "é ü", ""],
)
def test_aif_text_survives_whatever_it_says(text: str) -> None:
    content = f"data_x\n_first {value(text)}\n_after 'still here'\n"
    (block,) = parse_cif(io.StringIO(content))
    assert block["_after"] == "still here"
    if text.isascii() and len(text.splitlines()) < 2:
        assert block["_first"] == text
    assert content.isascii()  # CIF 1.1 knows nothing else


def test_no_room_is_a_zero_isotherm(finished: CampaignFolder) -> None:
    result = next(iter(finished.results())) | {
        "henry_mol_per_kg_pa": 0.0,
        "henry_relative_standard_error": float("inf"),
    }
    from datetime import UTC, datetime

    (block,) = CifFile.from_str(aif_text("x", result, datetime.now(UTC))).data.values()
    assert set(block.data["_adsorp_amount"]) == {"0.0"}
    assert max(pressures_pa(0.0)) == 1e4


def test_xyz_holds_every_label_where_it_was_computed(
    finished: CampaignFolder, tmp_path: Path
) -> None:
    """Energies are the stored labels; positions those of a rotation matrix written out here."""
    record = export(finished, "xyz", tmp_path)
    (unit,) = [u for u in finished.units() if not u.is_classical]
    frames = read(tmp_path / f"{unit.id}.xyz", index=":", format="extxyz")
    files = sorted((finished.runs / unit.id / "labels").glob("*.parquet"))
    labels = {r["label_key"]: r for f in files for r in read_rows(f)}
    assert record.rows == len(frames) == len(labels) > 10
    host = read(finished.runs / unit.id / "host.cif")
    guest = load_guest("CH4", load_force_field("UFF"))
    for frame in frames:
        label = labels[frame.info["label_key"].removeprefix("label-")]
        assert frame.info["status"] == label["status"]
        assert frame.info[ENERGY] * EV_KJ_PER_MOL == pytest.approx(label["energy_kj_per_mol"])
        assert frame.info["units"] == "eV angstrom"
        assert "energy" not in frame.info  # it is none of the whole frame
        assert frame.calc is None
        atoms = frame.arrays["is_guest"].astype(bool)
        assert frame.get_chemical_formula() == (host.copy() + frame[atoms]).get_chemical_formula()
        assert [frame.symbols[k] for k in np.flatnonzero(atoms)] == list("CHHHH")
        np.testing.assert_allclose(frame.cell.array, host.cell.array, atol=1e-4)
        np.testing.assert_allclose(frame.positions[atoms], placed(label, guest, frame), atol=2e-8)
        off = frame[~atoms].get_scaled_positions() - host.get_scaled_positions()
        np.testing.assert_allclose(off - off.round(), 0.0, atol=1e-4)


def placed(label: dict, guest: object, frame: object) -> np.ndarray:
    """Guest atoms of a label, angstrom."""
    w, x, y, z = (label[f"quat_{c}"] for c in "wxyz")
    turn = np.array(
        [
            [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
        ]
    )
    centre = np.array([label[f"frac_{c}"] for c in "xyz"]) @ frame.cell.array
    return guest.atom_positions_angstrom @ turn.T + centre


def test_what_cannot_be_exported_is_said(finished: CampaignFolder, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="parquet, csv, aif, xyz"):
        export(finished, "xlsx", tmp_path)
    with pytest.raises(RunFolderError, match=r"no units\.parquet"):
        export(CampaignFolder(tmp_path / "none"), "csv", tmp_path)
