"""The Parquet tables of a run: one schema each, every field with its unit and meaning."""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = 1
KJ = "kJ/mol"


def _field(name: str, kind: pa.DataType, unit: str, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"unit": unit, "description": description})


def _schema(table: str, description: str, fields: list[pa.Field]) -> pa.Schema:
    return pa.schema(
        fields,
        metadata={
            "widomill.table": table,
            "widomill.description": description,
            "widomill.schema_version": str(SCHEMA_VERSION),
        },
    )


def column(name: str, kind: str, unit: str, description: str) -> pa.Field:
    """Return a field of a table whose columns are known only when it is written.

    Args:
        name: of the column.
        kind: alias of an Arrow type, such as "float64".
        unit: "1" where there is none.
        description: what it means.
    """
    return _field(name, pa.type_for_alias(kind), unit, description)


def table_schema(table: str, description: str, fields: list[pa.Field]) -> pa.Schema:
    """Return the schema of such a table."""
    return _schema(table, description, fields)


_PLACEMENT = [
    _field("frac_x", pa.float64(), "1", "fractional x of the guest's centre of mass"),
    _field("frac_y", pa.float64(), "1", "fractional y of the guest's centre of mass"),
    _field("frac_z", pa.float64(), "1", "fractional z of the guest's centre of mass"),
    _field("quat_w", pa.float64(), "1", "orientation quaternion, scalar part"),
    _field("quat_x", pa.float64(), "1", "orientation quaternion, x"),
    _field("quat_y", pa.float64(), "1", "orientation quaternion, y"),
    _field("quat_z", pa.float64(), "1", "orientation quaternion, z"),
]

PLACEMENT_COLUMNS = tuple(f.name for f in _PLACEMENT)

_SAMPLED = [
    _field("insertion", pa.int64(), "1", "number of the insertion within its table"),
    *_PLACEMENT,
    _field("overlap", pa.bool_(), "1", "inside the hard core: weight zero at every level"),
    _field("baseline_kj_per_mol", pa.float64(), KJ, "classical energy; +inf where overlap"),
    _field("proposal_weight", pa.float64(), "1", "v = p/q, uniform over proposal density"),
]

_SCORE = [
    _field("surrogate_kj_per_mol", pa.float64(), KJ, "surrogate mean energy"),
    _field("surrogate_sd_kj_per_mol", pa.float64(), KJ, "calibrated surrogate standard deviation"),
    _field(
        "prediction_kj_per_mol",
        pa.float64(),
        KJ,
        "stands for it in the sum: the mean, raised where uncertain",
    ),
]

SCORE_COLUMNS = tuple(f.name for f in _SCORE)

_ROUTE = [
    _field("routing_probability", pa.float64(), "1", "known probability of being labelled"),
    _field("labelled", pa.bool_(), "1", "drawn for the reference in this round"),
]

TABLE = _schema("table", "Insertions drawn from one proposal, with baseline energies.", _SAMPLED)

REMEMBERED = _schema(
    "remembered",
    "Insertions of a classical run that its binding sites are looked for among.",
    [
        *_PLACEMENT,
        _field("baseline_kj_per_mol", pa.float64(), KJ, "classical energy"),
        _field("proposal_weight", pa.float64(), "1", "weight that makes typical ones a sample"),
        _field("typical", pa.bool_(), "1", "drawn by its share of the answer, else lowest"),
    ],
)

SCORES = _schema(
    "scores",
    "Surrogate scores of the non-overlapping insertions of a table in one round.",
    [_field("insertion", pa.int64(), "1", "number of the insertion within its table"), *_SCORE],
)

PROBABILITIES = _schema(
    "probabilities",
    "Routing probabilities of the non-overlapping insertions of a batch in one round.",
    [
        _field("insertion", pa.int64(), "1", "number of the insertion within its table"),
        _ROUTE[0],
    ],
)

ROUTED = _schema(
    "routed",
    "Insertions drawn for the reference in one round, with all that the estimator needs.",
    [
        _field("round", pa.int32(), "1", "round that drew it"),
        *_SAMPLED,
        *_SCORE,
        *_ROUTE,
        _field("label_key", pa.string(), "", "content address of the label"),
    ],
)

