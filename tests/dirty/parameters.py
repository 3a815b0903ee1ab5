"""Dirty force fields and guests."""

from __future__ import annotations

import json

import valid


def force_fields_yaml() -> dict[str, tuple[str, str | None]]:
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
            good.replace(
                "truncation:",
                "  - {types: [Zn, O_co2], epsilon_k: 1, sigma_angstrom: 1}\ntruncation:",
            ),
            "error",
        ),
        "pair negative": (good.replace("epsilon_k: 50.0", "epsilon_k: -50.0"), "error"),
        "cutoff zero": (good.replace("cutoff_angstrom: 12.0", "cutoff_angstrom: 0"), "error"),
        "cutoff tiny": (good.replace("cutoff_angstrom: 12.0", "cutoff_angstrom: 1.0e-9"), "error"),
        "cutoff huge": (good.replace("cutoff_angstrom: 12.0", "cutoff_angstrom: 1.0e+9"), "error"),
        "unknown key": (good + "epsilon: 3\n", "error"),
        "unknown truncation": (good.replace("shifted", "smooth"), "error"),
        "unknown mixing": (good + "mixing_rule: Waldman-Hagler\n", "error"),
        "empty types": (good.split("types:")[0] + "types: {}\n", "error"),
        "ten thousand types": (
            good.replace(
                "types:\n  Zn",
                "types:\n" + "".join(f"  T{i}: [1, 1]\n" for i in range(10_000)) + "  Zn",
            ),
            "record",
        ),
    }


def force_fields_json() -> dict[str, tuple[str, str | None]]:
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
            changed(
                SelfInteractions=[
                    *content["SelfInteractions"],
                    {"name": "Zn", "parameters": [1, 1]},
                ]
            ),
            "error",
        ),
        "same type twice": (
            changed(
                SelfInteractions=[*content["SelfInteractions"], content["SelfInteractions"][0]]
            ),
            "record",
        ),
        "atom twice": (
            changed(PseudoAtoms=[*content["PseudoAtoms"], {"name": "Zn", "charge": -3.0}]),
            "error",
        ),
        "key twice": (
            good.replace('"MixingRule"', '"MixingRule": "Jorgensen", "MixingRule"'),
            "error",
        ),
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


def guests_yaml() -> dict[str, tuple[str, str | None]]:
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
            head
            + site()
            + "  - {type: Q, position_angstrom: [0, 0, 0], epsilon_k: 0, sigma_angstrom: 1}\n",
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
    }


def guests_json() -> dict[str, tuple[str, str | None]]:
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
