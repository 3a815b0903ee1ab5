"""Spoils valid files at random: bytes, lines, numbers and words, by a seed."""

from __future__ import annotations

import random
import re

ODD_NUMBERS = (
    "nan", "inf", "-inf", "1e308", "-1e308", "1e-320", "0", "-0.0", "-1", "1e9", "0.1.2", "1_0",
    "1(2)3", "?", ".", "", "+-3", "0x1f", "999999999999999999999", "１", "true", "null", "1/2",
)  # fmt: skip
ODD_WORDS = (
    "loop_", "data_x", "_atom_site_fract_x", ";", "'", '"', "#", "[", "]", "{", "}", ":", "- ",
    "&a", "*a", "!!python/object:os.system", "<<", "\x00", "\ufeff", "é", "\u202e", "\\", "\t",
    "Xx", "D", "x,y,z", "-x,-y,-z", "yes", "~", "%YAML 9.9",
)  # fmt: skip
NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")


def mutated(text: str, seed: int) -> bytes:
    """Return a valid text with one to four random changes."""
    rng = random.Random(seed)
    content = text
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        content = rng.choice(CHANGES)(content, rng)
    encoded = content.encode("utf-8", "surrogatepass")
    return _bytes(encoded, rng) if rng.random() < 0.15 else encoded


def _number(text: str, rng: random.Random) -> str:
    places = list(NUMBER.finditer(text))
    if not places:
        return text
    where = rng.choice(places)
    return text[: where.start()] + rng.choice(ODD_NUMBERS) + text[where.end() :]


def _digit(text: str, rng: random.Random) -> str:
    places = [i for i, letter in enumerate(text) if letter.isdigit()]
    if not places:
        return text
    where = rng.choice(places)
    return text[:where] + rng.choice("0123456789-.e") + text[where + 1 :]


def _word(text: str, rng: random.Random) -> str:
    where = rng.randint(0, len(text))
    return text[:where] + rng.choice(ODD_WORDS) + text[where:]


def _drop_line(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    if len(lines) < 2:
        return text
    del lines[rng.randrange(len(lines))]
    return "".join(lines)


def _double_line(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True)
    if not lines:
        return text
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
    return "".join(lines)


def _swap_words(text: str, rng: random.Random) -> str:
    words = list(re.finditer(r"\S+", text))
    if len(words) < 2:
        return text
    one, two = sorted(rng.sample(range(len(words)), 2))
    a, b = words[one], words[two]
    return text[: a.start()] + b[0] + text[a.end() : b.start()] + a[0] + text[b.end() :]


def _cut(text: str, rng: random.Random) -> str:
    return text[: rng.randint(0, len(text))]


def _repeat(text: str, rng: random.Random) -> str:
    start = rng.randint(0, len(text))
    end = min(len(text), start + rng.randint(1, 200))
    return text[:end] + text[start:end] * rng.choice((1, 2, 50)) + text[end:]


CHANGES = (
    _number, _number, _number, _digit, _digit, _word, _word,
    _drop_line, _double_line, _swap_words, _cut, _repeat,
)  # fmt: skip


def _bytes(content: bytes, rng: random.Random) -> bytes:
    spoilt = bytearray(content or b"x")
    for _ in range(rng.randint(1, 8)):
        spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
    return bytes(spoilt)
