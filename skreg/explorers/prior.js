"use strict";
// The page of priors: n rows of standardised features, so that XᵀX = n [[1, r], [r, 1]].
(() => {
  const { constants, svg, fixed, Plane, handle, slider, choice, announce, show, clamp } = window.skreg;
  const { crossing, ball, lossContour, strengths, priorLogDensity, priorDeviation, posterior } = window.skreg;

  const opening = () => ({
    l1Ratio: constants.l1_ratio, alpha: constants.alpha, sigma: constants.sigma, n: constants.n_rows,
    center: [...constants.center], correlation: constants.correlation,
  });
  let state = opening();
  let dimension = 1;
  let net = 0.5; // the elastic net's l1_ratio, while another prior is chosen
  const X = [-3, 3];
  const Y = [-2.4, 2.4];
  // Contours where a density has fallen to e^(−½) and e^(−2) of its peak: one and two deviations of a normal.
  const LEVELS = [0.5, 2];
  const SUMMARIES = ["mode", "median", "mean"];

  const one = new Plane("one", {
    x: X, y: [0, 1], height: (width) => Math.max(0.8 * width, 300), margin: { left: 8, right: 8, top: 8, bottom: 112 },
  });
  const two = new Plane("two", { x: X, y: Y, height: (width) => (width * (Y[1] - Y[0])) / (X[1] - X[0]) });

  function set(change) {
    state = { ...state, ...change };
    state.center = [clamp(state.center[0], X[0] + 0.1, X[1] - 0.1), clamp(state.center[1], Y[0] + 0.1, Y[1] - 0.1)];
    draw();
  }

  const significant = (value) => fixed(value, value < 0.1 ? 3 : 2);
  const updates = [
    slider("l1_ratio", {
      read: () => net,
      write: (ratio) => { net = ratio; set({ l1Ratio: ratio }); },
    }),
    slider("alpha", {
      read: () => Math.log10(state.alpha), write: (power) => set({ alpha: 10 ** power }),
      text: (power) => significant(10 ** power),
    }),
    slider("sigma", { read: () => state.sigma, write: (sigma) => set({ sigma }), text: (sigma) => fixed(sigma, 1) }),
    slider("rows", { read: () => state.n, write: (n) => set({ n }), text: (n) => fixed(n, 0) }),
    slider("correlation", { read: () => state.correlation, write: (correlation) => set({ correlation }) }),
    slider("center1", { read: () => Number(state.center[0].toFixed(3)), write: (value) => set({ center: [value, state.center[1]] }) }),
    slider("center2", { read: () => Number(state.center[1].toFixed(3)), write: (value) => set({ center: [state.center[0], value] }) }),
  ];
  const moveOne = handle(one, {
    name: "estimate", kind: "data", label: "Least-squares solution", range: X,
    read: () => [state.center[0], 0], write: ([value]) => set({ center: [value, state.center[1]] }),
    text: () => fixed(state.center[0]),
  });
  const moveTwo = handle(two, {
    name: "center", kind: "data", label: "Least-squares solution", range: X,
    read: () => state.center, write: (center) => set({ center }),
    text: () => `w 1 ${fixed(state.center[0])}, w 2 ${fixed(state.center[1])}`,
  });
  choice("dimension", (value) => { dimension = Number(value); draw(); });
  choice("kind", (kind) => set({ l1Ratio: { gaussian: 0, laplace: 1, net }[kind] }));
  document.getElementById("reset").addEventListener("click", () => { net = 0.5; set(opening()); });

  // A disc for the mode, a triangle for the median, a diamond for the mean.
  function glyph(kind, x, y) {
    const at = { class: `glyph-${kind}`, transform: `translate(${x} ${y})` };
    if (kind === "mode") return svg("circle", { r: 5.5, ...at });
    return svg("path", { d: kind === "median" ? "M0,-6L6,5H-6Z" : "M0,-6.5L6.5,0L0,6.5L-6.5,0Z", ...at });
  }
  for (const place of document.querySelectorAll("[data-glyph]")) {
    place.setAttribute("viewBox", "-8 -8 16 16");
    place.setAttribute("aria-hidden", "true");
    place.append(glyph(place.dataset.glyph, 0, 0));
  }

  const variance = () => state.sigma ** 2;
  const penalty = () => strengths(state.alpha, state.l1Ratio, state.n);
  const rates = () => penalty().map((strength) => strength / variance());
  function hessian() {
    const r = state.n * state.correlation;
    return dimension === 1 ? [[state.n]] : [[state.n, r], [r, state.n]];
  }

  function drawOne(found) {
    one.measure();
    const grid = Array.from({ length: 301 }, (_, i) => X[0] + ((X[1] - X[0]) * i) / 300);
    for (let k = 4; k < 12; k += 1) grid.push(2 ** -k, -(2 ** -k));
    grid.sort((a, b) => a - b);
    const deviation = state.sigma / Math.sqrt(state.n);
    const densities = {
      prior: (w) => Math.exp(priorLogDensity(w, ...rates())),
      likelihood: (w) => Math.exp(-0.5 * ((w - state.center[0]) / deviation) ** 2) / (deviation * Math.sqrt(2 * Math.PI)),
      posterior: (w) => Math.exp(found.logDensity[0](w)),
    };
    // The likelihood is always a third of the picture at least; a sharper peak goes on above it.
    const highest = densities.likelihood(state.center[0]);
    const peaks = Math.max(highest, densities.prior(0), densities.posterior(found.mode[0]));
    one.limits.y = [0, 1.06 * Math.min(peaks, 3 * highest)];
    const curve = (name) => grid.map((w) => [w, densities[name](w)]);
    const base = one.y(0);
    const rows = { mode: 48, median: 71, mean: 94 };
    one.layer.replaceChildren(
      svg("path", { class: "axis", d: one.path([[X[0], 0], [X[1], 0]]) }),
      svg("path", { class: "axis", d: one.path([[0, 0], [0, one.limits.y[1]]]) }),
      svg("path", { class: "posterior-fill", d: one.path([[X[0], 0], ...curve("posterior"), [X[1], 0]], true) }),
      one.curve(curve("prior"), "penalty prior"),
      one.curve(curve("likelihood"), "data likelihood"),
      one.curve(curve("posterior"), "answer bold"),
      ...[-2, -1, 0, 1, 2].map((w) => one.text([w, 0], fixed(w, 0), "tick", { dy: 26, "text-anchor": "middle" })),
      one.text([X[1], 0], "w", "math", { dy: 28, dx: -4, "text-anchor": "end" }),
      one.text([state.center[0], 0], "ŵ", "math data halo", { dx: 12, dy: -8 }),
      ...SUMMARIES.flatMap((name) => {
        const w = found[name][0];
        const x = one.x(w);
        const y = base + rows[name];
        return [
          svg("line", { class: "row", x1: one.x(X[0]) + 58, x2: one.x(X[1]), y1: y, y2: y }),
          svg("line", { class: `stem ${name}`, x1: x, x2: x, y1: y, y2: one.y(densities.posterior(w)) }),
          svg("text", { x: one.x(X[0]), y: y + 4.5 }, name),
          glyph(name, x, y),
        ];
      }),
    );
    moveOne();
  }

  // Where the posterior has fallen to e^(−level) of its peak, along rays from the mode, on which it only falls.
  function posteriorContour(mode, level) {
    const [[a, b]] = hessian();
    const [l1, l2] = penalty();
    const energy = ([x, y]) => {
      const [u, v] = [x - state.center[0], y - state.center[1]];
      return (0.5 * (a * (u * u + v * v) + 2 * b * u * v) + l1 * (Math.abs(x) + Math.abs(y)) + 0.5 * l2 * (x * x + y * y)) / variance();
    };
    const lowest = energy(mode);
    return Array.from({ length: 241 }, (_, i) => {
      const angle = (2 * Math.PI * i) / 240;
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      let low = 0;
      let high = Math.sqrt((2 * level * variance()) / (a + l2 + 2 * b * c * s)) * 1.001;
      for (let k = 0; k < 40; k += 1) {
        const middle = 0.5 * (low + high);
        if (energy([mode[0] + middle * c, mode[1] + middle * s]) - lowest < level) low = middle;
        else high = middle;
      }
      return [mode[0] + low * c, mode[1] + low * s];
    });
  }

  function drawTwo(found) {
    two.measure();
    const [a, c] = rates();
    two.layer.replaceChildren(
      svg("path", { class: "axis", d: two.path([[X[0], 0], [X[1], 0]]) + two.path([[0, Y[0]], [0, Y[1]]]) }),
      ...[-2, -1, 1, 2].map((at) => two.text([at, 0], fixed(at, 0), "tick", { dy: 16, "text-anchor": "middle" })),
      ...[-2, -1, 1, 2].map((at) => two.text([0, at], fixed(at, 0), "tick", { dx: -7, dy: 4, "text-anchor": "end" })),
      two.text([X[1], 0], "w₁", "math", { dx: -6, dy: -7, "text-anchor": "end" }),
      two.text([0, Y[1]], "w₂", "math", { dx: 8, dy: 16 }),
      ...LEVELS.toReversed().flatMap((level) => [
        svg("path", { class: "posterior-fill", d: two.path(posteriorContour(found.mode, level), true) }),
      ]),
      ...LEVELS.flatMap((level) => [
        two.curve(ball([a, c], crossing(a, c, level)), "penalty prior"),
        two.curve(lossContour(hessian(), state.center, level * variance()), "data likelihood"),
        two.curve(posteriorContour(found.mode, level), "answer bold"),
      ]),
      two.text(state.center, "ŵ", "math data halo", { dx: 13, dy: -9 }),
      ...["mean", "median", "mode"].map((name) => glyph(name, two.x(found[name][0]), two.y(found[name][1]))),
    );
    moveTwo();
  }

  function verdict({ mode, mean }) {
    if (state.l1Ratio === 0) {
      return "With a Gaussian prior the posterior is Gaussian too: mode, median and mean are one point, Ridge’s solution.";
    }
    const zero = mode.indexOf(0);
    if (zero >= 0) {
      const name = dimension === 1 ? "w" : ["w₁", "w₂"][zero];
      return `The mode has ${name} = 0 exactly. The posterior does not: it is spread about zero, and the mean of ${name} is ${fixed(mean[zero], 2)}.`;
    }
    return "Change σ or n: the mode stays, for alpha is counted per row. The posterior widens or narrows, and median and mean move.";
  }

  function priorWords() {
    const [a, c] = rates();
    if (c === 0) return `Laplace(0, scale σ²/(nα) = ${significant(1 / a)}), that of Lasso(alpha)`;
    if (a === 0) return `Normal(0, sd σ/√(nα) = ${significant(1 / Math.sqrt(c))}), that of Ridge(n · alpha)`;
    return `∝ exp(−${significant(a)} |w| − ½ · ${significant(c)} w²), sd ${significant(priorDeviation(a, c))}, that of ElasticNet(alpha, l1_ratio)`;
  }

  function draw() {
    const center = state.center.slice(0, dimension);
    const found = posterior(hessian(), center, penalty(), variance());
    for (const element of document.querySelectorAll(".second")) element.hidden = dimension === 1;
    one.svg.toggleAttribute("hidden", dimension !== 1);
    two.svg.toggleAttribute("hidden", dimension !== 2);
    const kind = state.l1Ratio === 0 ? "gaussian" : state.l1Ratio === 1 ? "laplace" : "net";
    document.querySelector(`input[name="kind"][value="${kind}"]`).checked = true;
    document.getElementById("ratio-control").hidden = kind !== "net";

    (dimension === 1 ? drawOne : drawTwo)(found);
    for (const update of updates) update();
    for (const name of SUMMARIES) {
      found[name].forEach((w, j) => show(`${name}${j + 1}`, name === "mode" && w === 0 ? "0" : fixed(w, 3)));
    }
    show("verdict", verdict(found));
    show("prior", priorWords());
    show("caption", dimension === 1
      ? "Drag ŵ along the axis, or focus it and use the arrow keys, with Shift for finer steps."
      : "Drag ŵ, or focus it and use the arrow keys. The lines are where a density has fallen to 61\u00a0% and 14\u00a0% of its peak: one and two standard deviations of a Gaussian.");
    const words = (name) => `${name} ${found[name].map((w) => fixed(w, 3)).join(", ")}`;
    announce(`Posterior ${SUMMARIES.map(words).join("; ")}. Prior ${priorWords()}.`);
  }

  one.onResize(draw);
  two.onResize(draw);
  draw();
})();
