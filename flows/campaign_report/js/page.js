// Coverage, budget, what went wrong; and the controls that all pictures follow.
const ROOM_K = 298.15;

function coverage() {
  if (!by("coverage")) return;
  const map = D.maps.find((m) => m.guest === state.guest);
  const place = by("coverage");
  if (!map) { place.replaceChildren(node("p", { class: "note" }, "There is no map for this guest.")); by("coverage-words").textContent = ""; return; }
  const umap = state.layout === "umap" && map.ux, xs = umap ? map.ux : map.x, ys = umap ? map.uy : map.y;
  const seen = new Map(), rows = new Map();
  D.units.host.forEach((host, unit) => { if (D.units.guest[unit] === state.guest && D.units.labels[unit] > 0) { const was = seen.get(host); if (was === undefined || known(D.units.mae[unit])) seen.set(host, unit); } });
  for (const level of [CLASSICAL, state.level]) for (const r of answers(level, state.guest, state.temp)) rows.set(r.host, r);
  const value = { error: (h) => (seen.has(h) ? D.units.mae[seen.get(h)] : null), henry: (h) => (rows.get(h) || {}).k ?? null, far: (h, k) => map.near && map.near[k] }[state.colour];
  const points = map.host.map((host, k) => {
    const unit = seen.get(host), row = rows.get(host), told = [];
    if (unit !== undefined) told.push(`${count(D.units.labels[unit])} labels, surrogate off by ${number(D.units.mae[unit], 2)} kJ/mol`);
    else if (map.near) told.push(`no labels; ${number(map.near[k], 2)} from the nearest host that has some`);
    if (row) told.push(`K_H ${number(row.k)} ${HENRY}`);
    return { x: xs[k], y: ys[k], value: value(host, k), kind: unit === undefined ? "unseen" : "seen", large: unit !== undefined, title: D.hosts[host], named: unit !== undefined && seen.size < 25, lines: told, chosen: chosen(host), href: row ? href(row.unit) : null };
  });
  const share = (k) => (umap ? "" : ` (${percent(map.shares[k])} of the variance)`);
  const scale = { error: { label: "surrogate's error / kJ/mol" }, henry: { label: `K_H / ${HENRY}`, log: true }, far: { label: "distance to the nearest host with labels" } }[state.colour];
  scatter(place, { x: { label: `${umap ? "UMAP 1" : "component 1"}${share(0)}` }, y: { label: `${umap ? "UMAP 2" : "component 2"}${share(1)}` }, points, scale, kinds: [["seen", "has labels"], ["unseen", "has none"]] });
  by("coverage-words").textContent = coverageWords(map, seen);
}

function coverageWords(map, seen) {
  if (!seen.size) return "No host has labels for this guest: nothing has been seen yet.";
  const far = map.host.map((host, k) => [D.hosts[host], map.near[k], host]).filter(([, d, host]) => d > 0 && !seen.has(host)).sort((a, b) => b[1] - a[1]).slice(0, 3);
  const words = `${map.host.filter((host) => seen.has(host)).length} of ${map.host.length} hosts have labels for ${formula(D.guests[map.guest])}.`;
  return far.length ? `${words} Farthest from them: ${far.map(([name, d]) => `${name} (${number(d, 2)})`).join(", ")}; 1 is the usual distance between neighbours.` : words;
}

function bars(place, rows) {
  const most = Math.max(...rows.map((r) => r.parts.reduce((t, [, v]) => t + v, 0)), 1e-300);
  place.replaceChildren(...rows.map((r) => node("div", { class: "row" }, node("span", { class: "what" }, r.name),
    node("span", { class: "track" }, ...r.parts.map(([kind, v]) => { const part = node("span", { class: kind }); part.style.width = `${((100 * v) / most).toFixed(2)}%`; return part; })), node("span", { class: "much" }, r.words))));
}

