// The answers by level, guest and temperature; ranking, heats, selectivity, and level against level.
const D = JSON.parse(document.getElementById("campaign").textContent);
const by = (id) => document.getElementById(id);
const HENRY = "mol/(kg Pa)", CLASSICAL = D.levels.indexOf("classical");
const state = { level: 0, guest: 0, temp: 0, words: "", one: 0, two: 1, colour: "error", layout: "pca" };

const index = new Map();
D.rows.unit.forEach((unit, k) => {
  const key = `${D.units.level[unit]}|${D.units.guest[unit]}|${D.rows.temp[k]}`;
  const row = { unit, host: D.units.host[unit], k: D.rows.k[k], lo: D.rows.lo[k], hi: D.rows.hi[k], rse: D.rows.rse[k], q: D.rows.q[k], qe: D.rows.qe[k] };
  if (!index.has(key)) index.set(key, []);
  index.get(key).push(row);
});
const answers = (level, guest, temp) => index.get(`${level}|${guest}|${temp}`) || [];
const matches = (host) => D.hosts[host].toLowerCase().includes(state.words);
const chosen = (host) => state.words !== "" && matches(host);
// The report of a unit, or its folder where it has none.
const href = (unit) => (D.units.state[unit] === "finished" ? `runs/${encodeURIComponent(D.units.id[unit])}/${D.units.report[unit] ? "report.html" : ""}` : null);
const kelvin = () => `${D.temps[state.temp]} K`;
const interval = (lo, hi) => `${number(lo)} to ${number(hi)}`;

function hostLink(unit) {
  const name = D.hosts[D.units.host[unit]], link = href(unit);
  return link ? node("a", { href: link, target: "_blank", rel: "noopener" }, name) : name;
}

// The best and the worst rank an answer can have: hosts whose intervals lie wholly above or below.
function ranks(rows) {
  const lows = rows.map((r) => r.lo).filter(known).sort((a, b) => a - b), highs = rows.map((r) => r.hi).filter(known).sort((a, b) => a - b);
  const below = (list, v) => { let a = 0, b = list.length; while (a < b) { const m = (a + b) >> 1; if (list[m] < v) a = m + 1; else b = m; } return a; };
  const above = (list, v) => { let a = 0, b = list.length; while (a < b) { const m = (a + b) >> 1; if (list[m] <= v) a = m + 1; else b = m; } return list.length - a; };
  for (const r of rows) r.ranks = known(r.lo) && known(r.hi) ? [1 + above(lows, r.hi), rows.length - below(highs, r.lo)] : null;
  [...rows].sort((a, b) => (b.k ?? -1) - (a.k ?? -1)).forEach((r, k) => { r.rank = k + 1; });
}

function whisker(row, low, high) {
  const svg = shape("svg", { viewBox: "0 0 160 16", class: "whisker", "aria-hidden": "true" });
  const x = (v) => 4 + (152 * (Math.log10(v) - low)) / (high - low || 1);
  if (row.k > 0 && row.lo > 0 && row.hi > 0) svg.append(shape("line", { x1: x(row.lo), x2: x(row.hi), y1: 8, y2: 8 }));
  if (row.k > 0) svg.append(shape("circle", { cx: x(row.k), cy: 8, r: 3.4 }));
  return svg;
}

