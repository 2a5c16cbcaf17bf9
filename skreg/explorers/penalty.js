"use strict";
// The page of the penalty's geometry.
(() => {
  const { constants, svg, fixed, Plane, follow, handle, slider, announce, show, clamp } = window.skreg;
  const { ball, radiusThrough, contourHessian, lossContour, touchingPoint, wedge } = window.skreg;

  const opening = () => ({
    center: [...constants.center], angle: constants.angle, curvatures: [...constants.curvatures],
    l1Ratio: constants.l1_ratio, radius: constants.radius,
  });
  let state = opening();
  let shaded = true;
  const X = [-2.6, 3.6];
  const Y = [-2.6, 3.2];
  const RADII = [0.1, 2.5];
  const LONGEST = Math.sqrt(10);
  // The contours that are drawn, by the length of their long half-axes.
  const CONTOURS = [0.5, 1, 1.5, 2, 2.5, 3, 3.5];

  const plane = new Plane("picture", { x: X, y: Y, height: (width) => (width * (Y[1] - Y[0])) / (X[1] - X[0]) });
  const penalty = () => [state.l1Ratio, 1 - state.l1Ratio];
  const hessian = () => contourHessian(state.angle, state.curvatures);
  const direction = (quarter) => {
    const turn = (state.angle * Math.PI) / 180 + (quarter * Math.PI) / 2;
    return [Math.cos(turn), Math.sin(turn)];
  };
  // The half-axes of the contour that carries the two hollow points.
  const halfAxis = (i) => 1 / Math.sqrt(state.curvatures[i]);
  const onAxis = (i) => {
    const [c, s] = direction(i);
    return [state.center[0] + halfAxis(i) * c, state.center[1] + halfAxis(i) * s];
  };

  function set(change) {
    state = { ...state, ...change };
    state.center = [clamp(state.center[0], X[0] + 0.1, X[1] - 0.1), clamp(state.center[1], Y[0] + 0.1, Y[1] - 0.1)];
    state.radius = clamp(state.radius, ...RADII);
    draw();
  }
  const setStretch = (ratio) => set({ curvatures: [state.curvatures[0], state.curvatures[0] * clamp(ratio, 1, LONGEST ** 2)] });
  const turned = (angle) => ((angle % 180) + 180) % 180;

  // The ball's edge is dragged by any of its points; its parts stay, so that a drag is not cut off.
  const fill = svg("path", { class: "fill penalty" });
  const edge = svg("path", { class: "edge", "stroke-width": 18 });
  const behind = svg("g");
  const above = svg("g", { "pointer-events": "none" });
  plane.layer.append(behind, fill, above, edge);
  follow(edge, plane, { move: (point) => set({ radius: radiusThrough(penalty(), point) }) });

  const updates = [
    handle(plane, {
      name: "turn", kind: "data", small: true, label: "Turn of the ellipses", range: [0, 180],
      read: () => onAxis(0),
      write: ([x, y], arrow) => {
        if (arrow) return set({ angle: turned(state.angle + (arrow[0] + arrow[1] > 0 ? 1 : -1)) });
        return set({ angle: turned((Math.atan2(y - state.center[1], x - state.center[0]) * 180) / Math.PI) });
      },
      text: () => `${Math.round(state.angle)} degrees`, value: () => state.angle,
    }),
    handle(plane, {
      name: "squeeze", kind: "data", small: true, label: "Stretch of the ellipses", range: [1, 10],
      read: () => onAxis(1),
      write: ([x, y], arrow) => {
        const ratio = state.curvatures[1] / state.curvatures[0];
        if (arrow) return setStretch(Math.round((ratio + 0.1 * (arrow[0] + arrow[1] > 0 ? 1 : -1)) * 10) / 10);
        const [c, s] = direction(1);
        const length = Math.abs((x - state.center[0]) * c + (y - state.center[1]) * s);
        return setStretch((halfAxis(0) / Math.max(length, 0.01)) ** 2);
      },
      text: () => `long to short ${fixed(Math.sqrt(state.curvatures[1] / state.curvatures[0]))} to 1`,
      value: () => state.curvatures[1] / state.curvatures[0],
    }),
    handle(plane, {
      name: "size", kind: "penalty", small: true, label: "Radius of the ball", range: RADII,
      read: () => [0, -state.radius],
      write: ([x, y], arrow) => {
        if (arrow) return set({ radius: arrow[0] ? state.radius + x : -y });
        return set({ radius: radiusThrough(penalty(), [x, y]) });
      },
      text: () => fixed(state.radius), value: () => state.radius,
    }),
    handle(plane, {
      name: "center", kind: "data", label: "Least-squares solution", range: X,
      read: () => state.center, write: (center) => set({ center }),
      text: () => `w 1 ${fixed(state.center[0])}, w 2 ${fixed(state.center[1])}`,
    }),
    slider("l1_ratio", { read: () => state.l1Ratio, write: (l1Ratio) => set({ l1Ratio }) }),
    slider("radius", { read: () => state.radius, write: (radius) => set({ radius }) }),
    slider("angle", { read: () => state.angle, write: (angle) => set({ angle }), text: (angle) => `${Math.round(angle)}°` }),
    slider("stretch", {
      read: () => state.curvatures[1] / state.curvatures[0], write: setStretch,
      text: (ratio) => `${fixed(Math.sqrt(ratio))} : 1`,
    }),
    slider("center1", { read: () => Number(state.center[0].toFixed(3)), write: (value) => set({ center: [value, state.center[1]] }) }),
    slider("center2", { read: () => Number(state.center[1].toFixed(3)), write: (value) => set({ center: [state.center[0], value] }) }),
  ];
  document.getElementById("shade").addEventListener("change", (event) => {
    shaded = event.target.checked;
    draw();
  });
  document.getElementById("circle").addEventListener("click", () => set({ l1Ratio: 0 }));
  document.getElementById("diamond").addEventListener("click", () => set({ l1Ratio: 1 }));
  document.getElementById("reset").addEventListener("click", () => set(opening()));

  function verdict({ coef, multiplier }) {
    if (multiplier === 0) return "The ball holds ŵ itself, so the penalty does nothing. Make it smaller.";
    const zero = coef.indexOf(0);
    if (zero >= 0) {
      const name = zero === 0 ? "w₁" : "w₂";
      return `The ellipse meets a corner: ${name} is exactly zero. It stays zero wherever ŵ goes in ${shaded ? "that shaded wedge" : "the wedge beyond that corner"}.`;
    }
    if (state.l1Ratio === 0) return "A circle has no corners. Both coefficients shrink, and neither becomes zero.";
    return "The ellipse touches between two corners. Both coefficients shrink, and neither is zero.";
  }

  // Which ŵ end in a corner: wedges that go on for ever, each with its name where it leaves the picture.
  function wedges() {
    if (!shaded || state.l1Ratio === 0) return [];
    const [shapes, names] = [[], []];
    for (const axis of [0, 1]) {
      for (const sign of [1, -1]) {
        const corner = axis === 0 ? [sign * state.radius, 0] : [0, sign * state.radius];
        const [low, high] = wedge(hessian(), penalty(), state.radius, axis, sign).map(([x, y]) => {
          const size = Math.hypot(x, y);
          return [x / size, y / size];
        });
        const along = ([x, y], size) => [corner[0] + size * x, corner[1] + size * y];
        shapes.push(svg("path", { d: plane.path([along(low, 60), corner, along(high, 60)], true), class: "wedge" }));
        // Towards its lower or left side, away from the names of the axes.
        const side = low[1 - axis] < high[1 - axis] ? 0.75 : 0.25;
        const inside = [0, 1].map((j) => side * low[j] + (1 - side) * high[j]);
        const room = [[X[0] + 0.5, X[1] - 0.5], [Y[0] + 0.2, Y[1] - 0.2]];
        const size = Math.min(...inside.map((m, j) => (room[j][m > 0 ? 1 : 0] - corner[j]) / m).filter((t) => t > 0));
        const width = size * Math.hypot(high[0] - low[0], high[1] - low[1]);
        if (plane.x(width) - plane.x(0) > 60) {
          names.push(plane.text(along(inside, size), `${axis === 0 ? "w₂" : "w₁"} = 0`, "math answer", { dy: 5, "text-anchor": "middle" }));
        }
      }
    }
    return [...shapes, ...names];
  }

  // Exact zeros are written as such.
  const pair = (coef) => `(${coef.map((w) => (w === 0 ? "0" : fixed(w, 3))).join(", ")})`;

  // The coordinates stand where the ellipse that touches is not: inside the ball, or beside its upper or
  // lower corner on the side that ŵ is not.
  function labelPlace([w1, w2]) {
    if (w1 === 0 && w2 !== 0) {
      const right = state.center[0] < 0;
      return { dx: right ? 12 : -12, dy: w2 > 0 ? -3 : 12, "text-anchor": right ? "start" : "end" };
    }
    const inwards = w2 === 0 ? 26 : 12;
    return { dx: w1 < 0 ? inwards : -inwards, dy: w2 === 0 ? -8 : 5, "text-anchor": w1 < 0 ? "start" : "end" };
  }

  // The energy that the same point minimises without a constraint.
  function equivalent(multiplier) {
    const terms = ["error"];
    if (state.l1Ratio > 0) terms.push(`${fixed(multiplier * state.l1Ratio, 3)} ‖w‖₁`);
    if (state.l1Ratio < 1) terms.push(`${fixed(multiplier * (1 - state.l1Ratio), 3)} · ½‖w‖²`);
    return terms.join(" + ");
  }

  function draw() {
    const H = hessian();
    const touch = touchingPoint(H, state.center, penalty(), state.radius);
    const [w1, w2] = touch.coef;
    const touchingSize = Math.sqrt((2 * touch.loss) / state.curvatures[0]);

    behind.replaceChildren(
      ...wedges(),
      svg("path", { class: "axis", d: plane.path([[X[0], 0], [X[1], 0]]) + plane.path([[0, Y[0]], [0, Y[1]]]) }),
      ...[-2, -1, 1, 2, 3].map((at) => plane.text([at, 0], fixed(at, 0), "tick", { dy: 16, "text-anchor": "middle" })),
      ...[-2, -1, 1, 2].map((at) => plane.text([0, at], fixed(at, 0), "tick", { dx: -7, dy: 4, "text-anchor": "end" })),
      ...CONTOURS.filter((size) => Math.abs(size / touchingSize - 1) > 0.05).map((size) =>
        plane.curve(lossContour(H, state.center, 0.5 * state.curvatures[0] * size * size), "data thin",
          { opacity: Math.max(0.55 - 0.11 * size, 0.14).toFixed(2) })),
    );
    const outline = plane.path(ball(penalty(), state.radius), true);
    fill.setAttribute("d", outline);
    edge.setAttribute("d", outline);

    above.replaceChildren(
      ...(touch.loss > 0 ? [plane.curve(lossContour(H, state.center, touch.loss), "data bold")] : []),
      svg("path", { class: "answer pull", d: plane.path([state.center, touch.coef]) }),
      plane.text([X[1], 0], "w₁", "math", { dx: -6, dy: -7, "text-anchor": "end" }),
      plane.text([0, Y[1]], "w₂", "math", { dx: 8, dy: 16 }),
      svg("circle", { cx: plane.x(w1), cy: plane.y(w2), r: 6.5, class: "touch" }),
      plane.text(touch.coef, pair(touch.coef), "answer", labelPlace(touch.coef)),
      plane.text(state.center, "ŵ", "math data halo", { dx: 13, dy: -9 }),
    );
    for (const update of updates) update();

    const zeros = ["w₁", "w₂"].filter((_, j) => touch.coef[j] === 0);
    show("verdict", verdict(touch));
    show("touching", pair(touch.coef));
    show("zeros", zeros.length ? zeros.join(", ") : "none");
    show("multiplier", fixed(touch.multiplier, 3));
    show("equivalent", equivalent(touch.multiplier));
    announce(`Touching point ${fixed(w1, 3)}, ${fixed(w2, 3)}. Zeros: ${zeros.join(", ") || "none"}. ` +
      `Multiplier ${fixed(touch.multiplier, 3)}.`);
  }

  plane.onResize(draw);
  draw();
})();
