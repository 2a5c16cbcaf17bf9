"use strict";
// The mathematics of skreg/neural_network: networks of ReLU units for one input and one output, and dropout.
Object.assign(window.skreg, (() => {
  // The network's output at each input. `masks`, of a number per hidden unit, multiply the activations: 0 where
  // a unit is dropped and 1/q where it is kept. Without them it is the whole network.
  function outputs({ coefs, intercepts }, inputs, masks = null) {
    const last = coefs.length - 1;
    return inputs.map((input) => {
      let below = [input];
      for (let layer = 0; layer <= last; layer += 1) {
        below = coefs[layer].map((row, unit) => {
          let sum = intercepts[layer][unit];
          for (let j = 0; j < row.length; j += 1) sum += row[j] * below[j];
          if (layer === last) return sum;
          return Math.max(sum, 0) * (masks ? masks[layer][unit] : 1);
        });
      }
      return below[0];
    });
  }

  // What reaches the next layer of values that are summed there: means and deviations over the masks.
  function signal(values, rate) {
    const keep = 1 - rate;
    const total = values.reduce((sum, v) => sum + v, 0);
    const spread = Math.sqrt(keep * rate * values.reduce((sum, v) => sum + v * v, 0));
    return { plainMean: keep * total, plainDeviation: spread, invertedMean: total, invertedDeviation: spread / keep };
  }

  // A unit is kept if its uniform number is not below the rate, so that a rising rate takes one after another.
  const mask = (uniforms, rate) => uniforms.map((u) => (u < rate ? 0 : 1 / (1 - rate)));

  // The same numbers for everyone who opens the page: the generator "mulberry32".
  function uniformGenerator(seed) {
    let a = seed;
    return () => {
      a = (a + 0x6d2b79f5) | 0;
      let t = Math.imul(a ^ (a >>> 15), 1 | a);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  return { outputs, signal, mask, uniformGenerator };
})());