function ranking() {
  const every = answers(state.level, state.guest, state.temp);
  ranks(every);
  const rows = every.filter((r) => matches(r.host));
  let low = 0, high = 1;
  const shown = (part) => {
    const ends = part.filter((r) => r.k > 0 && r.lo > 0 && r.hi > 0).flatMap((r) => [r.lo, r.hi]).map(Math.log10);
    [low, high] = [Math.min(...ends), Math.max(...ends)];
  };
  const others = D.levels.map((_, k) => k).filter((k) => k !== state.level);
  const found = others.map((k) => new Map(answers(k, state.guest, state.temp).map((r) => [r.host, r])));
  const columns = [
    { name: "rank", number: true, low: true, value: (r) => r.rank, cell: (r) => node("span", {}, String(r.rank), r.ranks && r.ranks[0] !== r.ranks[1] ? node("small", { title: "the ranks its interval allows" }, ` ${r.ranks[0]}–${r.ranks[1]}`) : null) },
    { name: "host", value: (r) => D.hosts[r.host], cell: (r) => node("span", {}, hostLink(r.unit), D.units.warned[r.unit] ? node("span", { class: "warned", title: "has warnings: see below" }, " !") : null) },
    { name: "K_H", unit: HENRY, number: true, value: (r) => r.k, cell: (r) => node("b", {}, number(r.k)) },
    { name: "95 % interval", number: true, value: (r) => r.hi / r.lo, cell: (r) => interval(r.lo, r.hi), csv: [[`low 95 % [${HENRY}]`, (r) => r.lo], [`high 95 % [${HENRY}]`, (r) => r.hi]] },
    { name: "", plain: true, value: (r) => r.k, cell: (r) => whisker(r, low, high) },
    { name: "rel. error", number: true, value: (r) => r.rse, cell: (r) => percent(r.rse) },
    { name: "Qst", unit: "kJ/mol", number: true, value: (r) => r.q, cell: (r) => withError(r.q, r.qe), csv: [["Qst [kJ/mol]", (r) => r.q], ["Qst standard error [kJ/mol]", (r) => r.qe]] },
    ...others.filter((_, k) => found[k].size).map((level) => {
      const at = found[others.indexOf(level)], one = (r) => at.get(r.host) || {};
      return { name: `K_H ${D.levels[level]}`, unit: HENRY, number: true, value: (r) => one(r).k ?? null, cell: (r) => (at.has(r.host) ? number(one(r).k) : "") };
    }),
    ...(every.some((r) => D.units.labels[r.unit]) ? [{ name: "labels", number: true, value: (r) => D.units.labels[r.unit], cell: (r) => count(D.units.labels[r.unit]) }] : []),
  ];
  table(by("ranking"), columns, rows, { by: 0, down: false, shown });
  ranked(every, others, found);
}

// Every answer in its place, with what other levels say of the same hosts above or below it.
function ranked(every, others, found) {
  const kinds = ["answer", "surrogate", "third", "fourth"], colour = (level) => (level === CLASSICAL ? "baseline" : kinds[D.levels.filter((_, k) => k !== CLASSICAL).indexOf(D.levels[level]) % kinds.length]);
  const point = (r, rank, level, large) => ({ x: rank, y: r.k, ys: [r.lo, r.hi], kind: colour(level), large, named: level !== state.level && others.reduce((n, _, j) => n + found[j].size, 0) < 13, title: D.hosts[r.host], lines: [`rank ${rank}${r.ranks && r.ranks[0] !== r.ranks[1] ? `, could be ${r.ranks[0]} to ${r.ranks[1]}` : ""}`, ...lines(r)], href: href(r.unit), chosen: chosen(r.host) });
  const points = every.map((r) => point(r, r.rank, state.level, false));
  for (const [k, level] of others.entries()) for (const r of every) if (found[k].has(r.host)) points.push(point(found[k].get(r.host), r.rank, level, every.length > 100));
  const told = [state.level, ...others.filter((_, k) => found[k].size)];
  scatter(by("ranks"), { x: { label: `rank by ${D.levels[state.level]} K_H` }, y: { label: `K_H at ${kelvin()} / ${HENRY}`, log: true }, points, kinds: told.length > 1 ? told.map((l) => [colour(l), D.levels[l]]) : null });
}

const lines = (r) => [`K_H ${number(r.k)} ${HENRY}`, `95 % ${interval(r.lo, r.hi)}`, `Qst ${withError(r.q, r.qe)} kJ/mol`, `${D.levels[D.units.level[r.unit]]}`];

function heats() {
  const points = answers(state.level, state.guest, state.temp).map((r) => ({ x: r.q, xs: [r.q - 1.96 * r.qe, r.q + 1.96 * r.qe], y: r.k, ys: [r.lo, r.hi], title: D.hosts[r.host], lines: lines(r), href: href(r.unit), chosen: chosen(r.host), kind: state.level === CLASSICAL ? "baseline" : "answer" }));
  scatter(by("heats"), { x: { label: "heat of adsorption Qst / kJ/mol" }, y: { label: `K_H at ${kelvin()} / ${HENRY}`, log: true }, points });
}

