// The ranking of a screen: what is believed of each host, and the probability that it belongs on top.
const SHOWN_RANKS = 60;

function screening() {
  const S = D.screening, at = (name) => S.columns.findIndex((c) => c.name === name);
  const ends = (c) => [at(`${c.name}_low`), at(`${c.name}_high`)];
  const paired = new Set(S.columns.flatMap(ends).concat(at("probability_error")));
  const told = (c, k, r) => {
    if (!c.number) return String(r[k] ?? "");
    if (c.name === "probability") return percent(r[k]);
    if (!known(r[k])) return "";
    const [low, high] = ends(c), middle = c.whole ? count(r[k]) : number(r[k]);
    return low < 0 ? middle : node("span", {}, node("b", {}, middle), node("small", {}, ` ${interval(r[low], r[high])}`));
  };
  const columns = S.columns.map((c, k) => ({ name: c.name, unit: c.unit, title: c.words, number: c.number, low: c.name === "rank", value: (r) => r[k], cell: (r) => told(c, k, r) }));
  const hide = (c, k) => (paired.has(k) ? { ...c, hidden: true } : c);
  table(by("screening"), columns.map(hide), S.rows, { by: Math.max(0, at("rank")), down: false });
  believed(S, at, ends);
}

function believed(S, at, ends) {
  const main = S.columns.find((c) => c.number && ends(c)[0] >= 0), [rank, host, chance] = ["rank", "host", "probability"].map(at);
  if (!main || rank < 0 || host < 0) { by("screening-picture").remove(); return; }
  const k = at(main.name), [low, high] = ends(main), rows = S.rows.filter((r) => r[rank] <= SHOWN_RANKS);
  const log = rows.every((r) => r[low] > 0) && Math.max(...rows.map((r) => r[k])) > 20 * Math.min(...rows.map((r) => r[k]));
  const points = rows.map((r) => ({ x: r[rank], y: r[k], ys: [r[low], r[high]], value: chance < 0 ? null : r[chance], title: r[host], lines: [`rank ${r[rank]}`, `${main.name} ${number(r[k])} ${main.unit}`, `95 % ${interval(r[low], r[high])}`, ...(chance < 0 ? [] : [`on top with ${percent(r[chance])}`])] }));
  scatter(by("screening-picture"), { x: { label: "rank" }, y: { label: `${main.name}${main.unit ? ` / ${main.unit}` : ""}`, log }, points, whole: true, scale: chance < 0 ? null : { label: "probability of belonging on top" } });
}