function budget() {
  const U = D.units, ids = U.id.map((_, k) => k).filter((k) => known(U.wall[k]));
  const sum = (list, pick) => list.reduce((t, k) => t + (pick(k) || 0), 0);
  const spent = (k) => [["labelling", Math.min(U.ref_s[k] || 0, U.wall[k])], ["rest", Math.max(0, U.wall[k] - (U.ref_s[k] || 0))]];
  bars(by("budget-levels"), D.levels.map((name, level) => {
    const own = ids.filter((k) => U.level[k] === level), labels = sum(own, (k) => U.labels[k]);
    const parts = own.map(spent);
    return { name, parts: [0, 1].map((i) => [["labelling", "rest"][i], parts.reduce((t, p) => t + p[i][1], 0)]), words: `${duration(sum(own, (k) => U.wall[k]))} in ${count(own.length)} units${labels ? `, ${count(labels)} labels (${duration(sum(own, (k) => U.ref_s[k]))})` : ""}` };
  }));
  const dear = [...ids].sort((a, b) => U.wall[b] - U.wall[a]).slice(0, 10);
  bars(by("budget-units"), dear.map((k) => ({ name: node("span", {}, hostLink(k), ` ${formula(D.guests[U.guest[k]])}, ${D.levels[U.level[k]]}`), parts: spent(k), words: `${duration(U.wall[k])}${U.labels[k] ? `, ${count(U.labels[k])} labels` : ""}` })));
  if (by("budget-labels")) {
    const points = D.rows.unit.map((unit, k) => ({ unit, k })).filter(({ unit }) => U.labels[unit] > 0).map(({ unit, k }) => ({ x: U.labels[unit], y: 100 * D.rows.rse[k], title: D.hosts[U.host[unit]], unnamed: D.rows.temp[k] !== state.temp, href: href(unit), lines: [`${D.guests[U.guest[unit]]} at ${D.temps[D.rows.temp[k]]} K, ${D.levels[U.level[unit]]}`, `${count(U.labels[unit])} labels, ${percent(D.rows.rse[k])}`, D.stopped[U.stopped[unit]] || ""] }));
    scatter(by("budget-labels"), { x: { label: "labels paid", log: true }, y: { label: "relative standard error of K_H / %", log: true }, points });
  }
}

function wrongs() {
  if (by("failures")) table(by("failures"), [
    { name: "host", value: (f) => f.host }, { name: "guest", value: (f) => f.guest }, { name: "level", value: (f) => f.level },
    { name: "reason", wrap: true, value: (f) => `${f.error}: ${f.reason}`, cell: (f) => node("span", {}, node("b", {}, f.error), ` ${f.reason}`) }, { name: "attempts", number: true, value: (f) => f.attempts }, { name: "when", value: (f) => f.when },
  ], D.failures, { by: 3, down: false, most: 15 });
  if (by("warnings")) by("warnings").replaceChildren(...D.warnings.map((w) => node("details", {}, node("summary", {}, node("b", {}, count(w.units.length)), ` ${w.units.length === 1 ? "unit" : "units"}: ${w.example}`),
    node("p", { class: "note" }, ...w.units.slice(0, 200).flatMap((k, n) => [n ? ", " : "", node("span", {}, hostLink(k), ` ${D.guests[D.units.guest[k]]}`)]), w.units.length > 200 ? ` and ${count(w.units.length - 200)} more` : ""))));
}

const choose = (id, names, key, change) => {
  const place = by(id);
  if (!place) return;
  place.replaceChildren(...names.map(([value, words]) => node("option", { value, selected: String(value) === String(state[key]) }, words)));
  place.addEventListener("change", () => { state[key] = /^\d+$/.test(place.value) ? Number(place.value) : place.value; change(); });
};

function all() { for (const part of [ranking, heats, selectivity, parity, coverage]) part(); }

function start() {
  document.body.append(bubble);
  const sizes = D.levels.map((_, k) => D.units.level.filter((l, u) => l === k && D.units.state[u] === "finished").length);
  state.level = sizes.indexOf(Math.max(...sizes));
  const away = D.temps.map((t) => Math.abs(t - ROOM_K));
  state.temp = Math.max(0, away.indexOf(Math.min(...away)));
  state.colour = D.units.mae.filter(known).length > 2 ? "error" : "henry";
  const listed = (names) => names.map((name, k) => [k, name]);
  choose("level", listed(D.levels), "level", all);
  choose("guest", listed(D.guests.map(formula)), "guest", all);
  choose("temp", D.temps.map((t, k) => [k, `${t} K`]), "temp", all);
  choose("one", listed(D.guests.map(formula)), "one", selectivity);
  choose("two", listed(D.guests.map(formula)), "two", selectivity);
  choose("colour", [["error", "surrogate's error"], ["henry", "Henry coefficient"], ["far", "distance to labelled hosts"]], "colour", coverage);
  choose("layout", [["pca", "PCA"], ...(D.maps.some((m) => m.ux) ? [["umap", "UMAP"]] : [])], "layout", coverage);
  let waiting = null;
  by("words").addEventListener("input", (event) => { state.words = event.target.value.trim().toLowerCase(); clearTimeout(waiting); waiting = setTimeout(all, 120); });
  all(); budget(); wrongs(); if (D.screening) screening();
  document.body.dataset.drawn = "yes";
}

start();