function selectivity() {
  if (!by("selectivity")) return;
  const { one, two } = state, straight = one < two;
  const part = D.selectivity.find((s) => s.level === state.level && s.temp === state.temp && s.one === Math.min(one, two) && s.two === Math.max(one, two));
  const tops = new Map(answers(state.level, one, state.temp).map((r) => [r.host, r])), feet = new Map(answers(state.level, two, state.temp).map((r) => [r.host, r]));
  const rows = (part ? part.host : []).map((host, k) => {
    const a = tops.get(host), b = feet.get(host), s = a.k / b.k, f = part.factor[k];
    return { host, s, lo: known(f) ? s / f : null, hi: known(f) ? s * f : null, shaky: part.shaky.includes(k), a, b };
  });
  const names = `${formula(D.guests[one])}/${formula(D.guests[two])}`;
  const points = rows.map((r) => ({ x: r.a.k, xs: [r.a.lo, r.a.hi], y: r.s, ys: [r.lo, r.hi], title: D.hosts[r.host], href: href(r.a.unit), chosen: chosen(r.host), kind: state.level === CLASSICAL ? "baseline" : "answer",
    lines: [`${names} ${number(r.s)}`, `95 % ${interval(r.lo, r.hi)}`, `K_H ${formula(D.guests[one])} ${number(r.a.k)} ${HENRY}`, ...(r.shaky ? ["too uncertain for this interval to be trusted"] : [])] }));
  scatter(by("selectivity"), { x: { label: `K_H of ${formula(D.guests[one])} at ${kelvin()} / ${HENRY}`, log: true }, y: { label: `Henry selectivity ${names}`, log: true }, points, guides: [{ value: 1, words: "no preference" }], empty: straight || one !== two ? undefined : "Choose two different guests." });
  table(by("selectivity-table"), [
    { name: "host", value: (r) => D.hosts[r.host], cell: (r) => hostLink(r.a.unit) },
    { name: `selectivity ${names}`, number: true, value: (r) => r.s, cell: (r) => node("b", {}, number(r.s)) },
    { name: "95 % interval", number: true, value: (r) => r.hi / r.lo, cell: (r) => interval(r.lo, r.hi) + (r.shaky ? " (!)" : ""), csv: [["low 95 %", (r) => r.lo], ["high 95 %", (r) => r.hi]] },
    { name: `K_H ${formula(D.guests[one])}`, unit: HENRY, number: true, value: (r) => r.a.k, cell: (r) => number(r.a.k) },
    { name: `K_H ${formula(D.guests[two])}`, unit: HENRY, number: true, value: (r) => r.b.k, cell: (r) => number(r.b.k) },
  ], rows.filter((r) => matches(r.host)), { by: 1, most: 10 });
}

function parity() {
  if (!by("parity")) return;
  const classical = new Map(answers(CLASSICAL, state.guest, state.temp).map((r) => [r.host, r]));
  const levels = D.levels.map((_, k) => k).filter((k) => k !== CLASSICAL && answers(k, state.guest, state.temp).length);
  const kinds = ["answer", "surrogate", "third", "fourth"], pairs = [];
  for (const level of levels) for (const r of answers(level, state.guest, state.temp)) {
    const c = classical.get(r.host);
    if (c && c.k > 0 && r.k > 0) pairs.push({ r, c, level });
  }
  const points = pairs.map(({ r, c, level }) => ({ x: c.k, xs: [c.lo, c.hi], y: r.k, ys: [r.lo, r.hi], kind: kinds[levels.indexOf(level) % kinds.length], title: D.hosts[r.host], href: href(r.unit), chosen: chosen(r.host),
    lines: [`${D.levels[level]} ${number(r.k)}, 95 % ${interval(r.lo, r.hi)}`, `classical ${number(c.k)}, 95 % ${interval(c.lo, c.hi)}`, `${number(r.k / c.k)} times the classical answer`] }));
  scatter(by("parity"), { x: { label: `classical K_H at ${kelvin()} / ${HENRY}`, log: true }, y: { label: `K_H at the reference / ${HENRY}`, log: true }, points, diagonal: true, whole: true, kinds: levels.map((l, k) => [kinds[k % kinds.length], D.levels[l]]) });
  by("parity-words").textContent = pairs.length ? parityWords(pairs) : "";
}

function parityWords(pairs) {
  const ratios = pairs.map(({ r, c }) => r.k / c.k).sort((a, b) => a - b), n = ratios.length;
  const middle = n % 2 ? ratios[(n - 1) / 2] : Math.sqrt(ratios[n / 2 - 1] * ratios[n / 2]);
  const apart = pairs.filter(({ r, c }) => r.lo > c.hi || r.hi < c.lo).length;
  let words = `${n} ${n === 1 ? "host has" : "hosts have"} both answers. The reference says ${number(middle, 2)} times the classical answer in the median, ${number(ratios[0], 2)} to ${number(ratios[n - 1], 2)} times over all; ${apart} of ${n} pairs of intervals do not touch.`;
  if (n > 3) {
    const order = (key) => { const sorted = [...pairs].sort((p, q) => p[key].k - q[key].k); return new Map(sorted.map((p, k) => [p, k])); };
    const a = order("r"), b = order("c"), sum = pairs.reduce((t, p) => t + (a.get(p) - b.get(p)) ** 2, 0);
    words += ` Rank correlation ${number(1 - (6 * sum) / (n * (n * n - 1)), 2)}.`;
  }
  return words;
}
