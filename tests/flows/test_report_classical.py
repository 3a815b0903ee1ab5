"""Pieces of the page on a classical run: every number shown, every name escaped, labels true."""

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from chem.binding_sites import BindingSite
from chem.guests import load_guest
from chem.henry_units import UNITS, HenryContext
from chem.hosts import load_host
from chem.selectivity import henry_selectivity
from chem.van_t_hoff import fit_van_t_hoff, henry_curve
from data.records import Estimate
from flows.report import classical
from flows.report.style import to_svg
from flows.report.thermal import against_temperature

HOSTILE = "<img src=x onerror=alert(1)> & 'y'"


def curve_and_intervals(kelvin, samples=4000):
    energy = np.random.default_rng(1).normal(-18.0, 3.0, samples)
    curve = henry_curve(np.array(kelvin), np.ones(samples), energy, 3 * samples, 950.0)
    reach = np.exp(1.96 * curve.relative_standard_error)
    henry = curve.henry_mol_per_kg_pa
    return curve, np.stack([henry / reach, henry * reach], axis=1)


def words_of(html):
    return re.sub(r"\s+", " ", re.sub(r"<svg.*?</svg>|<[^>]*>", " ", str(html), flags=re.DOTALL))


def well_formed(html):
    return ET.fromstring(f"<div>{str(html).replace('&nbsp;', ' ').replace('&times;', 'x')}</div>")


def site(**changes):
    plain = {
        "energy_kj_per_mol": -35.345,
        "multiplicity": 6,
        "fractional": np.array([0.4209, 0.6534, 0.7108]),
        "quaternion": np.array([1.0, 0.0, 0.0, 0.0]),
        "nearest_atom": 0,
        "nearest_element": "Mg",
        "nearest_label": "Mg2",
        "nearest_site_type": "O_co2",
        "nearest_angstrom": 2.7012,
        "share": 0.448,
        "share_error": 0.0061,
        "starts": 15,
        "converged": True,
    }
    return BindingSite(**(plain | changes))


def test_temperatures_shows_every_answer_and_the_fit():
    curve, intervals = curve_and_intervals([250.0, 275.0, 300.0, 325.0, 350.0])
    fit = fit_van_t_hoff(curve)
    html = classical.temperatures(curve, intervals, fit)
    well_formed(html)
    text = words_of(html)
    for kelvin in (250, 275, 300, 325, 350):
        assert f" {kelvin} " in text
    heat = fit.heat_kj_per_mol
    assert f"{heat.mean:.3f}"[:5] in text
    assert "heat capacity change" in text
    assert html.count("<tr>") == 1 + 5 + 5


def test_temperatures_left_out_are_counted():
    curve, intervals = curve_and_intervals([150.0, 200.0, 300.0, 350.0], 500)
    fewest = float(np.sort(curve.effective_samples)[1]) + 0.1
    fit = fit_van_t_hoff(curve, fewest)
    assert fit.used.sum() == 2
    text = words_of(classical.temperatures(curve, intervals, fit, fewest))
    assert "left out of the fit: 2" in text
    assert "heat capacity" not in text
    none = words_of(classical.temperatures(curve, intervals, None, 1e9))
    assert "no line is drawn" in none


def test_one_temperature_and_no_room_can_be_drawn():
    curve, intervals = curve_and_intervals([300.0])
    assert "<svg" in to_svg(against_temperature(curve, intervals, None, 100.0), "a", "one")
    empty = henry_curve(np.array([300.0, 320.0]), np.zeros(0), np.zeros(0), 100, 950.0)
    drawn = against_temperature(empty, np.zeros((2, 2)), None, 100.0)
    assert "<svg" in to_svg(drawn, "b", "none")
    assert "n/a" in classical.temperatures(empty, np.zeros((2, 2)), None)


