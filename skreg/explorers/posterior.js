"use strict";
// The mathematics of skreg/bayes/priors.py and skreg/bayes/quadrature.py: E(w) = ½ (w − ŵ)ᵀ H (w − ŵ) +
// l1 ‖w‖₁ + ½ l2 ‖w‖², the prior ∝ exp(−penalty/σ²), and the posterior ∝ exp(−E/σ²) of one or two coefficients.
Object.assign(window.skreg, (() => {
  const { nodes, weights } = window.skreg.constants;

  // λ₁ and λ₂ of scikit-learn's ElasticNet(alpha, l1_ratio) on data of weight S.
  function strengths(alpha, l1Ratio, totalWeight) {
    const scale = totalWeight * alpha;
    return [scale * l1Ratio, scale * (1 - l1Ratio)];
  }

  // exp(x²) erfc(x) for x ≥ −5: erf's series of positive terms (Abramowitz and Stegun 1964, 7.1.6) while x < 2,
  // the continued fraction (7.1.14) beyond.
  function erfcx(x) {
    if (x < 2) {
      let [term, sum] = [x, x];
      for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n += 1) {
        term *= (2 * x * x) / (2 * n + 1);
        sum += term;
      }
      return Math.exp(x * x) - (2 / Math.sqrt(Math.PI)) * sum;
    }
    let fraction = x;
    for (let n = 80; n > 0; n -= 1) fraction = x + n / 2 / fraction;
    return 1 / (Math.sqrt(Math.PI) * fraction);
  }

  // The logarithm of Mills' ratio Φ(−t)/φ(t), finite at any t.
  function logMills(t) {
    if (t > -6) return Math.log(erfcx(t * Math.SQRT1_2)) + 0.5 * Math.log(0.5 * Math.PI);
    // Φ(−t) = 1 − Φ(t), of which next to nothing is taken.
    const tail = Math.exp(-0.5 * t * t) * erfcx(-t * Math.SQRT1_2) * 0.5;
    return Math.log1p(-tail) + 0.5 * t * t + 0.5 * Math.log(2 * Math.PI);
  }

  const logAddExp = (a, b) => Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));

  // The prior of a coefficient with rates a = l1/σ² and c = l2/σ²: its log density.
  function priorLogDensity(w, a, c) {
    const logZ = c > 0
      ? Math.LN2 + logMills(a / Math.sqrt(c)) - 0.5 * Math.log(c)
      : Math.LN2 - Math.log(a);
    return -a * Math.abs(w) - 0.5 * c * w * w - logZ;
  }

  // Its standard deviation.
  function priorDeviation(a, c) {
    if (a === 0) return 1 / Math.sqrt(c);
    if (c === 0) return Math.SQRT2 / a;
    // With Iₙ = ∫₀^∞ wⁿ/n! exp(−aw − ½cw²) dw, Iₙ₋₁ = a Iₙ + (n + 1) c Iₙ₊₁; or by Mills' ratio, where a is small.
    const beta = a / Math.sqrt(c);
    if (beta <= 3) {
      const first = Math.exp(-logMills(beta)) - beta;
      return Math.sqrt((1 - beta * first) / c);
    }
    let [ratio, following] = [1 / a, 1 / a];
    for (let n = 120; n > 0; n -= 1) [ratio, following] = [1 / (a + (n + 1) * c * ratio), ratio];
    return Math.sqrt(2 * ratio * following);
  }

  const soft = (z, threshold) => Math.sign(z) * Math.max(Math.abs(z) - threshold, 0) + 0;

  // Where E is least, exactly: both zero, one zero, or none, whichever satisfies the optimality conditions.
  function mode(hessian, center, [l1, l2]) {
    if (center.length === 1) return [soft(hessian[0][0] * center[0], l1) / (hessian[0][0] + l2)];
    const [[a, b], [, d]] = hessian;
    const pull = [a * center[0] + b * center[1], b * center[0] + d * center[1]];
    if (l1 > 0 && Math.abs(pull[0]) <= l1 && Math.abs(pull[1]) <= l1) return [0, 0];
    if (l1 > 0) {
      const [first, second] = [soft(pull[0], l1) / (a + l2), soft(pull[1], l1) / (d + l2)];
      if (first !== 0 && Math.abs(pull[1] - b * first) <= l1) return [first, 0];
      if (second !== 0 && Math.abs(pull[0] - b * second) <= l1) return [0, second];
    }
    const determinant = (a + l2) * (d + l2) - b * b;
    for (const signs of l1 > 0 ? [[1, 1], [1, -1], [-1, 1], [-1, -1]] : [[0, 0]]) {
      const [x, y] = [pull[0] - l1 * signs[0], pull[1] - l1 * signs[1]];
      const w = [((d + l2) * x - b * y) / determinant, ((a + l2) * y - b * x) / determinant];
      if (l1 === 0 || (w[0] * signs[0] >= 0 && w[1] * signs[1] >= 0)) return w;
    }
    return [NaN, NaN]; // not for a positive definite Hessian
  }

  // The log density of coefficient j, up to a constant: the other, if there is one, integrated out.
  function logMarginal(w, j, precision, center, [a, c]) {
    const away = w - center[j];
    const own = -0.5 * precision[j][j] * away * away - a * Math.abs(w) - 0.5 * c * w * w;
    if (center.length === 1) return own;
    const k = 1 - j;
    const [q, r] = [precision[k][k], precision[0][1]];
    const pull = q * center[k] - r * away;
    const root = Math.sqrt(q + c);
    return own + r * away * center[k] + logAddExp(logMills((a - pull) / root), logMills((a + pull) / root));
  }

  // Mode, mean and median of each coefficient, and its log density, by Gauss-Legendre quadrature on panels that
  // narrow towards the kink at zero.
  function posterior(hessian, center, penalty, variance) {
    const precision = hessian.map((row) => row.map((h) => h / variance));
    const rates = penalty.map((strength) => strength / variance);
    const best = mode(hessian, center, penalty);
    const marginals = best.map((at, j) => marginal(j, at, precision, center, rates));
    return {
      mode: best,
      mean: marginals.map((found) => found.mean),
      median: marginals.map((found) => found.median),
      logDensity: marginals.map((found) => found.logDensity),
    };
  }

  function marginal(j, at, precision, center, rates) {
    const own = precision[j][j] + rates[1];
    // The variance without the L1 part bounds that with it (Brascamp and Lieb, 1976).
    const other = center.length === 2 ? precision[1 - j][1 - j] + rates[1] : 1;
    const coupling = center.length === 2 ? precision[0][1] : 0;
    const spread = Math.sqrt(other / (own * other - coupling * coupling));
    const log = (w) => logMarginal(w, j, precision, center, rates);
    const peak = log(at);
    const density = (w) => Math.exp(log(w) - peak);

    const edges = panelEdges(at - 11 * spread, at + 11 * spread, 0.5 / Math.sqrt(own));
    const panels = [];
    let [total, moment] = [0, 0];
    for (let i = 0; i + 1 < edges.length; i += 1) {
      const [mass, first] = integrate(density, edges[i], edges[i + 1]);
      panels.push(mass);
      total += mass;
      moment += first;
    }
    return {
      mean: moment / total,
      median: median(density, edges, panels, total),
      logDensity: (w) => log(w) - peak - Math.log(total),
    };
  }

  function panelEdges(low, high, width) {
    const edges = [low, high];
    for (let i = Math.ceil(low / width); i * width < high; i += 1) edges.push(i * width);
    for (let k = 1; k <= 8; k += 1) edges.push(width / 2 ** k, -width / 2 ** k);
    return edges.filter((edge) => edge >= low && edge <= high).sort((a, b) => a - b);
  }

  // ∫ f and ∫ w f over a panel.
  function integrate(f, low, high) {
    const [middle, half] = [0.5 * (low + high), 0.5 * (high - low)];
    let [mass, first] = [0, 0];
    for (let i = 0; i < nodes.length; i += 1) {
      const w = middle + half * nodes[i];
      const part = half * weights[i] * f(w);
      mass += part;
      first += part * w;
    }
    return [mass, first];
  }

  function median(density, edges, panels, total) {
    let rest = 0.5 * total;
    let i = 0;
    while (i < panels.length - 1 && rest > panels[i]) {
      rest -= panels[i];
      i += 1;
    }
    let [low, high] = [edges[i], edges[i + 1]];
    let w = low + ((high - low) * rest) / panels[i];
    for (let step = 0; step < 60; step += 1) {
      const excess = integrate(density, edges[i], w)[0] - rest;
      if (excess > 0) high = w;
      else low = w;
      const newton = w - excess / density(w);
      const next = newton > low && newton < high ? newton : 0.5 * (low + high);
      if (Math.abs(next - w) <= 1e-15 * (1 + Math.abs(w))) return next;
      w = next;
    }
    return w;
  }

  return { strengths, erfcx, logMills, priorLogDensity, priorDeviation, mode, posterior };
})());
