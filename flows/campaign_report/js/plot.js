// One kind of picture: points with intervals on two axes, a word on hover, drag to zoom.
const FRAME = { width: 860, height: 470, left: 74, right: 18, top: 14, bottom: 50 };
const STOPS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 211, 37]];
const FEW_NAMED = 40;
const bubble = node("div", { class: "bubble", role: "status" });

function shade(t) {
  const place = Math.min(0.9999, Math.max(0, t)) * (STOPS.length - 1), k = Math.floor(place);
  const mixed = STOPS[k].map((c, i) => Math.round(c + (place - k) * (STOPS[k + 1][i] - c)));
  return `rgb(${mixed.join(",")})`;
}

function extent(values, log) {
  const usable = values.filter((v) => known(v) && (!log || v > 0)).map((v) => (log ? Math.log10(v) : v));
  if (!usable.length) return null;
  let low = Infinity, high = -Infinity;
  for (const v of usable) { if (v < low) low = v; if (v > high) high = v; }
  const margin = 0.04 * (high - low) || (log ? 0.2 : 0.5);
  return [low - margin, high + margin];
}

function ticks([low, high], log) {
  const step0 = (high - low) / (log ? 7 : 6);
  if (log && high - low > 2.4) {
    const step = Math.max(1, Math.ceil(step0)), found = [];
    for (let p = Math.ceil(low / step) * step; p <= high; p += step) found.push([p, `10${raised(p)}`]);
    return found;
  }
  if (log) {
    const wide = 10 ** low, far = 10 ** high, found = [];
    for (let p = Math.floor(low); p <= high; p++) for (const m of [1, 2, 5]) if (m * 10 ** p >= wide && m * 10 ** p <= far) found.push([Math.log10(m * 10 ** p), number(m * 10 ** p, 1)]);
    return found.length > 1 ? found : ticks([wide, far], false).filter(([v]) => v > 0).map(([v]) => [Math.log10(v), number(v, 3)]);
  }
  const size = 10 ** Math.floor(Math.log10(step0));
  const step = [1, 2, 5, 10].map((m) => m * size).find((s) => s >= step0), found = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) {
    const value = k * step, places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const short = Math.abs(value) < 1e5 && places < 5;
    found.push([value, short ? value.toFixed(places).replace("-", MINUS) : number(value, 2)]);
  }
  return found;
}

// spec: {x: {label, log}, y: {label, log}, points: [{x, y, xs, ys, kind, value, title, lines, host, href}],
//        diagonal, kinds: [[class, words]], scale: {label, log}, guides: [{value, words}]}
function scatter(place, spec) {
  let window_ = null;
  const draw = () => {
    place.replaceChildren(); // the newest picture only
    const axes = window_ || frame(spec);
    if (!axes) { place.append(node("p", { class: "note" }, spec.empty || "Nothing to show for this choice.")); return; }
    place.append(...picture(spec, axes, (zoomed) => { window_ = zoomed; draw(); }, window_ !== null));
  };
  draw();
}

function frame(spec) {
  const all = (axis) => spec.points.flatMap((p) => [p[axis], ...(spec.whole ? p[axis + "s"] || [] : [])]);
  let x = extent(all("x"), spec.x.log), y = extent(all("y"), spec.y.log);
  if (!x || !y) return null;
  if (spec.diagonal) x = y = [Math.min(x[0], y[0]), Math.max(x[1], y[1])];
  return { x, y };
}

