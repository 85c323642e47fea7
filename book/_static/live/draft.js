// From draft to digit: noise is added to linked drafts, and a denoiser takes it off again, step by step.
"use strict";

linvaeLive.figure("draft", (stage, data) => {
  const { make, unpack, images, number } = linvaeLive;
  const n = data.digits.length;
  const sigmas = [...data.sigmas, 0];
  const last = sigmas.length;
  stage.figure.classList.add("live-wide");

  const linked = unpack(data.linked);
  const noise = unpack(data.noise);
  const walks = Object.fromEntries(
    Object.entries(data.walks).map(([name, { guesses, nearest }]) => {
      const rows = unpack(guesses);
      const steps = sigmas.slice(1).map((_, step) => rows.slice(n * step, n * (step + 1)));
      return [name, { steps, nearest: images(nearest) }];
    }),
  );

  // What stands at each place of the slider: the linked draft, the draft under noise, and the picture after each step,
  // guess + t / sigma (picture - guess); without noise the picture is its own guess.
  function walk({ steps }) {
    let now = linked.map((picture, i) => picture.map((value, p) => value + sigmas[0] * noise[i][p]));
    const places = [{ now: linked, guess: linked }];
    steps.forEach((guess, step) => {
      places.push({ now, guess });
      const keep = sigmas[step + 1] / sigmas[step];
      now = now.map((picture, i) => picture.map((value, p) => guess[i][p] + keep * (value - guess[i][p])));
    });
    return [...places, { now, guess: now }];
  }
  const places = Object.fromEntries(Object.entries(walks).map(([name, steps]) => [name, walk(steps)]));

  const row = (label) => {
    const name = make("p", { class: "live-name" }, label);
    const sheet = make("div", { class: "live-sheet live-five", role: "group", "aria-label": label });
    stage.pictures.append(make("div", {}, name, sheet));
    return data.digits.map((digit) => stage.image(`${label}, ${digit}`, sheet, ""));
  };
  const rows = ["draft", "picture", "guess", "nearest training digit"].map(row);
  const show = (shown, pictures) => shown.forEach((image, i) => image.show(pictures[i]));
  show(rows[0], unpack(data.drafts));

  const level = (place) => (place ? sigmas[place - 1] : 0);
  stage.range("step", {
    label: "noise σ",
    min: 0,
    max: last,
    step: 1,
    standard: 0,
    show: (place) => (place ? number(level(place), 2) : "none yet"),
  });
  stage.choice("by", {
    label: "Who denoises",
    options: [["nearby", "one that looks nearby"], ["memory", "the best on training digits"], ["linear", "a matrix"]],
    standard: "nearby",
  });

  const far = (x, y) => Math.sqrt(x.reduce((sum, value, p) => sum + (value - y[p]) ** 2, 0));
  const middle = (values) => [...values].sort((a, b) => a - b)[(values.length - 1) / 2];
  return () => {
    const [place, by] = [stage.get("step"), stage.get("by")];
    const { now, guess } = places[by][place];
    const { nearest } = walks[by];
    show(rows[1], now);
    show(rows[2], guess);
    show(rows[3], nearest);
    const away = middle(now.map((picture, i) => far(picture, nearest[i]))) / data.new;
    const done =
      place === 0 ? "The pixels of the drafts are linked, and no noise is added yet"
      : place === 1 ? `Noise of standard deviation ${number(level(1), 2)} is added`
      : place < last ? `After ${place - 1} of ${last - 1} steps noise of ${number(level(place), 2)} is left`
      : "No noise is left";
    if (place === last && away < 0.05) return `${done}. The pictures are copies of the training digits below them.`;
    const times = `${number(away, 2)} times as far from the training digit below it as a new real digit is from its nearest`;
    return `${done}. A picture is ${times} (median of ${n}).`;
  };
});
