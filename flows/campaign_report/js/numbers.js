"use strict";
// Numbers as people read them.
const MINUS = "\u2212", RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
const known = (x) => typeof x === "number" && Number.isFinite(x);
const raised = (n) => String(n).split("").map((c) => RAISED[c]).join("");

function number(x, digits = 3) {
  if (!known(x)) return "n/a";
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e-2 && size < 1e5) {
    const rounded = Number(x.toPrecision(digits)), places = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(rounded))));
    return rounded.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places }).replace("-", MINUS);
  }
  const [mantissa, power] = x.toExponential(digits - 1).split("e");
  return `${mantissa.replace("-", MINUS)} × 10${raised(Number(power))}`;
}

function withError(x, error) {
  if (!known(x)) return "n/a";
  if (!known(error) || error <= 0) return x.toFixed(2).replace("-", MINUS);
  const places = Math.min(6, Math.max(0, 1 - Math.floor(Math.log10(error))));
  return `${x.toFixed(places).replace("-", MINUS)} ± ${error.toFixed(places)}`;
}

function percent(x) {
  if (!known(x)) return "n/a";
  const value = 100 * x;
  return value >= 10 ? `${Math.round(value).toLocaleString("en")} %` : `${Number(value.toPrecision(2))} %`;
}

function duration(s) {
  if (!known(s)) return "n/a";
  if (s < 10) return `${Number(s.toPrecision(2))} s`;
  const minutes = Math.floor(Math.round(s) / 60), hours = Math.floor(minutes / 60);
  if (hours) return `${hours.toLocaleString("en")} h ${minutes % 60} min`;
  return minutes ? `${minutes} min ${Math.round(s) % 60} s` : `${Math.round(s)} s`;
}

const count = (n) => (known(n) ? Math.round(n).toLocaleString("en") : "n/a");
const formula = (name) => (/^([A-Z][a-z]?\d*)+$/.test(name) ? name.replace(/\d/g, (d) => "₀₁₂₃₄₅₆₇₈₉"[d]) : name);

// Text goes into the page as text nodes alone: no name can become markup.
function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return made;
}

// K_H and Qst as they are set: a lowered second part.
const LOWERED = /(K_H|Qst)/;
const lowered = (words, make) => words.split(LOWERED).filter((w) => w !== "").flatMap((w) => (w === "K_H" ? make("K", "H") : w === "Qst" ? make("Q", "st") : [w]));
const set = (words) => lowered(words, (base, low) => [base, node("sub", {}, low)]);

function shapeText(attributes, words) {
  const made = shape("text", attributes);
  let down = false;
  for (const part of lowered(words, (base, low) => [base, { low }])) {
    const piece = shape("tspan", part.low ? { dy: "0.3em", "font-size": "75%" } : down ? { dy: "-0.225em" } : {}, part.low || part);
    down = Boolean(part.low);
    made.append(piece);
  }
  return made;
}

function shape(tag, attributes = {}, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}
