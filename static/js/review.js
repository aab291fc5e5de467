// The review desk: keys, zoom, and the boxes on the photo that belong to the field in hand.
(() => {
  const form = document.querySelector("form[data-decide]");
  const viewer = document.querySelector("[data-viewer]");
  if (!form || !viewer) return;
  const help = document.getElementById("keys");
  const asked = document.querySelector("[data-ask-photo]");
  const fieldOf = (part) => part.querySelector(":checked") || part.querySelector("input");
  const parts = [...form.querySelectorAll("[data-field]")];
  const views = [...viewer.querySelectorAll("[data-view]")];
  let last = form.elements.name;

  // --- a line of the label, into the field one was in ---

  form.addEventListener("click", (event) => {
    const chip = event.target.closest('[data-fill=""]');
    if (!chip) return;
    last.value = chip.dataset.value;
    last.dispatchEvent(new Event("input", { bubbles: true }));
    last.focus();
  });

  form.addEventListener("input", (event) => event.target.removeAttribute("aria-invalid"));

  // --- the photo that belongs to the field ---

  const showView = (view) => {
    for (const other of views) other.hidden = other !== view;
    for (const link of viewer.querySelectorAll("[data-show]")) {
      if (link.dataset.show === view.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };

  const light = (name) => {
    const boxes = [...viewer.querySelectorAll("[data-of]")];
    for (const box of boxes) box.classList.toggle("is-lit", box.dataset.of === name);
    viewer.dataset.lit = String(boxes.some((box) => box.dataset.of === name));
    const view = boxes.find((box) => box.dataset.of === name)?.closest("[data-view]");
    const shown = views.find((other) => !other.hidden);
    if (view && !boxes.some((box) => box.dataset.of === name && shown.contains(box))) showView(view);
  };

  form.addEventListener("focusin", (event) => {
    const part = event.target.closest("[data-field]");
    if (!part) return;
    if (event.target.matches(".input")) last = event.target;
    light(part.dataset.field);
  });

  // --- zoom ---

  const zoom = (frame, x = 0.5, y = 0.5) => {
    const on = frame.toggleAttribute("data-zoomed");
    if (!on) return;
    frame.scrollLeft = frame.scrollWidth * x - frame.clientWidth / 2;
    frame.scrollTop = frame.scrollHeight * y - frame.clientHeight / 2;
  };

  // --- turning: the picture with its boxes, on this screen alone ---

  const turn = (view) => {
    const picture = view.querySelector(".view-picture");
    const turned = picture.firstElementChild;
    const [, , width, height] = picture.getAttribute("viewBox").split(" ");
    const angle = (Number(view.dataset.angle || 0) + 90) % 360;
    // Turned about the corner 0 0, it is moved back into sight; each turn swaps width and height.
    const [x, y] = { 0: [0, 0], 90: [height, 0], 180: [height, width], 270: [0, width] }[angle];
    view.dataset.angle = angle;
    picture.setAttribute("viewBox", `0 0 ${height} ${width}`);
    turned.setAttribute("transform", `translate(${x} ${y}) rotate(${angle})`);
  };

  viewer.addEventListener("click", (event) => {
    if (event.target.closest("[data-turn]")) turn(event.target.closest("[data-view]"));
    const link = event.target.closest("[data-show]");
    const frame = event.target.closest("[data-zoom]");
    if (link || frame) event.preventDefault();
    if (link) showView(document.getElementById(link.dataset.show));
    else if (frame) {
      const area = frame.querySelector("svg").getBoundingClientRect();
      zoom(frame, (event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height);
    }
  });

  // --- keys ---

  const nextPhoto = () => showView(views[(views.findIndex((view) => !view.hidden) + 1) % views.length]);

  const follow = (key) => document.querySelector(`a[data-key="${key}"]`)?.click();

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-help]")) help.showModal();
  });

  document.addEventListener("keydown", (event) => {
    const inField = event.target.matches("input");
    if (asked?.contains(event.target) && event.key !== "Escape") return; // a question to the dock decides nothing
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === "Enter" && inField && event.target.form === form) {
      // A barcode scanner ends with Enter: that goes on to the next field, never decides.
      event.preventDefault();
      fieldOf(parts[(parts.indexOf(event.target.closest("[data-field]")) + 1) % parts.length]).focus();
    } else if (event.key === "Escape" && inField) {
      event.target.blur();
    } else if (!inField && !event.ctrlKey && !event.metaKey && !event.altKey && !help.open) {
      const number = Number(event.key);
      if (["j", "k", "u"].includes(event.key)) follow(event.key);
      else if (event.key === "z") zoom(views.find((view) => !view.hidden).querySelector("[data-zoom]"));
      else if (event.key === "r" && views.length) turn(views.find((view) => !view.hidden));
      else if (event.key === "p" && views.length > 1) nextPhoto();
      else if (event.key === "t") views.find((view) => !view.hidden)?.querySelector("[data-retake]")?.click();
      else if (event.key === "n" && asked) {
        event.preventDefault();
        asked.open = true;
        asked.querySelector("button").focus();
      } else if (event.key === "?") help.showModal();
      else if (number >= 1 && number <= parts.length) {
        event.preventDefault();
        fieldOf(parts[number - 1]).focus();
      }
    }
  });

  // --- what was typed ---

  const filled = () => JSON.stringify([...new FormData(form)]);
  const before = filled();
  let sent = false;
  window.addEventListener("beforeunload", (event) => {
    if (!sent && filled() !== before) event.preventDefault(); // skipped with a key, or the tab closed: asked first
  });
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
  window.addEventListener("pageshow", () => {
    sent = false;
  });

  if (views.length) showView(views[0]);
  form.querySelector("[aria-invalid]")?.focus();
})();
