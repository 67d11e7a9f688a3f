/* Canvases: samples of the policy, with trajectories and contours. */

/** Samples of the policy in the square of legal actions, with reward contours and trajectories of the flow. */
function drawCloud(canvas, number, pictures, palette, theme) {
  const [g, width, height] = prepare(canvas);
  const side = Math.min(width - 56, height - MARGIN.top - MARGIN.bottom + 4);
  const left = (width - side) / 2 + 14, top = MARGIN.top - 4;
  const x = (a) => left + ((a + 1.05) / 2.1) * side, y = (a) => top + side - ((a + 1.05) / 2.1) * side;
  g.font = `11px ${theme.font}`;
  g.strokeStyle = g.fillStyle = theme.ink;
  g.lineWidth = 1;
  for (const tick of [-1, 0, 1]) {
    g.globalAlpha = 0.13;
    line(g, x(tick), top, x(tick), top + side);
    line(g, left, y(tick), left + side, y(tick));
    g.globalAlpha = 0.85;
    g.textAlign = "center";
    g.textBaseline = "top";
    g.fillText(short(tick), x(tick), top + side + 5);
    g.textAlign = "right";
    g.textBaseline = "middle";
    g.fillText(short(tick), left - 6, y(tick));
  }
  g.textAlign = "center";
  g.textBaseline = "top";
  g.fillText("action 1", left + side / 2, top + side + 18);
  g.save();
  g.translate(left - 34, top + side / 2);
  g.rotate(-Math.PI / 2);
  g.fillText("action 2", 0, 0);
  g.restore();
  g.globalAlpha = 0.6;
  line(g, left, top, left, top + side);
  line(g, left, top + side, left + side, top + side);
  g.save();
  g.beginPath();
  g.rect(left, top, side, side);
  g.clip();
  const [, count] = pictures.cloud.shape, { values } = pictures.cloud;
  g.fillStyle = strokeOf(palette, 0, theme).colour;
  g.globalAlpha = 0.4;
  for (let i = number * count; i < (number + 1) * count; i++) {
    g.beginPath();
    g.arc(x(values[2 * i]), y(values[2 * i + 1]), 1.5, 0, 2 * Math.PI);
    g.fill();
  }
  if (pictures.paths && number === 0) drawPaths(g, pictures.paths, x, y, theme);
  g.globalAlpha = 1;
  g.strokeStyle = strokeOf(palette, 1, theme).colour;
  if (pictures.reward) drawContours(g, pictures.reward, x, y);
  g.restore();
}

function drawPaths(g, { shape, values }, x, y, theme) {
  const points = shape[1];
  g.strokeStyle = theme.ink;
  g.globalAlpha = 0.45;
  g.lineWidth = 0.9;
  for (let k = 0; k < shape[0]; k++) {
    g.beginPath();
    for (let i = k * points; i < (k + 1) * points; i++)
      if (Number.isFinite(values[2 * i])) g.lineTo(x(values[2 * i]), y(values[2 * i + 1]));
    g.stroke();
  }
}

/** Ends of the pieces of a level's contour, as x0, y0, x1, y1, …: marching squares without the tables, for on each
    triangle of each cell a level crosses none or two edges. */
function contour({ shape: [rows, columns], values }, level) {
  const at = (i, j) => ({ a: -1 + (2 * j) / (columns - 1), b: -1 + (2 * i) / (rows - 1), v: values[i * columns + j] });
  const pieces = [];
  for (let i = 0; i + 1 < rows; i++)
    for (let j = 0; j + 1 < columns; j++)
      for (const corners of [[at(i, j), at(i, j + 1), at(i + 1, j)], [at(i + 1, j + 1), at(i, j + 1), at(i + 1, j)]])
        for (let k = 0; k < 3; k++) {
          const p = corners[k], q = corners[(k + 1) % 3];
          if (p.v > level === q.v > level) continue;
          const w = (level - p.v) / (q.v - p.v);
          pieces.push(p.a + w * (q.a - p.a), p.b + w * (q.b - p.b));
        }
  return pieces;
}

/** Contours of the reward, which are found once. */
function drawContours(g, reward, x, y) {
  reward.contours ??= [0.25, 0.5, 0.75].map((level) => contour(reward, level));
  g.lineWidth = 1;
  for (const pieces of reward.contours) {
    g.beginPath();
    for (let i = 0; i < pieces.length; i += 4) {
      g.moveTo(x(pieces[i]), y(pieces[i + 1]));
      g.lineTo(x(pieces[i + 2]), y(pieces[i + 3]));
    }
    g.stroke();
  }
}