INSERTIONS = _schema(
    "insertions",
    "All insertions of the run with the scores of the last round that used their table.",
    [
        _field("table", pa.int32(), "1", "table (one proposal each) the insertion belongs to"),
        _field("round", pa.int32(), "1", "round the scores belong to; null where never scored"),
        *_SAMPLED,
        *_SCORE,
        *_ROUTE,
    ],
)

UPGRADED = _schema(
    "upgraded",
    "Labelled insertions of a finished run that were drawn for a higher reference level.",
    [
        _field("round", pa.int32(), "1", "round that labelled it at the run's level"),
        _field("insertion", pa.int64(), "1", "number of the insertion within its table"),
        *_PLACEMENT,
        _field("baseline_kj_per_mol", pa.float64(), KJ, "classical energy"),
        _field("low_kj_per_mol", pa.float64(), KJ, "label at the run's level; surrogate if failed"),
        _field("second_probability", pa.float64(), "1", "known probability of this second draw"),
        _field("label_key", pa.string(), "", "content address of the label at the higher level"),
    ],
)

LABELS = _schema(
    "labels",
    "Reference interaction energies, addressed by content.",
    [
        _field("label_key", pa.string(), "", "hash of reference, host, guest and geometry"),
        _field("reference_key", pa.string(), "", "hash of the reference level and its settings"),
        _field("host_hash", pa.string(), "", "content hash of the host"),
        _field("guest_hash", pa.string(), "", "content hash of the guest"),
        _field("round", pa.int32(), "1", "round that paid for it (0: relaxed binding site)"),
        *_PLACEMENT,
        _field("baseline_kj_per_mol", pa.float64(), KJ, "classical energy of the same geometry"),
        _field("energy_kj_per_mol", pa.float64(), KJ, "reference energy; NaN when failed"),
        *[
            _field(f"force_{a}", pa.float64(), "kJ/mol/angstrom", "net guest force; null if none")
            for a in "xyz"
        ],
        *[
            _field(f"torque_{a}", pa.float64(), KJ, "torque about the body origin; null if none")
            for a in "xyz"
        ],
        _field("status", pa.string(), "", "ok, retried or failed"),
        _field("reason", pa.string(), "", "why it failed or was retried"),
        _field("seconds", pa.float64(), "s", "wall time of the reference call"),
    ],
)

_HENRY = "mol/(kg Pa)"

ROUNDS = _schema(
    "rounds",
    "One row per round and temperature: that round's estimate, and all rounds combined.",
    [
        _field("round", pa.int32(), "1", "round number, from 1"),
        _field("temperature_k", pa.float64(), "K", "temperature"),
        _field("table", pa.int32(), "1", "table of insertions the round used"),
        _field("insertions", pa.int64(), "1", "insertions in that table"),
        _field("overlap_fraction", pa.float64(), "1", "uniform-volume share inside the hard core"),
        _field("labels_round", pa.int64(), "1", "labels drawn in this round"),
        _field("labels_total", pa.int64(), "1", "distinct reference calls so far"),
        _field("label_failures", pa.int64(), "1", "failed labels in this round"),
        _field("failed_share", pa.float64(), "1", "share of the surrogate's answer they stood for"),
        _field("baseline_henry", pa.float64(), _HENRY, "baseline's own answer on the table"),
        _field("surrogate_henry", pa.float64(), _HENRY, "surrogate's own answer on the table"),
        _field("round_henry", pa.float64(), _HENRY, "corrected answer of this round alone"),
        _field("table_error", pa.float64(), _HENRY, "sampling standard error of the table"),
        _field("design_error", pa.float64(), _HENRY, "standard error from labelling a share"),
        _field("predicted_error", pa.float64(), _HENRY, "design error predicted before labelling"),
        _field("combination_weight", pa.float64(), "1", "weight among the rounds so far"),
        _field("henry", pa.float64(), _HENRY, "combined answer of all rounds so far"),
        _field("henry_ci_low", pa.float64(), _HENRY, "lower 95 % limit"),
        _field("henry_ci_high", pa.float64(), _HENRY, "upper 95 % limit"),
        _field("relative_standard_error", pa.float64(), "1", "of the combined answer"),
        _field("effective_samples", pa.float64(), "1", "Kish size of the table's weights"),
        _field("correction_effective_samples", pa.float64(), "1", "Kish size of the labels"),
        _field("largest_weight_share", pa.float64(), "1", "largest term's share of the answer"),
        _field("qst_kj_per_mol", pa.float64(), KJ, "heat of adsorption, combined"),
        _field("qst_standard_error", pa.float64(), KJ, "its standard error"),
        _field("surrogate_mae_kj_per_mol", pa.float64(), KJ, "on this round's unseen labels"),
        _field("calibration", pa.float64(), "1", "factor on the surrogate's spread"),
        _field("seconds", pa.float64(), "s", "wall time of the round"),
    ],
)

