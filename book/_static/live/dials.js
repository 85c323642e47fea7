// Codes of a digit as dials: what k numbers draw, and what each direction adds.
"use strict";

linvaeLive.figure("dials", (stage, data) => {
  const { make, unpack, floats, images, number, signed, percent } = linvaeLive;
  const directions = unpack(data.directions);
  const mean = floats(data.mean);
  const digits = images(data.digits);
  const k = directions.length;
  const DIALS = 6;
  const keys = Array.from({ length: DIALS }, (_, j) => `z${j + 1}`);

  const real = stage.image("the real digit");
  const drawn = stage.image("the digit drawn from its codes", stage.pictures, "");

  const options = digits.map((_, digit) => [String(digit), String(digit)]);
  stage.choice("digit", { label: "A test digit", options, standard: "4", change: () => anchor() });
  const own = () => data.codes[Number(stage.get("digit"))];
  stage.range("k", { label: "codes kept, k", min: 0, max: k, step: 1, standard: 16 });

  const board = make("div", { class: "live-dials-board", role: "group", "aria-label": "the first codes" });
  stage.controls.append(board);
  const dials = keys.map((key, j) => {
    const picture = stage.image(`direction ${j + 1}`, board, "");
    picture.show(directions[j].map((value) => 0.5 + 4 * value));
    const range = { label: `code ${j + 1}`, step: 0.1, picture: picture.box, into: board };
    const show = (value) => `${signed(value)} sd`;
    return stage.range(key, { ...range, min: -5, max: 5, standard: () => own()[j], show });
  });
  stage.check("marks", { label: "colour what is darker than black (blue) or brighter than white (orange)" });
  stage.button("The digit’s own codes", () => stage.restore(...keys));

  // The steps of a dial meet the digit's own code.
  function anchor() {
    dials.forEach(({ input }, j) => {
      const value = own()[j];
      const min = value - 0.1 * Math.floor((value + 4) / 0.1);
      input.min = min.toFixed(2);
      input.max = (min + 8).toFixed(2);
    });
    stage.restore(...keys);
  }
  const wanted = keys.map((key) => stage.saved[key]);
  anchor();
  keys.forEach((key, j) => wanted[j] && stage.set(key, wanted[j]));

  const lost = (picture, digit) => picture.reduce((sum, value, p) => sum + (value - digit[p]) ** 2, 0);

  return () => {
    const digit = digits[Number(stage.get("digit"))];
    const kept = stage.get("k");
    const picture = Float64Array.from(mean);
    for (let j = 0; j < kept; j++) {
      const code = data.sd[j] * (j < DIALS ? stage.get(keys[j]) : own()[j]);
      for (let p = 0; p < picture.length; p++) picture[p] += code * directions[j][p];
    }
    dials.forEach(({ input, row }, j) => {
      input.disabled = j >= kept;
      row.classList.toggle("live-off", j >= kept);
    });
    real.show(digit);
    drawn.show(picture, stage.get("marks") === 1);
    const numbers = kept === 1 ? "1 number" : `${kept} numbers`;
    drawn.name.textContent = `drawn from ${numbers}`;
    const below = picture.filter((value) => value < -0.01).length / picture.length;
    const above = picture.filter((value) => value > 1.01).length / picture.length;
    return (
      `Drawn from ${numbers} in the place of ${picture.length}: error ${number(lost(picture, digit))}, where the mean ` +
      `image has ${number(lost(mean, digit))}. ` +
      `Of the pixels ${percent(below)} are darker than black and ${percent(above)} brighter than white.`
    );
  };
});