function picture(spec, axes, zoom, zoomed) {
  const { width, height, left, right, top, bottom } = FRAME;
  const raw = { x: (v) => (spec.x.log ? Math.log10(v) : v), y: (v) => (spec.y.log ? Math.log10(v) : v) };
  const sx = (v) => left + ((v - axes.x[0]) / (axes.x[1] - axes.x[0])) * (width - left - right);
  const sy = (v) => height - bottom - ((v - axes.y[0]) / (axes.y[1] - axes.y[0])) * (height - top - bottom);
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, class: "plot", role: "img", "aria-label": `${spec.y.label} against ${spec.x.label}` });
  for (const [v, words] of ticks(axes.x, spec.x.log)) {
    svg.append(shape("line", { x1: sx(v), x2: sx(v), y1: top, y2: height - bottom, class: "grid" }));
    svg.append(shape("text", { x: sx(v), y: height - bottom + 18, class: "tick mid" }, words));
  }
  for (const [v, words] of ticks(axes.y, spec.y.log)) {
    svg.append(shape("line", { x1: left, x2: width - right, y1: sy(v), y2: sy(v), class: "grid" }));
    svg.append(shape("text", { x: left - 8, y: sy(v) + 4, class: "tick end" }, words));
  }
  svg.append(shapeText({ x: (left + width - right) / 2, y: height - 8, class: "axis mid" }, spec.x.label));
  const middle = (top + height - bottom) / 2;
  svg.append(shapeText({ x: 16, y: middle, class: "axis mid", transform: `rotate(-90 16 ${middle})` }, spec.y.label));
  const name = `clip${picture.made = (picture.made || 0) + 1}`, clip = shape("clipPath", { id: name });
  clip.append(shape("rect", { x: left, y: top, width: width - left - right, height: height - top - bottom }));
  const inside = shape("g", { "clip-path": `url(#${name})` });
  svg.append(clip, inside);
  for (const guide of spec.guides || []) {
    inside.append(shape("line", { x1: left, x2: width - right, y1: sy(raw.y(guide.value)), y2: sy(raw.y(guide.value)), class: "guide" }));
    inside.append(shape("text", { x: width - right - 6, y: sy(raw.y(guide.value)) - 5, class: "tick end" }, guide.words));
  }
  if (spec.diagonal) inside.append(shape("line", { x1: sx(axes.x[0]), x2: sx(axes.x[1]), y1: sy(axes.x[0]), y2: sy(axes.x[1]), class: "guide" }));
  const drawn = points(spec, raw, sx, sy, inside);
  hover(svg, drawn, { sx, sy, axes }, zoom);
  const found = [svg];
  if (spec.kinds || spec.scale) found.push(legend(spec));
  if (zoomed) found.push(node("p", { class: "note" }, node("button", { type: "button", on: { click: () => zoom(null) } }, "show all")));
  return found;
}

