"use strict";
// What the pages share: a plane that is drawn in pixels, points that can be moved, sliders, and what is read out.
window.skreg = (() => {
  const constants = JSON.parse(document.getElementById("constants").textContent);

  // Make an SVG element; an undefined attribute is left out.
  function svg(name, attributes = {}, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== undefined) made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  // Write a number with a true minus, and never minus zero.
  function fixed(value, digits = 2) {
    const text = Math.abs(value).toFixed(digits);
    return value < 0 && Number(text) !== 0 ? `−${text}` : text;
  }

  // A picture of a part of the plane, drawn anew in pixels whenever its width changes, so that its text and
  // its points keep their size.
  class Plane {
    constructor(id, { x, y, height, margin = {} }) {
      this.svg = document.getElementById(id);
      this.limits = { x, y };
      this.heightOf = height;
      this.margin = { left: 0, right: 0, top: 0, bottom: 0, ...margin };
      this.layer = svg("g");
      this.handles = svg("g");
      this.svg.append(this.layer, this.handles);
    }

    // Call `draw` at every change of width.
    onResize(draw) {
      this.measure();
      let width = this.width;
      new ResizeObserver(() => {
        this.measure();
        if (this.width !== width) draw();
        width = this.width;
      }).observe(this.svg);
    }

    measure() {
      this.width = Math.max(this.svg.getBoundingClientRect().width, 200);
      this.height = Math.round(this.heightOf(this.width));
      this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
      this.svg.style.height = `${this.height}px`;
    }

    x(value) {
      const [low, high] = this.limits.x;
      const { left, right } = this.margin;
      return left + ((value - low) / (high - low)) * (this.width - left - right);
    }

    y(value) {
      const [low, high] = this.limits.y;
      const { top, bottom } = this.margin;
      return this.height - bottom - ((value - low) / (high - low)) * (this.height - top - bottom);
    }

    // The point of the plane under a pointer.
    under(event) {
      const box = this.svg.getBoundingClientRect();
      const { left, right, top, bottom } = this.margin;
      const [x0, x1] = this.limits.x;
      const [y0, y1] = this.limits.y;
      const across = (event.clientX - box.left - left) / (this.width - left - right);
      const up = (this.height - bottom - (event.clientY - box.top)) / (this.height - top - bottom);
      return [x0 + across * (x1 - x0), y0 + up * (y1 - y0)];
    }

    path(points, closed = false) {
      const steps = points.map(([a, b]) => `${this.x(a).toFixed(2)},${this.y(b).toFixed(2)}`);
      return `M${steps.join("L")}${closed ? "Z" : ""}`;
    }

    curve(points, kind, attributes = {}) {
      return svg("path", { d: this.path(points), class: kind, ...attributes });
    }

    text([a, b], words, kind = "", attributes = {}) {
      return svg("text", { x: this.x(a), y: this.y(b), class: kind, ...attributes }, words);
    }
  }

  // Follow a pointer from where it is pressed on an element.
  function follow(element, plane, { start = () => {}, move }) {
    // Else the page would scroll under the finger: touch-action is not heeded everywhere inside a picture.
    element.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      element.setPointerCapture(event.pointerId);
      start(plane.under(event));
      const moved = (next) => move(plane.under(next));
      const ended = () => {
        element.removeEventListener("pointermove", moved);
        element.removeEventListener("pointerup", ended);
        element.removeEventListener("pointercancel", ended);
      };
      element.addEventListener("pointermove", moved);
      element.addEventListener("pointerup", ended);
      element.addEventListener("pointercancel", ended);
    });
  }

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  // A point that is dragged, or moved by the arrow keys: ten times as finely with Shift. `read` gives where it
  // is, `write` asks for it to be elsewhere, `text` is what a screen reader says of it.
  function handle(plane, { name, kind, small, label, range, step = 0.05, read, write, text, value }) {
    const element = svg(
      "g",
      {
        id: name, class: `handle ${kind}`, tabindex: 0, role: "slider", "aria-label": label,
        "aria-roledescription": "movable point", "aria-valuemin": range[0], "aria-valuemax": range[1],
      },
      svg("circle", { r: 20, class: "reach" }),
      svg("circle", { r: small ? 10 : 13, class: "ring" }),
      svg("circle", small ? { r: 5, class: "grip" } : { r: 8, class: "dot" }),
    );
    let offset;
    follow(element, plane, {
      start: ([a, b]) => {
        const [x, y] = read();
        offset = [x - a, y - b];
        element.focus({ preventScroll: true });
      },
      move: ([a, b]) => write([a + offset[0], b + offset[1]]),
    });
    element.addEventListener("keydown", (event) => {
      const arrow = ARROWS[event.key];
      if (!arrow) return;
      event.preventDefault();
      const size = event.shiftKey ? step / 10 : step;
      const [x, y] = read();
      // Whole steps, so that no rounding gathers.
      const to = (from, by) => (by ? Math.round((from + by * size) * 1e9) / 1e9 : from);
      write([to(x, arrow[0]), to(y, arrow[1])], arrow);
    });
    plane.handles.append(element);
    return () => {
      const [x, y] = read();
      element.setAttribute("transform", `translate(${plane.x(x)} ${plane.y(y)})`);
      element.setAttribute("aria-valuenow", (value ? value() : x).toFixed(3));
      element.setAttribute("aria-valuetext", text());
    };
  }

  // A labelled native input and the output beside it; what `write` is given is a number.
  function slider(id, { read, write, text = fixed }) {
    const input = document.getElementById(id);
    const output = document.querySelector(`output[for="${id}"]`);
    input.addEventListener("input", () => {
      if (Number.isFinite(input.valueAsNumber)) write(input.valueAsNumber);
    });
    return () => {
      if (document.activeElement !== input || input.type === "range") input.value = read();
      const words = text(read());
      if (output) output.textContent = words;
      if (input.type === "range") input.setAttribute("aria-valuetext", words);
    };
  }

  function choice(name, write) {
    for (const input of document.querySelectorAll(`input[name="${name}"]`)) {
      input.addEventListener("change", () => write(input.value));
    }
  }

  // Say it to screen readers, once it has stopped changing.
  let waiting;
  function announce(words) {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      document.getElementById("status").textContent = words;
    }, 400);
  }

  function show(id, words) {
    document.getElementById(id).textContent = words;
  }

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  return { constants, svg, fixed, Plane, follow, handle, slider, choice, announce, show, clamp };
})();
