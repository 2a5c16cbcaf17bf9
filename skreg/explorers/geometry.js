"use strict";
// The mathematics of skreg/penalties.py and skreg/inspection/geometry.py, of penalties without factors.
Object.assign(window.skreg, (() => {
  // t ≥ 0 with l1·t + ½ l2·t² = level, without cancellation.
  function crossing(l1, l2, level) {
    return level > 0 ? (2 * level) / (l1 + Math.sqrt(l1 * l1 + 2 * l2 * level)) : 0;
  }

  function penaltyValue([l1, l2], w) {
    return w.reduce((sum, wj) => sum + l1 * Math.abs(wj) + 0.5 * l2 * wj * wj, 0);
  }

  // The boundary of the ball that crosses the axes at ± radius.
  function ball([l1, l2], radius, nPoints = 361) {
    const level = l1 * radius + 0.5 * l2 * radius * radius;
    return Array.from({ length: nPoints }, (_, i) => {
      const angle = (2 * Math.PI * i) / (nPoints - 1);
      const u = [Math.cos(angle), Math.sin(angle)];
      const t = crossing(l1 * (Math.abs(u[0]) + Math.abs(u[1])), l2 * (u[0] * u[0] + u[1] * u[1]), level);
      return [u[0] * t, u[1] * t];
    });
  }

  // The radius of the ball whose boundary goes through a point.
  function radiusThrough([l1, l2], w) {
    return crossing(l1, l2, penaltyValue([l1, l2], w));
  }

  // The Hessian [[a, b], [b, d]] whose contours are ellipses turned by an angle in degrees.
  function contourHessian(angle, [first, second]) {
    const turn = (angle * Math.PI) / 180;
    const [c, s] = [Math.cos(turn), Math.sin(turn)];
    const off = (first - second) * c * s;
    return [[first * c * c + second * s * s, off], [off, first * s * s + second * c * c]];
  }

  // A contour ½ (w − ŵ)ᵀ H (w − ŵ) = loss.
  function lossContour([[a, b], [, d]], center, loss, nPoints = 181) {
    // H = LLᵀ, and L⁻ᵀ takes the unit circle to the contour.
    const l00 = Math.sqrt(a);
    const l10 = b / l00;
    const l11 = Math.sqrt(d - l10 * l10);
    const size = Math.sqrt(2 * loss);
    return Array.from({ length: nPoints }, (_, i) => {
      const angle = (2 * Math.PI * i) / (nPoints - 1);
      const second = Math.sin(angle) / l11;
      const first = (Math.cos(angle) - l10 * second) / l00;
      return [center[0] + size * first, center[1] + size * second];
    });
  }

  const times = ([[a, b], [c, d]], [x, y]) => [a * x + b * y, c * x + d * y];

  // Where the loss is least in the ball: the point, the multiplier and the loss there.
  function touchingPoint(hessian, center, [l1, l2], radius) {
    const touch = (coef, multiplier) => {
      const away = [coef[0] - center[0], coef[1] - center[1]];
      const pull = times(hessian, away);
      return { coef, multiplier, loss: 0.5 * (away[0] * pull[0] + away[1] * pull[1]) };
    };
    const level = l1 * radius + 0.5 * l2 * radius * radius;
    if (penaltyValue([l1, l2], center) <= level) return touch([...center], 0);

    let nearest = null;
    if (l1 > 0) {
      for (const axis of [0, 1]) {
        for (const sign of [1, -1]) {
          const corner = [0, 0];
          corner[axis] = sign * crossing(l1, l2, level);
          const pull = times(hessian, [center[0] - corner[0], center[1] - corner[1]]);
          const multiplier = (sign * pull[axis]) / (l1 + l2 * Math.abs(corner[axis]));
          const excess = Math.abs(pull[1 - axis]) - multiplier * l1;
          if (multiplier >= 0 && excess <= 0) return touch(corner, multiplier);
          if (multiplier >= 0 && (nearest === null || excess < nearest.excess)) {
            nearest = { excess, corner, multiplier };
          }
        }
      }
    }
    const quadrants = l1 > 0 ? [[1, 1], [1, -1], [-1, 1], [-1, -1]] : [[1, 1]];
    for (const signs of quadrants) {
      const found = onArc(hessian, center, [l1 * signs[0], l1 * signs[1]], l2, level);
      if (found && (l1 === 0 || (found.w[0] * signs[0] > 0 && found.w[1] * signs[1] > 0))) {
        return touch(found.w, found.multiplier);
      }
    }
    return touch(nearest.corner, nearest.multiplier);
  }

  // w and μ on the curve linear·w + ½ l2·w² = level: Newton's steps from μ = 0 rise to the root.
  function onArc([[a, b], [, d]], center, linear, l2, level) {
    const pull = times([[a, b], [b, d]], center);
    let multiplier = 0;
    for (;;) {
      const [a2, d2] = [a + multiplier * l2, d + multiplier * l2];
      const determinant = a2 * d2 - b * b;
      const solve = ([x, y]) => [(d2 * x - b * y) / determinant, (a2 * y - b * x) / determinant];
      const w = solve([pull[0] - multiplier * linear[0], pull[1] - multiplier * linear[1]]);
      const slope = [linear[0] + l2 * w[0], linear[1] + l2 * w[1]];
      const step = solve(slope);
      const falling = slope[0] * step[0] + slope[1] * step[1];
      const outside = linear[0] * w[0] + linear[1] * w[1] + 0.5 * l2 * (w[0] * w[0] + w[1] * w[1]) - level;
      const next = falling > 0 ? multiplier + outside / falling : multiplier;
      if (!(next > multiplier)) return multiplier > 0 ? { w, multiplier } : null;
      multiplier = next;
    }
  }

  // The centres from which a corner is touched: a wedge from the corner on `axis`, as its two directions.
  function wedge([[a, b], [, d]], [l1, l2], radius, axis, sign) {
    const opening = l1 / (l1 + l2 * radius);
    const determinant = a * d - b * b;
    return [-opening, opening].map((across) => {
      const pull = axis === 0 ? [sign, across] : [across, sign];
      return [(d * pull[0] - b * pull[1]) / determinant, (a * pull[1] - b * pull[0]) / determinant];
    });
  }

  return { crossing, penaltyValue, ball, radiusThrough, contourHessian, lossContour, touchingPoint, wedge };
})());