@pytest.mark.parametrize("kelvin", [[290.0, 295.0, 300.0], [290.0, 340.0], [200.0, 450.0]])
def test_ticks_say_where_they_are(kelvin):
    curve, intervals = curve_and_intervals(kelvin)
    figure = against_temperature(curve, intervals, fit_van_t_hoff(curve), 100.0)
    axes = figure.axes[0]
    figure.draw_without_rendering()
    low, high = axes.get_ylim()
    labels = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    shown = [(at, label.get_text()) for at, label in labels if low <= at <= high]
    assert len(shown) >= 1
    for at, label in shown:
        found = re.search(r"(?:([\d.]+)\\cdot)?10\^\{([^}]*)\}", label)
        mantissa, power = found.groups()
        power = float(power.replace("\N{MINUS SIGN}", "-"))
        assert float(mantissa or 1.0) * 10.0**power == pytest.approx(at, rel=1e-2)


def test_binding_sites_table_and_pictures():
    host, guest = load_host("Mg-MOF-74"), load_guest("CO2")
    sites = (site(), site(energy_kj_per_mol=-31.4, share=0.2), site(energy_kj_per_mol=-30.0))
    html = classical.binding_sites(host, guest, sites, 298.15)
    well_formed(html)
    text = words_of(html)
    assert "\N{MINUS SIGN}35.34" in text or "\N{MINUS SIGN}35.35" in text
    assert "44.8 ± 0.6 %" in text
    assert "O_co2 to Mg (Mg2)" in text
    assert "0.4209, 0.6534, 0.7108" in text
    assert html.count("<figure>") == classical.PICTURES
    assert "Not every search converged" not in text
    ids = re.findall(r'\sid="([^"]*)"', html)
    assert len(ids) == len(set(ids))


def test_names_are_escaped_and_nothing_is_said_of_nothing():
    host, guest = load_host("Mg-MOF-74"), load_guest("CO2")
    hostile = (site(nearest_label=HOSTILE, converged=False),)
    html = classical.binding_sites(host, guest, hostile, 300.0)
    assert "<img" not in html
    assert "Not every search converged" in html
    assert "no binding site" in classical.binding_sites(host, guest, (), 300.0)
    assert "<img" not in classical.pores({"block_file": HOSTILE})
    assert "<img" not in classical.selectivity(
        HOSTILE, "N2", henry_selectivity(Estimate(1.0, 0.1), Estimate(1.0, 0.1))
    )


def test_a_guest_without_atoms_has_no_picture():
    host, guest = load_host("Mg-MOF-74"), load_guest("CO2")
    object.__setattr__(guest, "atom_elements", ())
    html = classical.binding_sites(host, guest, (site(),), 300.0)
    assert "<figure>" not in html
    assert "O_co2 to Mg" in html


def test_pores_and_grids_show_what_is_known():
    html = classical.pores(
        {"void_fraction": 0.7812, "pockets": 2, "excluded_share": 0.0123, "blocked": True}
        | {"free_sphere_angstrom": math.nan, "included_sphere_angstrom": None, "other": 1}
    )
    well_formed(html)
    text = words_of(html)
    assert "0.781" in text
    assert "1.2 %" in text
    assert "left out of the answer" in text
    assert "sphere" not in text
    assert classical.pores({}) == ""
    grids = words_of(classical.grid_check({"henry_bias": -2.3e-4, "spacing_angstrom": 0.15}))
    assert "\N{MINUS SIGN}0.023 %" in grids
    assert "0.15 Å" in grids
    assert classical.grid_check({"unknown": 3}) == ""


def test_units_shows_each_unit_once():
    context = HenryContext(298.15, 900.0, 44.0, 1.2e-24)
    html = classical.units(1e-5, (9e-6, 1.1e-5), context)
    well_formed(html)
    assert all(html.count(unit.replace("&", "&amp;")) == 1 for unit in UNITS)
    unknown = HenryContext(298.15, 900.0, math.nan, 1.2e-24)
    assert "mg/(g bar)" not in classical.units(1e-5, (9e-6, 1.1e-5), unknown)


def test_selectivity_sentence():
    good = henry_selectivity(Estimate(6e-5, 1e-6), Estimate(2e-6, 3e-8))
    text = words_of(classical.selectivity("CO2", "N2", good))
    assert "CO₂ over N₂ : 30.0" in text.replace("N₂:", "N₂ :")
    assert "too uncertain" not in text
    bad = henry_selectivity(Estimate(6e-5, 4e-5), Estimate(2e-6, 3e-8))
    assert "too uncertain" in classical.selectivity("CO2", "N2", bad)
