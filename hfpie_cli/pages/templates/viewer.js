const BRIGHTNESS = [[0, 0, 4], [31, 12, 72], [85, 15, 109], [136, 34, 106], [186, 54, 85], [227, 89, 51], [249, 140, 10], [249, 201, 50], [252, 255, 164]];
const LEAST_PANE = 200;  // pixels of height
const NEAR = 26;  // pixels from the slider at which a pointer takes hold of it

const made = (name, classes = "", text = "") => {
  const element = document.createElement(name);
  element.className = classes;
  element.textContent = text;
  return element;
};
const within = (value, low, high) => Math.min(Math.max(value, low), high);

/** The colours of a difference from 0 (black) to 255 (light yellow), one after the other. */
function colourScale() {
  const colours = new Uint8ClampedArray(256 * 3);
  for (let level = 0; level < 256; level++) {
    const place = level / 255 * (BRIGHTNESS.length - 1);
    const before = Math.min(Math.floor(place), BRIGHTNESS.length - 2);
    for (let c = 0; c < 3; c++) {
      const [from, to] = [BRIGHTNESS[before][c], BRIGHTNESS[before + 1][c]];
      colours[3 * level + c] = from + (to - from) * (place - before);
    }
  }
  return colours;
}
const COLOURS = colourScale();