RESULTS = _schema(
    "results",
    "One row per temperature: the answer with its uncertainty and what it rests on.",
    [
        _field("host", pa.string(), "", "host name"),
        _field("guest", pa.string(), "", "guest name"),
        _field("temperature_k", pa.float64(), "K", "temperature"),
        _field("reference", pa.string(), "", "reference level of theory"),
        _field("henry_mol_per_kg_pa", pa.float64(), _HENRY, "Henry coefficient"),
        _field("henry_mol_per_kg_bar", pa.float64(), "mol/(kg bar)", "the same"),
        _field("henry_dimensionless", pa.float64(), "1", "the same, times rho R T"),
        _field("henry_cm3_stp_per_cm3_bar", pa.float64(), "cm3(STP)/(cm3 bar)", "the same"),
        _field("henry_ci95_low", pa.float64(), _HENRY, "lower 95 % limit"),
        _field("henry_ci95_high", pa.float64(), _HENRY, "upper 95 % limit"),
        _field("henry_relative_standard_error", pa.float64(), "1", "relative standard error"),
        _field("qst_kj_per_mol", pa.float64(), KJ, "isosteric heat of adsorption"),
        _field("qst_standard_error", pa.float64(), KJ, "its standard error"),
        _field("binding_energy_kj_per_mol", pa.float64(), KJ, "lowest reference energy found"),
        _field("baseline_henry_mol_per_kg_pa", pa.float64(), _HENRY, "baseline's own answer"),
        _field("surrogate_henry_mol_per_kg_pa", pa.float64(), _HENRY, "surrogate's own answer"),
        _field("insertions", pa.int64(), "1", "insertions the answer averages over"),
        _field("insertions_evaluated", pa.int64(), "1", "those that only taught included"),
        _field("overlap_fraction", pa.float64(), "1", "share of the cell inside the hard core"),
        _field("effective_samples", pa.float64(), "1", "Kish size of the table's weights"),
        _field("excluded_share", pa.float64(), "1", "share of the whole in closed pockets"),
        _field("pockets", pa.int64(), "1", "closed pockets"),
        _field("energies", pa.string(), "", "classical energies: grid, direct or auto"),
        _field("labels", pa.int64(), "1", "reference calls paid"),
        _field("label_failures", pa.int64(), "1", "of which failed"),
        _field("failed_share", pa.float64(), "1", "share of the answer they stood for"),
        _field("correction_effective_samples", pa.float64(), "1", "Kish size of the labels"),
        _field("largest_weight_share", pa.float64(), "1", "largest term's share of the answer"),
        _field("rounds", pa.int32(), "1", "rounds done"),
        _field("stopped_because", pa.string(), "", "target, label budget or round limit"),
        _field("verdict", pa.string(), "", "what limits the interval and what would halve it"),
        _field("seed", pa.int64(), "1", "random seed"),
        _field("host_hash", pa.string(), "", "content hash of the host"),
        _field("guest_hash", pa.string(), "", "content hash of the guest"),
        _field("reference_key", pa.string(), "", "content hash of the reference"),
        _field("reference_offset_kj_per_mol", pa.float64(), KJ, "accepted offset; null if none"),
        _field("warnings", pa.string(), "", "warnings that belong to the number, one per line"),
    ],
)