function points(spec, raw, sx, sy, inside) {
  const many = spec.points.length > 1500, drawn = [], bars = {};
  const fits = (p) => known(p.x) && known(p.y) && (!spec.x.log || p.x > 0) && (!spec.y.log || p.y > 0);
  const shown = spec.points.filter(fits), any = shown.some((p) => p.chosen);
  const values = spec.scale ? extent(shown.map((p) => p.value), spec.scale.log) : null;
  for (const p of shown) {
    const x = sx(raw.x(p.x)), y = sy(raw.y(p.y)), kind = p.kind || "answer", faint = any && !p.chosen;
    const end = (v, axis) => (axis === "x" ? sx : sy)(raw[axis](Math.max(v, spec[axis].log ? 1e-300 : -Infinity)));
    const key = `${kind}${faint ? " faint" : ""}`;
    bars[key] = bars[key] || [];
    if (p.xs && p.xs.every(known)) bars[key].push(`M${end(p.xs[0], "x").toFixed(1)} ${y.toFixed(1)}H${end(p.xs[1], "x").toFixed(1)}`);
    if (p.ys && p.ys.every(known)) bars[key].push(`M${x.toFixed(1)} ${end(p.ys[0], "y").toFixed(1)}V${end(p.ys[1], "y").toFixed(1)}`);
    const dot = shape("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: p.chosen ? 6 : p.large ? 5 : many ? 2.2 : shown.length > 300 ? 3 : 3.8, class: `dot ${kind}${faint ? " faint" : ""}` });
    if (values && known(p.value) && (!spec.scale.log || p.value > 0)) {
      const v = spec.scale.log ? Math.log10(p.value) : p.value;
      dot.style.fill = shade((v - values[0]) / (values[1] - values[0]));
    }
    drawn.push({ p, x, y, dot });
  }
  for (const [key, parts] of Object.entries(bars)) if (parts.length) inside.append(shape("path", { d: parts.join(""), class: `bars ${key}` }));
  drawn.sort((a, b) => Boolean(a.p.chosen || a.p.large) - Boolean(b.p.chosen || b.p.large));
  for (const { dot } of drawn) inside.append(dot);
  names(drawn, inside);
  return drawn;
}

// Names beside few points, each where it covers no other name and no point; else none.
function names(drawn, inside) {
  const taken = drawn.map(({ x, y }) => [x - 4, y - 4, x + 4, y + 4]);
  const free = (box) => box[0] > FRAME.left && box[2] < FRAME.width - FRAME.right && box[1] > FRAME.top && box[3] < FRAME.height - FRAME.bottom && taken.every((t) => box[2] < t[0] || box[0] > t[2] || box[3] < t[1] || box[1] > t[3]);
  for (const { p, x, y } of [...drawn].reverse()) {
    if (!p.chosen && !p.named && (drawn.length > FEW_NAMED || p.unnamed)) continue;
    const wide = 6.3 * p.title.length, boxes = [[8, -13], [8, 2], [-8 - wide, -13], [-8 - wide, 2], [8, -5.5], [-8 - wide, -5.5]].map(([dx, dy]) => [x + dx, y + dy, x + dx + wide, y + dy + 11]);
    const box = boxes.find(free) || (p.chosen && boxes[0]);
    if (!box) continue;
    taken.push(box);
    inside.append(shape("text", { x: box[0], y: box[1] + 9, class: "name" }, p.title));
  }
}

function legend(spec) {
  const made = node("p", { class: "legend" });
  for (const [kind, words] of spec.kinds || []) made.append(node("span", { class: `mark ${kind}` }), node("span", {}, words));
  const values = spec.scale && extent(spec.points.map((p) => p.value), spec.scale.log);
  if (values) {
    const back = (v) => number(spec.scale.log ? 10 ** v : v, 2), margin = (values[1] - values[0]) * 0.037;
    made.append(node("span", {}, ...set(spec.scale.label), `: ${back(values[0] + margin)}`), node("span", { class: "ramp" }), node("span", {}, back(values[1] - margin)));
  }
  return made;
}

function hover(svg, drawn, view, zoom) {
  let near = null, from = null, box = null;
  const at = (event) => {
    const r = svg.getBoundingClientRect();
    return [((event.clientX - r.left) / r.width) * FRAME.width, ((event.clientY - r.top) / r.height) * FRAME.height];
  };
  const leave = () => { if (near) near.dot.classList.remove("near"); near = null; bubble.classList.remove("on"); svg.style.cursor = ""; };
  svg.addEventListener("pointermove", (event) => {
    const [x, y] = at(event);
    if (from) {
      if (!box) svg.append(box = shape("rect", { class: "box" }));
      const set = { x: Math.min(x, from[0]), y: Math.min(y, from[1]), width: Math.abs(x - from[0]), height: Math.abs(y - from[1]) };
      for (const [k, v] of Object.entries(set)) box.setAttribute(k, v);
    }
    let best = null, least = 14 ** 2;
    for (const d of drawn) { const far = (d.x - x) ** 2 + (d.y - y) ** 2; if (far < least) { least = far; best = d; } }
    if (best !== near) { leave(); near = best; if (near) near.dot.classList.add("near"); }
    if (!near) return;
    svg.style.cursor = near.p.href ? "pointer" : "";
    bubble.replaceChildren(node("b", {}, near.p.title), ...near.p.lines.map((line) => node("div", {}, ...set(line))));
    bubble.classList.add("on");
    bubble.style.left = `${Math.min(event.clientX + 14, window.innerWidth - bubble.offsetWidth - 8)}px`;
    bubble.style.top = `${Math.min(event.clientY + 14, window.innerHeight - bubble.offsetHeight - 8)}px`;
  });
  svg.addEventListener("pointerleave", () => { leave(); from = null; if (box) box.remove(); box = null; });
  svg.addEventListener("pointerdown", (event) => { from = at(event); });
  svg.addEventListener("pointerup", (event) => {
    const start = from, [x, y] = at(event);
    from = null;
    if (start && Math.abs(x - start[0]) > 12 && Math.abs(y - start[1]) > 12) {
      const back = (pixel, axis, low, high) => view.axes[axis][0] + ((pixel - low) / (high - low)) * (view.axes[axis][1] - view.axes[axis][0]);
      const span = (a, b) => (a < b ? [a, b] : [b, a]);
      const X = (v) => back(v, "x", FRAME.left, FRAME.width - FRAME.right), Y = (v) => back(v, "y", FRAME.height - FRAME.bottom, FRAME.top);
      leave();
      zoom({ x: span(X(start[0]), X(x)), y: span(Y(start[1]), Y(y)) });
    } else if (near && near.p.href) window.open(near.p.href, "_blank", "noopener");
    if (box) { box.remove(); box = null; }
  });
  svg.addEventListener("dblclick", () => zoom(null));
}
