"use strict";
// The page of dropout.
(() => {
  const { constants, svg, fixed, Plane, slider, choice, announce, show } = window.skreg;
  const { outputs, signal, mask, uniformGenerator } = window.skreg;

  const hidden = constants.networks[0].intercepts.slice(0, -1).map((layer) => layer.length);
  const ones = Array(constants.signal_units).fill(1);
  const grid = constants.grid;
  const SHOWN = 40; // thinned curves at most, the latest ones

  let uniform;
  let rate;
  let network; // the one trained at this rate
  let whole; // what it computes
  let view = "thinned";
  let crowd; // of each thinned network, the uniform numbers that decide which units it keeps
  let noise; // the same of the hundred units

  const uniforms = (n) => Array.from({ length: n }, () => uniform());
  function drawMasks(times) {
    for (let k = 0; k < times; k += 1) crowd.push(hidden.map(uniforms));
    noise = uniforms(ones.length);
    view = "thinned";
    draw();
  }
  function setRate(value) {
    network = constants.networks.reduce((best, other) => (Math.abs(other.rate - value) < Math.abs(best.rate - value) ? other : best));
    rate = network.rate;
    whole = outputs(network, grid);
  }
  function start() {
    uniform = uniformGenerator(2);
    setRate(constants.rate);
    crowd = [];
    drawMasks(1);
  }

  const diagram = new Plane("network", { x: [0, 4], y: [0, 1], height: (width) => Math.min(0.72 * width, 380) });
  const curves = new Plane("curves", {
    x: [-1, 1], y: [-1.75, 1.75], height: (width) => Math.min(Math.max(0.52 * width, 210), 300), margin: { left: 24, bottom: 22, right: 6 },
  });
  const squares = new Plane("units-picture", { x: [0, 10], y: [0, 10], height: (width) => width });
  const bars = new Plane("bars", { x: [0, 200], y: [0, 3], height: () => 106, margin: { bottom: 22, left: 1, right: 12 } });

  const update = slider("rate", { read: () => rate, write: (value) => { setRate(value); draw(); }, text: (value) => fixed(value, 1) });
  document.getElementById("draw").addEventListener("click", () => drawMasks(1));
  document.getElementById("many").addEventListener("click", () => drawMasks(20));
  document.getElementById("reset").addEventListener("click", start);
  choice("view", (value) => { view = value; draw(); });

  function drawNetwork(masks) {
    diagram.measure();
    const layers = [1, ...hidden, 1];
    const at = (layer, unit) => [
      18 + (layer * (diagram.width - 36)) / (layers.length - 1),
      (diagram.height * (unit + 0.5)) / layers[layer],
    ];
    const kept = (layer, unit) => layer === 0 || layer > hidden.length || masks[layer - 1][unit] > 0;
    const radius = Math.min(7, (0.36 * diagram.height) / Math.max(...layers));
    const kind = view === "whole" ? "answer" : "penalty";
    const links = [];
    network.coefs.forEach((rows, layer) => {
      const largest = Math.max(...rows.flat().map(Math.abs));
      rows.forEach((row, unit) => row.forEach((weight, from) => {
        if (!kept(layer, from) || !kept(layer + 1, unit)) return;
        const [[x1, y1], [x2, y2]] = [at(layer, from), at(layer + 1, unit)];
        const strength = 0.08 + (0.6 * Math.abs(weight)) / largest;
        links.push(svg("line", { class: `thin ${kind}`, x1, y1, x2, y2, opacity: strength.toFixed(2) }));
      }));
    });
    const units = layers.flatMap((n, layer) => Array.from({ length: n }, (_, unit) => {
      const [cx, cy] = at(layer, unit);
      return svg("circle", { cx, cy, r: radius, class: kept(layer, unit) ? `unit ${kind}` : "unit dropped" });
    }));
    const [, y] = at(0, 0);
    diagram.layer.replaceChildren(
      ...links, ...units,
      svg("text", { class: "math halo", x: 18, y: y - 16, "text-anchor": "middle" }, "x"),
      svg("text", { class: "math halo", x: diagram.width - 18, y: y - 16, "text-anchor": "middle" }, "ŷ"),
    );
  }

  function drawCurves(thinned, mean) {
    curves.measure();
    const line = (values, kind, attributes) => curves.curve(grid.map((x, i) => [x, values[i]]), kind, attributes);
    const latest = thinned.at(-1);
    curves.layer.replaceChildren(
      svg("path", { class: "axis", d: curves.path([[-1, -1.75], [1, -1.75]]) + curves.path([[-1, 0], [1, 0]]) }),
      ...[-1, 0, 1].map((x) => curves.text([x, -1.75], fixed(x, 0), "tick", { dy: 16, "text-anchor": x < 1 ? "middle" : "end" })),
      ...[-1, 0, 1].map((y) => curves.text([-1, y], fixed(y, 0), "tick", { dx: -7, dy: 4, "text-anchor": "end" })),
      ...constants.x.map((x, i) => svg("circle", { class: "datum", cx: curves.x(x), cy: curves.y(constants.y[i]), r: 2 })),
      ...thinned.slice(-SHOWN - 1, -1).map((values) => line(values, "penalty thin", { opacity: 0.3 })),
      line(whole, "answer bold"),
      ...(view === "thinned" ? [line(latest, "penalty latest")] : []),
      line(mean, "crowd-mean"),
    );
  }

  function drawSignal() {
    squares.measure();
    bars.measure();
    const kept = view === "whole" ? ones.map(() => true) : noise.map((u) => u >= rate);
    const kind = view === "whole" ? "answer" : "penalty";
    const size = squares.width / 10;
    squares.layer.replaceChildren(...kept.map((is, i) => svg("circle", {
      cx: ((i % 10) + 0.5) * size, cy: (Math.floor(i / 10) + 0.5) * size, r: Math.min(0.3 * size, 7),
      class: is ? `unit ${kind}` : "unit dropped",
    })));

    const count = noise.filter((u) => u >= rate).length;
    const n = ones.length;
    const expected = signal(ones, rate);
    const rows = [
      [count, expected.plainMean, expected.plainDeviation],
      [count / (1 - rate), expected.invertedMean, expected.invertedDeviation],
      [n, n, 0],
    ];
    bars.layer.replaceChildren(
      svg("path", { class: "axis", d: bars.path([[0, 0], [200, 0]]) }),
      ...[0, 50, 100, 150, 200].map((at) => bars.text([at, 0], fixed(at, 0), "tick", { dy: 16, "text-anchor": at ? "middle" : "start" })),
      ...rows.flatMap(([now, mean, deviation], row) => {
        const [top, bottom] = [bars.y(2.88 - row), bars.y(2.12 - row)];
        const y = 0.5 * (top + bottom);
        return [
          svg("rect", { x: bars.x(0), y: top, width: bars.x(Math.min(now, 200)) - bars.x(0), height: bottom - top, class: row === 2 ? "bar answer" : "bar penalty" }),
          svg("text", { class: "inside", x: bars.x(0) + 7, y: y + 4.5 }, ["plain", "inverted", "test time"][row]),
          svg("line", { class: "whisker", x1: bars.x(Math.max(mean - deviation, 0)), x2: bars.x(Math.min(mean + deviation, 200)), y1: y, y2: y }),
          svg("circle", { class: "expected", cx: bars.x(mean), cy: y, r: 4 }),
        ];
      }),
    );
    const range = ([, mean, deviation]) => (deviation ? `${fixed(mean, 1)} ± ${fixed(deviation, 1)}` : fixed(mean, 1));
    ["plain", "inverted", "test"].forEach((name, row) => {
      show(`${name}-now`, fixed(rows[row][0], 1));
      show(`${name}-expected`, range(rows[row]));
    });
    show("keep", fixed(1 - rate));
    show("kept", `${kept.filter(Boolean).length} of ${n} units are kept${view === "whole" ? " at test time" : ""}. Points are expectations, with one standard deviation either side.`);
    return rows;
  }

  function drawCounts(masks) {
    const active = masks.map((layer) => layer.filter((m) => m > 0).length);
    const expected = hidden.map((n) => (view === "whole" ? n : n * (1 - rate)));
    const sum = (values) => values.reduce((a, b) => a + b, 0);
    const row = (name, now, of, mean) => {
      const made = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = name;
      made.append(head, ...[`${now} of ${of}`, fixed(mean, 1)].map((words) => {
        const cell = document.createElement("td");
        cell.textContent = words;
        return cell;
      }));
      return made;
    };
    document.getElementById("counts").replaceChildren(
      ...hidden.map((n, i) => row(`hidden layer ${i + 1}`, active[i], n, expected[i])),
      row("together", sum(active), sum(hidden), sum(expected)),
    );
    return [sum(active), sum(hidden)];
  }

  const distance = (values) => Math.sqrt(values.reduce((sum, v, i) => sum + (v - whole[i]) ** 2, 0) / whole.length);

  function verdictOf(drawn, nearer) {
    if (view === "whole") return "At test time nothing is dropped and nothing is scaled: the weights were trained on signals of this size.";
    if (rate === 0) return "Nothing is dropped: every network drawn is the whole network.";
    if (crowd.length === 1) return "One thinned network by itself is crude. Draw more: each keeps other units of the same weights.";
    if (nearer < 1.2) return `${drawn} drawn, and their mean is no nearer the whole network than one of them. Draw more.`;
    return `${drawn} drawn. Their mean is ${fixed(nearer, 1)} times as near what the whole network computes in one pass as one of them is.`;
  }

  function draw() {
    const masksOf = (numbers) => numbers.map((layer) => mask(layer, rate));
    const thinned = crowd.map((numbers) => outputs(network, grid, masksOf(numbers)));
    const mean = grid.map((_, i) => thinned.reduce((sum, values) => sum + values[i], 0) / thinned.length);
    const masks = view === "whole" ? hidden.map((n) => Array(n).fill(1)) : masksOf(crowd.at(-1));

    update();
    document.querySelector(`input[name="view"][value="${view}"]`).checked = true;
    drawNetwork(masks);
    drawCurves(thinned, mean);
    const rows = drawSignal();
    const [active, all] = drawCounts(masks);
    const typical = thinned.reduce((sum, values) => sum + distance(values), 0) / thinned.length;
    const drawn = crowd.length === 1 ? "1 network" : `${crowd.length} networks`;
    show("drawn", drawn);
    show("distance-one", fixed(typical, 3));
    show("distance-mean", fixed(distance(mean), 3));
    show("network-words", `Input, three hidden layers, output: ${active} of ${all} hidden units active.`);
    const verdict = verdictOf(drawn, typical / distance(mean));
    show("verdict", verdict);
    announce(`${verdict} ${active} of ${all} hidden units active. Sum of the signals ${fixed(rows[0][0], 1)}, ` +
      `scaled up ${fixed(rows[1][0], 1)}.`);
  }

  show("units", String(ones.length));
  start();
  for (const plane of [diagram, curves, squares, bars]) plane.onResize(draw);
})();