function pixelsOf(image) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/** The root mean square over the channels of what two pictures differ by, `gain` times as bright, as colours. */
function differenceMap(one, other, gain) {
  const [a, b] = [pixelsOf(one), pixelsOf(other)];
  for (let at = 0; at < a.data.length; at += 4) {
    const [r, g, blue] = [a.data[at] - b.data[at], a.data[at + 1] - b.data[at + 1], a.data[at + 2] - b.data[at + 2]];
    const level = Math.min(255, Math.round(gain * Math.sqrt((r * r + g * g + blue * blue) / 3)));
    for (let c = 0; c < 3; c++) a.data[at + c] = COLOURS[3 * level + c];
  }
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [a.width, a.height];
  canvas.getContext("2d").putImageData(a, 0, 0);
  return canvas;
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.stage = this.find(".stage");
    this.scenes = [...root.querySelectorAll("template")];
    this.names = [...this.find("select.left").options].map((option) => option.text);
    this.left = Number(root.dataset.left);
    this.right = Number(root.dataset.right);
    this.reference = Number(root.dataset.reference);
    this.gain = 4;
    this.mode = "slider";
    this.cut = 0.5;
    this.pointers = new Map();
    this.listen();
    this.showScene(0);
    new ResizeObserver(() => this.layOut()).observe(this.stage);
  }

  find(selector) { return this.root.querySelector(selector); }

  listen() {
    const choose = (selector, name) => this.find(selector).addEventListener("change", (event) => {
      this[name] = Number(event.target.value);
      this.draw();
    });
    for (const name of ["left", "right", "reference", "gain"]) choose(`select.${name}`, name);
    this.find(".swap").addEventListener("click", () => this.swap());
    for (const button of this.root.querySelectorAll("[data-mode]")) {
      button.addEventListener("click", () => this.setMode(button.dataset.mode));
    }
    for (const button of this.root.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => this.zoomTo(button.dataset.zoom));
    }
    this.root.querySelectorAll(".strip button").forEach((button, index) => {
      button.addEventListener("click", () => this.showScene(index));
    });
    this.stage.addEventListener("pointerdown", (event) => this.press(event));
    this.stage.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      this.stage.addEventListener(name, (event) => this.release(event));
    }
    this.stage.addEventListener("dblclick", (event) => {
      if (event.target.closest(".handle")) return;
      this.zoomTo(this.isFitted() || this.percent() < 99.5 ? "1" : "fit", event);
    });
    this.stage.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !this.root.contains(document.activeElement)) return;  // the page scrolls
      event.preventDefault();
      this.zoomAt(this.scale * Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), event);
    }, {passive: false});
  }

  // What is shown

  showScene(index) {
    this.scene = within(index, 0, this.scenes.length - 1);
    const template = this.scenes[this.scene];
    this.views = [...template.content.querySelectorAll("div")];
    this.find(".name").textContent = template.dataset.name;
    this.find(".note").textContent = template.dataset.note;
    this.find(".mark").textContent = template.dataset.mark;
    this.root.querySelectorAll(".strip button").forEach((button, at) => {
      button.setAttribute("aria-pressed", at === this.scene);
      if (at === this.scene) this.scrollStripTo(button);
    });
    this.find(".views").replaceChildren(...this.views.map((view, at) => {
      const button = made("button", "", view.dataset.label);
      button.type = "button";
      button.addEventListener("click", () => this.showView(at));
      return button;
    }));
    this.find(".views").hidden = this.views.length < 2;
    this.showView(0);
  }

  scrollStripTo(button) {
    const strip = button.parentElement;
    strip.scrollLeft = button.offsetLeft - strip.offsetLeft - (strip.clientWidth - button.clientWidth) / 2;
  }

  showView(index) {
    this.view = index;
    const {width, height, reduction} = this.views[index].dataset;
    const size = [width, height].map((pixels) => Math.max(1, Math.floor(pixels / reduction)));
    const same = size[0] === this.width && size[1] === this.height && Number(reduction) === this.reduction;
    [this.width, this.height] = size;
    this.reduction = Number(reduction);
    [...this.find(".views").children].forEach((button, at) => button.setAttribute("aria-pressed", at === index));
    this.images = [...this.views[index].querySelectorAll("img")].map((image) => document.importNode(image));
    if (!same) [this.centre, this.wanted] = [[0.5, 0.5], index ? "1" : "start"];  // else the zoom goes with the next picture
    this.draw();
  }

  setMode(mode) {
    this.mode = mode;
    this.draw();
  }

  swap() {
    [this.left, this.right] = [this.right, this.left];
    this.draw();
  }

  /** Build the panes anew: for another picture, other versions or another mode. */
  draw() {
    for (const name of ["left", "right", "reference"]) this.find(`select.${name}`).value = this[name];
    for (const button of this.root.querySelectorAll("[data-mode]")) {
      button.setAttribute("aria-pressed", button.dataset.mode === this.mode);
    }
    this.find(".pair").hidden = this.mode !== "slider";
    this.find(".against").hidden = this.mode !== "difference";
    const build = {slider: this.sliderPanes, grid: this.gridPanes, difference: this.differencePanes}[this.mode];
    this.panes = build.call(this);
    this.stage.replaceChildren(...this.panes);
    this.layOut();
  }

  pane(...parts) {
    const pane = made("div", "pane");
    pane.append(...parts);
    return pane;
  }

  layer(picture) {
    const layer = made("div", "layer");
    [picture.style.width, picture.style.height] = [`${this.width}px`, `${this.height}px`];
    layer.append(picture);
    return layer;
  }

  label(version, where, more = "") {
    const label = made("span", `label ${where}`, this.names[version] + more);
    const score = this.images[version].dataset.score;
    if (score) label.append(made("small", "", score));
    return label;
  }

  sliderPanes() {
    const under = this.images[this.right];
    this.over = this.layer(this.left === this.right ? under.cloneNode() : this.images[this.left]);
    this.handle = made("div", "handle");
    this.handle.tabIndex = 0;
    const says = {role: "slider", "aria-label": `${this.names[this.left]} on the left, ${this.names[this.right]} on the right`,
      "aria-valuemin": 0, "aria-valuemax": 100};
    for (const [name, value] of Object.entries(says)) this.handle.setAttribute(name, value);
    this.labels = [this.label(this.left, "at-left"), this.label(this.right, "at-right")];
    return [this.pane(this.layer(under), this.over, ...this.labels, this.handle)];
  }

  gridPanes() {
    return this.names.map((_, version) => this.pane(this.layer(this.images[version]), this.label(version, "at-left alone")));
  }

  differencePanes() {
    const others = this.names.map((_, version) => version).filter((version) => version !== this.reference);
    return others.map((version) => {
      const pane = this.pane(this.label(version, "at-left alone", ` − ${this.names[this.reference]}`));
      this.fillDifference(pane, version, [this.images[this.reference], this.images[version]]);
      return pane;
    });
  }

  async fillDifference(pane, version, pair) {
    await Promise.all(pair.map((image) => image.decode()));
    if (pane.isConnected) pane.prepend(this.layer(differenceMap(...pair, this.gain)));
    this.place();
  }

  // Where it is shown

  layOut() {
    const width = this.stage.clientWidth;
    const count = this.panes.length;
    const columns = count === 1 ? 1 : width < 600 ? (count > 2 ? 2 : 1) : count === 4 ? 2 : Math.min(count, 3);
    const rows = Math.ceil(count / columns);
    this.stage.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    this.stage.style.gridTemplateRows = `repeat(${rows}, minmax(${LEAST_PANE}px, 1fr))`;
    this.stage.style.height = "";
    if (this.stage.clientHeight < rows * LEAST_PANE) this.stage.style.height = `${rows * LEAST_PANE}px`;
    if (this.wanted) this.scale = this.scaleOf(this.wanted);
    this.place();
  }

  ratio() { return window.devicePixelRatio || 1; }

  size() { return [this.panes[0].clientWidth, this.panes[0].clientHeight]; }

  /** Pixels of the screen for a pixel that is embedded. */
  scaleOf(wanted) {
    const [width, height] = this.size();
    const fit = Math.min(width * this.ratio() / this.width, height * this.ratio() / this.height);
    return wanted === "fit" ? fit : wanted === "start" ? Math.min(fit, this.ratio()) : Number(wanted) * this.reduction;
  }

  percent() { return this.scale / this.reduction * 100; }

  isFitted() { return Math.abs(this.scale - this.scaleOf("fit")) < 1e-6; }

  zoomTo(wanted, pointer = null) {
    const exact = this.views.findIndex((view) => view.dataset.reduction === "1");
    if (wanted !== "fit" && this.reduction > 1 && exact >= 0) this.showView(exact);  // only there it is 100 %
    this.zoomAt(this.scaleOf(wanted), pointer);
    if (wanted === "fit") this.wanted = "fit";
  }

  /** Zoom so that what lies under the pointer stays there; around the middle without one. */
  zoomAt(scale, pointer = null) {
    const smallest = Math.min(this.scaleOf("fit"), 1) / 2;
    const next = within(scale, smallest, 32 * this.ratio());
    const boxes = this.panes.map((pane) => pane.getBoundingClientRect());
    const under = (box) => pointer.clientX >= box.left && pointer.clientX <= box.right && pointer.clientY >= box.top && pointer.clientY <= box.bottom;
    const box = pointer && boxes.find(under) || boxes[0];
    const shift = pointer ? [pointer.clientX - box.left - box.width / 2, pointer.clientY - box.top - box.height / 2] : [0, 0];
    const gain = this.ratio() / this.scale - this.ratio() / next;
    this.centre = [this.centre[0] + shift[0] * gain / this.width, this.centre[1] + shift[1] * gain / this.height];
    this.scale = next;
    this.wanted = null;
    this.place();
  }

  pan(dx, dy) {
    const css = this.scale / this.ratio();
    this.centre = [this.centre[0] - dx / css / this.width, this.centre[1] - dy / css / this.height];
    this.place();
  }

  /** Move every picture to where the middle and the zoom say. */
  place() {
    const [width, height] = this.size();
    const css = this.scale / this.ratio();
    const shown = [this.width * css, this.height * css];
    const room = [width, height];
    this.centre = this.centre.map((value, axis) => {
      const half = room[axis] / 2 / shown[axis];
      return half >= 0.5 ? 0.5 : within(value, half, 1 - half);
    });
    const round = (value) => Math.round(value * this.ratio()) / this.ratio();
    const [x, y] = this.centre.map((value, axis) => round(room[axis] / 2 - value * shown[axis]));
    for (const picture of this.stage.querySelectorAll(".layer > *")) {
      picture.style.transform = `translate(${x}px, ${y}px) scale(${css})`;
      picture.style.imageRendering = this.scale >= 1 ? "pixelated" : "auto";
    }
    if (this.mode === "slider") this.placeCut();
    const percent = this.percent();
    this.find(".zoom").textContent = `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
    for (const button of this.root.querySelectorAll("[data-zoom]")) {
      const wanted = button.dataset.zoom;
      const is = wanted === "fit" ? this.isFitted() : Math.abs(percent / 100 - Number(wanted)) < 1e-6;
      button.setAttribute("aria-pressed", is);
    }
  }

  /** The cut runs over what is seen of the picture, not over the empty sides. */
  span() {
    const [width] = this.size();
    const shown = Math.min(width, this.width * this.scale / this.ratio());
    return [(width - shown) / 2, shown];
  }

  placeCut() {
    const [start, length] = this.span();
    const at = start + this.cut * length;
    const [width] = this.size();
    this.over.style.clipPath = `inset(0 ${Math.max(0, width - at)}px 0 0)`;
    this.handle.style.left = `${within(at, 1, width - 1)}px`;
    this.handle.setAttribute("aria-valuenow", Math.round(100 * this.cut));
    this.handle.setAttribute("aria-valuetext", `${Math.round(100 * this.cut)} % ${this.names[this.left]}`);
    this.labels[0].style.opacity = this.cut > 0 ? 1 : 0.25;
    this.labels[1].style.opacity = this.cut < 1 ? 1 : 0.25;
  }

  setCut(cut) {
    this.cut = within(cut, 0, 1);
    if (this.mode === "slider") this.placeCut();
  }

  cutAt(event) {
    const [start, length] = this.span();
    this.setCut((event.clientX - this.panes[0].getBoundingClientRect().left - start) / length);
  }

  // Pointers and keys

  press(event) {
    if (event.button) return;
    event.preventDefault();
    this.root.focus({preventScroll: true});
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    const [start, length] = this.mode === "slider" ? this.span() : [0, 0];
    const box = this.panes[0].getBoundingClientRect();
    const away = Math.abs(event.clientX - box.left - start - this.cut * length);
    const fits = this.width * this.scale / this.ratio() <= box.width + 1 && this.height * this.scale / this.ratio() <= box.height + 1;
    this.slides = this.mode === "slider" && this.pointers.size === 1 && (away <= NEAR || fits);
    if (this.slides) this.cutAt(event);
    for (const pane of this.panes) pane.classList.toggle("moving", !this.slides);
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const old = [...this.pointers.values()];
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.pointers.size === 2) return this.pinch(old, [...this.pointers.values()]);
    if (this.slides) return this.cutAt(event);
    return this.pan(event.clientX - before[0], event.clientY - before[1]);
  }

  pinch(old, now) {
    this.slides = false;
    const apart = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
    const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    const [from, to] = [middle(old), middle(now)];
    this.pan(to[0] - from[0], to[1] - from[1]);
    this.zoomAt(this.scale * apart(now) / apart(old), {clientX: to[0], clientY: to[1]});
  }

  release(event) {
    this.pointers.delete(event.pointerId);
    if (!this.pointers.size) for (const pane of this.panes) pane.classList.remove("moving");
  }

  /** Whether the key meant something here. */
  key(event) {
    const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (step && this.mode === "slider" && step[0] && !event.shiftKey) {
      this.setCut(this.cut + step[0] * 0.02);
      return true;
    }
    if (step && (event.shiftKey || this.mode !== "slider")) {
      this.pan(-80 * step[0], -80 * step[1]);
      return true;
    }
    const actions = {
      s: () => this.setMode("slider"), g: () => this.setMode("grid"), d: () => this.setMode("difference"),
      x: () => this.swap(), n: () => this.showScene(this.scene + 1), p: () => this.showScene(this.scene - 1),
      v: () => this.showView((this.view + 1) % this.views.length),
      "+": () => this.zoomAt(this.scale * Math.SQRT2), "=": () => this.zoomAt(this.scale * Math.SQRT2),
      "-": () => this.zoomAt(this.scale / Math.SQRT2),
      0: () => this.zoomTo("fit"), 1: () => this.zoomTo("1"), 2: () => this.zoomTo("2"), 4: () => this.zoomTo("4"),
      " ": () => this.setCut(this.cut < 1 ? 1 : 0),
      f: () => (document.fullscreenElement ? document.exitFullscreen() : this.root.requestFullscreen?.()),
    };
    const action = actions[event.key.toLowerCase()];
    action?.();
    return Boolean(action);
  }
}

const viewers = new Map([...document.querySelectorAll(".viewer")].map((root) => [root, new Viewer(root)]));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, summary")) return;
  if (event.key === " " && event.target.closest("button")) return;
  const nearest = event.target.closest(".viewer") ?? (viewers.size === 1 ? document.querySelector(".viewer") : null);
  if (nearest && viewers.get(nearest).key(event)) event.preventDefault();
});
if (viewers.size === 1 && !document.querySelector(".pictures")) document.querySelector(".viewer").focus({preventScroll: true});
