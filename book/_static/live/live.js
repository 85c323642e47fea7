// What the live figures of the book share.  A figure is a file of its own, and its data are a script, so that it works
// from file://.  Without these scripts, and on paper, the page shows the figure's still picture.
"use strict";

window.linvaeLive = (() => {
  const SIDE = 28;
  const data = {};
  const stages = {};
  const dark = new MutationObserver(() => Object.values(stages).forEach((stage) => stage.paint()));
  dark.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });

  function make(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  // ---- numbers that came as text

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  // Rows of whole numbers from -127 to 127, each row in a unit of its own.
  function unpack({ rows, unit }) {
    const all = new Int8Array(bytes(rows).buffer);
    const width = all.length / unit.length;
    return unit.map((size, i) => Float64Array.from(all.subarray(i * width, (i + 1) * width), (value) => value * size));
  }

  // Images of gray levels from 0 to 255; black is 0 and white is 1.
  function images(text) {
    const all = bytes(text);
    const count = all.length / SIDE ** 2;
    return Array.from({ length: count }, (_, i) =>
      Float64Array.from(all.subarray(i * SIDE ** 2, (i + 1) * SIDE ** 2), (level) => level / 255),
    );
  }

  const floats = (text) => Float64Array.from(new Float32Array(bytes(text).buffer));

  // The rows of a lower triangle of n rows.
  function triangle(text, n) {
    const all = floats(text);
    return Array.from({ length: n }, (_, i) => all.subarray((i * (i + 1)) / 2, ((i + 1) * (i + 2)) / 2));
  }

  // ---- draws, the same for the same seed

  function normals(seed, count) {
    let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
    const uniform = () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
    };
    const drawn = new Float64Array(count + 1);
    for (let i = 0; i < count; i += 2) {
      const radius = Math.sqrt(-2 * Math.log(uniform()));
      const angle = 2 * Math.PI * uniform();
      drawn[i] = radius * Math.cos(angle);
      drawn[i + 1] = radius * Math.sin(angle);
    }
    return drawn.subarray(0, count);
  }

  // ---- numbers as words

  const number = (value, digits = 1) => value.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", "−");
  const signed = (value, digits = 1) => (value > 0 && Number(value.toFixed(digits)) ? "+" : "") + number(value, digits);
  const percent = (share) => (share > 0 && share < 0.005 ? "less than 1 %" : `${number(100 * share, 0)} %`);

  // ---- the state of a figure in the address, as ?dials=k-16_z1--2.1

  function saved(name) {
    const parts = (new URLSearchParams(location.search).get(name) || "").split("_");
    return Object.fromEntries(parts.map((part) => [part.split("-", 1)[0], part.slice(part.indexOf("-") + 1)]));
  }

  // The figure's own place goes with it, so that a link that is passed on opens there.
  function save(name, text, place) {
    const query = new URLSearchParams(location.search);
    if (text) query.set(name, text);
    else query.delete(name);
    const all = query.toString();
    const hash = text && place ? `#${place}` : location.hash;
    history.replaceState(history.state, "", (all ? `?${all}` : location.pathname) + hash);
  }

  // What lies beyond black is blue and what lies beyond white is orange, if asked.
  function shade(value, marked) {
    const gray = 255 * Math.min(1, Math.max(0, value));
    if (!marked || (value >= -0.01 && value <= 1.01)) return [gray, gray, gray];
    const beyond = Math.min(1, 0.35 + 3 * (value < 0 ? -value : value - 1));
    const [from, to] = value < 0 ? [[0, 0, 0], [40, 140, 255]] : [[255, 255, 255], [255, 120, 0]];
    return from.map((level, i) => level + beyond * (to[i] - level));
  }

  class Stage {
    constructor(figure, name) {
      this.figure = figure;
      this.name = name;
      this.inputs = {};
      this.plots = [];
      this.saved = saved(name);
      this.pictures = make("div", { class: "live-pictures" });
      this.controls = make("div", { class: "live-controls" });
      this.buttons = make("div", { class: "live-buttons" });
      this.sentence = make("p", { class: "live-sentence", "aria-hidden": "true" });
      this.status = make("p", { class: "live-status", role: "status" });
      this.root = make("div", { class: "live-stage" }, this.pictures, this.controls, this.sentence, this.status);
      this.frame = 0;
    }

    color(name) {
      return getComputedStyle(this.root).getPropertyValue(`--live-${name}`).trim();
    }

    // -- controls.  `standard` is where one begins, a value or a function; only what differs from it is in the address.

    add(key, standard, { read, write }) {
      const wanted = typeof standard === "function" ? standard : () => standard;
      this.inputs[key] = { read, write, standard: wanted };
      write(wanted());
      if (key in this.saved) write(this.saved[key]);
    }

    get(key) {
      return this.inputs[key].read();
    }

    set(key, value) {
      this.inputs[key].write(value);
      this.changed();
    }

    restore(...keys) {
      for (const key of keys.length ? keys : Object.keys(this.inputs)) this.inputs[key].write(this.inputs[key].standard());
      this.changed();
    }

    range(key, { label, min, max, step, standard, show = String, picture, into = this.controls }) {
      const id = `live-${this.name}-${key}`;
      const input = make("input", { type: "range", id, min, max, step, autocomplete: "off" });
      const output = make("output", { for: id });
      const row = make("div", { class: "live-range" }, make("label", { for: id }, label), input, output);
      if (picture) row.prepend(picture);
      into.append(row);
      const tell = () => {
        output.value = show(Number(input.value));
        input.setAttribute("aria-valuetext", output.value);
      };
      input.addEventListener("input", () => (tell(), this.changed()));
      const write = (value) => ((input.value = String(value)), tell());
      this.add(key, standard, { read: () => Number(input.value), write });
      return { input, row };
    }

    check(key, { label, standard = false, change = () => {}, into = this.controls }) {
      const input = make("input", { type: "checkbox", autocomplete: "off" });
      into.append(make("label", { class: "live-check" }, input, label));
      input.addEventListener("change", () => (change(), this.changed()));
      const write = (value) => (input.checked = Number(value) === 1);
      this.add(key, Number(standard), { read: () => Number(input.checked), write });
      return input;
    }

    choice(key, { label, options, standard, change = () => {}, into = this.controls }) {
      const box = make("fieldset", { class: "live-choice" }, make("legend", {}, label));
      const inputs = options.map(([value, words]) => {
        const input = make("input", { type: "radio", name: `live-${this.name}-${key}`, value, autocomplete: "off" });
        box.append(make("label", {}, input, make("span", {}, words)));
        input.addEventListener("change", () => (change(), this.changed()));
        return input;
      });
      into.append(box);
      const write = (value) => {
        const wanted = inputs.find((input) => input.value === String(value));
        if (!wanted) return;
        wanted.checked = true;
        if (this.ready) change();
      };
      this.add(key, standard, { read: () => inputs.find((input) => input.checked).value, write });
    }

    // A whole number that no slider shows, such as a seed.
    hidden(key, standard) {
      let value = standard;
      const write = (wanted) => (value = Math.abs(Math.trunc(Number(wanted))) || 0);
      this.add(key, standard, { read: () => value, write });
    }

    button(label, act) {
      const button = make("button", { type: "button", class: "live-button" }, label);
      button.addEventListener("click", () => (act(), this.changed()));
      this.buttons.append(button);
    }

    // -- pictures

    image(label, into = this.pictures, shown = label) {
      const canvas = make("canvas", { width: SIDE, height: SIDE, role: "img", "aria-label": label });
      const name = make("span", {}, shown);
      const box = make("div", { class: "live-image" }, canvas, name);
      into.append(box);
      const context = canvas.getContext("2d", { willReadFrequently: true }); // 784 pixels that no graphics card need keep
      const levels = context.createImageData(SIDE, SIDE);
      const show = (pixels, marked = false) => {
        for (let p = 0; p < SIDE ** 2; p++) levels.data.set([...shade(pixels[p], marked), 255], 4 * p);
        context.putImageData(levels, 0, 0);
      };
      return { canvas, box, name, show };
    }

    // `draw(context, width, height)` draws in pixels of the page; `height` is a function of the width.
    plot(label, height, draw, into = this.pictures) {
      const canvas = make("canvas", { class: "live-plot", role: "img", "aria-label": label });
      into.append(canvas);
      const plot = { canvas, height, draw };
      this.plots.push(plot);
      new ResizeObserver(() => this.paintPlot(plot)).observe(canvas);
      return plot;
    }

    paintPlot({ canvas, height, draw }) {
      const width = canvas.clientWidth;
      if (!width || !this.ready) return;
      const tall = Math.round(height(width));
      const scale = window.devicePixelRatio || 1;
      canvas.style.height = `${tall}px`;
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(tall * scale);
      const context = canvas.getContext("2d");
      context.scale(scale, scale);
      context.font = `14px ${getComputedStyle(this.root).fontFamily}`;
      context.lineCap = context.lineJoin = "round";
      draw(context, width, tall);
    }

    // Pointers set what they point at; a finger that moves up or down still scrolls the page.
    drag({ canvas }, act) {
      const point = (event) => {
        const box = canvas.getBoundingClientRect();
        act(event.clientX - box.left, event.clientY - box.top);
      };
      canvas.classList.add("live-drag");
      canvas.addEventListener("pointerdown", (event) => {
        canvas.setPointerCapture(event.pointerId);
        point(event);
      });
      canvas.addEventListener("pointermove", (event) => event.buttons && point(event));
    }

    // -- what happens after a change: at once the picture, at rest the words for those who listen and the address

    changed() {
      if (!this.ready) return;
      if (!this.frame) this.frame = requestAnimationFrame(() => this.paint());
      clearTimeout(this.rest);
      this.rest = setTimeout(() => {
        this.rest = 0;
        this.status.textContent = this.sentence.textContent;
        save(this.name, this.text(), this.figure.id);
      }, 300);
    }

    paint() {
      this.frame = 0;
      this.sentence.textContent = this.draw();
      this.plots.forEach((plot) => this.paintPlot(plot));
    }

    text() {
      const parts = [];
      for (const [key, { read, standard }] of Object.entries(this.inputs)) {
        const value = String(typeof read() === "number" ? Number(read().toFixed(4)) : read());
        const usual = standard();
        if (value !== String(typeof usual === "number" ? Number(usual.toFixed(4)) : usual)) parts.push(`${key}-${value}`);
      }
      return parts.join("_");
    }
  }

  // Build a figure where its page asks for it.  `build(stage, data)` makes the controls and returns what draws them: a
  // function that paints and returns a sentence about what is seen.
  function figure(name, build) {
    const place = document.querySelector(`figure.live-${name}`);
    if (!place) return;
    const stage = new Stage(place, name);
    place.insertBefore(stage.root, place.querySelector("figcaption"));
    stage.draw = build(stage, data[name]);
    stage.button("Start again", () => stage.restore());
    stage.controls.append(stage.buttons);
    stage.ready = true;
    stages[name] = stage;
    place.classList.add("live-on");
    for (const still of place.querySelectorAll("img")) still.loading = "eager"; // so that it is there for paper
    stage.paint();
    stage.status.textContent = "";
  }

  return { SIDE, data, stages, figure, make, unpack, images, floats, triangle, normals, number, signed, percent };
})();