ISOTHERM = _schema(
    "isotherm",
    "One row per point of an isotherm: absolute loading with its error.",
    [
        _field("host", pa.string(), "", "host name"),
        _field("guest", pa.string(), "", "guest name"),
        _field("force_field", pa.string(), "", "force field"),
        _field("temperature_k", pa.float64(), "K", "temperature"),
        _field("pressure_pa", pa.float64(), "Pa", "pressure"),
        _field("fugacity_coefficient", pa.float64(), "1", "fugacity over pressure"),
        _field("mol_per_kg", pa.float64(), "mol/kg", "loading per mass of empty host"),
        _field("mol_per_kg_standard_error", pa.float64(), "mol/kg", "its standard error"),
        _field("molecules_per_cell", pa.float64(), "1", "loading per cell of host.cif"),
        _field("molecules_per_cell_standard_error", pa.float64(), "1", "its standard error"),
        _field("mg_per_g", pa.float64(), "mg/g", "the same loading"),
        _field("cm3_stp_per_cm3", pa.float64(), "cm3(STP)/cm3", "the same loading"),
        _field("heat_of_adsorption_kj_per_mol", pa.float64(), KJ, "from fluctuations; or null"),
        _field("heat_of_adsorption_kj_per_mol_standard_error", pa.float64(), KJ, "its error"),
        _field("autocorrelation_cycles", pa.float64(), "1", "autocorrelation time, cycles"),
        _field("moves", pa.int64(), "1", "Monte Carlo moves in all"),
        _field("energy_drift_kj_per_mol", pa.float64(), KJ, "running less recomputed energy"),
        _field("seed", pa.int64(), "1", "random seed"),
        _field("host_hash", pa.string(), "", "content hash of the host"),
        _field("guest_hash", pa.string(), "", "content hash of the guest"),
    ],
)

CATALOGUE = _schema(
    "catalogue",
    "One row per file of an import: what it is, whether it was accepted, and why not.",
    [
        _field("id", pa.string(), "", "name of the host, safe as a file name"),
        _field("path", pa.string(), "", "copy to use, from the table's folder; null if refused"),
        _field("verdict", pa.string(), "", "accepted, accepted with warning, or refused"),
        _field("reasons", pa.string(), "", "what speaks against it, one per line"),
        _field("notes", pa.string(), "", "what else was found, one per line"),
        _field("checks", pa.string(), "", "names of the checks behind the reasons"),
        _field("formula", pa.string(), "", "atoms of the primitive cell"),
        _field("atoms", pa.int64(), "1", "atoms of the file's cell, symmetry expanded"),
        _field("atoms_primitive", pa.int64(), "1", "atoms of the primitive cell"),
        _field("volume_angstrom3", pa.float64(), "angstrom3", "volume of the primitive cell"),
        _field("density_kg_per_m3", pa.float64(), "kg/m3", "crystal density"),
        _field("has_charges", pa.bool_(), "", "whether the copy has partial charges"),
        _field("host_hash", pa.string(), "", "content hash of the host, as in results"),
        _field("source", pa.string(), "", "the file it was read from"),
    ],
)

UNITS = _schema(
    "units",
    "The plan of a campaign: one row per host, guest and level.",
    [
        _field("unit", pa.string(), "", "name of the run folder under runs/"),
        _field("host", pa.string(), "", "the host's id in the campaign"),
        _field("guest", pa.string(), "", "guest"),
        _field("level", pa.string(), "", "classical, or the reference as written"),
        _field("settings", pa.string(), "", "settings of the run, JSON"),
    ],
)

CAMPAIGN_RESULTS = _schema(
    "campaign_results",
    "All answers of a campaign, one row per unit and temperature; what `export` writes.",
    [
        _field("unit_id", pa.string(), "", "unit: name of its run folder"),
        _field("host_id", pa.string(), "", "host's id in the campaign"),
        _field("level", pa.string(), "", "classical, or the reference level"),
        _field("force_field", pa.string(), "", "force field of the classical level"),
        *RESULTS,
        _field("wall_s", pa.float64(), "s", "wall time of the unit, all temperatures"),
        _field("reference_s", pa.float64(), "s", "time of its reference calls"),
    ],
)

FINGERPRINTS = _schema(
    "fingerprints",
    "What a guest feels in a host on average: kept for the coverage map of a campaign's report.",
    [
        _field("unit", pa.string(), "", "classical unit of the host and guest"),
        _field("kind", pa.string(), "", "guest site type and atomic number of host atoms"),
        _field("moments", pa.list_(pa.float64()), "1", "mean radial moments, near to far"),
    ],
)
