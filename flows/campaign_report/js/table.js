// A table that is sorted by a click on its head, filtered from outside, shown in part, and copied.
const PAGE = 25;

// columns: [{name, unit, value: row => sortable, cell: row => node or text, text: row => CSV, low: smaller first}]
function table(place, columns, rows, options = {}) {
  let by = options.by ?? 0, down = options.down ?? true, most = options.most || PAGE;
  const compare = (a, b) => {
    const p = columns[by].value(a), q = columns[by].value(b), sign = down ? -1 : 1;
    const empty = (v) => v === null || v === undefined || Number.isNaN(v);
    if (empty(p) || empty(q)) return empty(p) - empty(q);
    return sign * (typeof p === "string" ? p.localeCompare(q, "en", { numeric: true }) : p - q);
  };
  const draw = () => {
    const sorted = [...rows].sort(compare);
    const head = node("tr", {}, ...columns.map((c, k) => c.hidden ? null : node("th", { class: c.number ? "n" : "", title: c.title, "aria-sort": k === by ? (down ? "descending" : "ascending") : "none" },
      node("button", { type: "button", on: { click: () => { down = k === by ? !down : Boolean(c.number && !c.low); by = k; draw(); } } }, ...set(c.name), c.unit ? node("small", {}, ` ${c.unit}`) : null, k === by ? node("span", { class: "arrow" }, down ? " ▾" : " ▴") : null))));
    if (options.shown) options.shown(sorted.slice(0, most));
    const body = sorted.slice(0, most).map((row, k) => node("tr", { class: row.chosen ? "chosen" : "" }, ...columns.map((c) => c.hidden ? null : node("td", { class: c.number ? "n" : c.wrap ? "wrap" : "" }, c.cell ? c.cell(row, k) : String(c.value(row) ?? "")))));
    const foot = node("p", { class: "note tools" }, `${Math.min(most, rows.length).toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows `);
    if (rows.length > most) foot.append(button("more", () => { most *= 4; draw(); }), button("all", () => { most = Infinity; draw(); }));
    foot.append(button("copy as CSV", (event) => copy(event.target, csv(columns, sorted))));
    place.replaceChildren(node("div", { class: "scroll" }, node("table", { class: "sortable" }, node("thead", {}, head), node("tbody", {}, ...body))), foot);
  };
  draw();
}

const button = (words, click) => node("button", { type: "button", on: { click } }, words);

function csv(columns, rows) {
  const shield = (v) => {
    const text = v === null || v === undefined || Number.isNaN(v) ? "" : String(v);
    const safe = typeof v !== "number" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const kept = columns.flatMap((c) => c.csv || (c.plain ? [] : [[c.unit ? `${c.name} [${c.unit}]` : c.name, c.value]]));
  return [kept.map(([name]) => shield(name)), ...rows.map((row) => kept.map(([, value]) => shield(value(row))))].map((line) => line.join(",")).join("\r\n");
}

function copy(target, text) {
  const done = (words) => { const was = target.textContent; target.textContent = words; setTimeout(() => { target.textContent = was; }, 1500); };
  const byHand = () => {
    const area = node("textarea", { class: "away" });
    area.value = text;
    document.body.append(area);
    area.select();
    done(document.execCommand("copy") ? "copied" : "copying is not allowed here");
    area.remove();
  };
  if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(text).then(() => done("copied"), byHand);
  else byHand();
}
