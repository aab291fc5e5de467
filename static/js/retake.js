// "Take it again" where one is: the camera opens on the spot, the new photo is sent at once, and it is kept on this device
// until the server says that it is safe. Links without script lead to a page that does the same.
(() => {
  const form = document.querySelector("[data-retake-form]");
  if (!form) return;
  const find = (selector) => form.querySelector(selector);
  const input = find("[data-retake-input]");
  const note = find("[data-retake-note]");
  const words = find("[data-retake-says]");
  const bar = find("[data-retake-progress]");
  const send = find("[data-retake-send]");
  const STALLED_AFTER_MS = 45000;
  const SAFE_SEEN_MS = 700;
  let link = null; // the one that opened the camera
  let file = null;
  let request = null;
  let stalled = 0;

  const tell = (content, { level = "info", again = false, percent = null } = {}) => {
    words.replaceChildren(content);
    note.dataset.level = level;
    note.hidden = false;
    send.hidden = !again;
    bar.hidden = percent === null;
    if (percent !== null) bar.value = percent;
    if (level === "error") note.scrollIntoView({ block: "nearest" });
  };

  const parts = (html, selector) => [...new DOMParser().parseFromString(html, "text/html").querySelectorAll(selector)];

  const taken = (xhr) => {
    const way = xhr.getResponseHeader("X-Location");
    const place = link?.closest("[data-shot-place]");
    const shots = parts(xhr.responseText, "[data-shot-place]").map((shot) => document.adoptNode(shot));
    file = null;
    if (place?.isConnected && shots.length) {
      const list = place.parentElement;
      place.replaceWith(...shots);
      const isOfProduct = (line) => line.querySelector("[data-retake]")?.getAttribute("href").startsWith(way);
      for (const old of list.querySelectorAll("[data-no-barcode]")) if (!shots.includes(old) && isOfProduct(old)) old.remove();
      if (list.querySelector("[data-poor]")) {
        if (list.closest("[data-answer]")) note.hidden = true; // the answer around it says that all is safe
        else tell(form.dataset.saysSafe, { level: "success" });
        [...shots, list].map((one) => one.querySelector("[data-retake]")).find(Boolean)?.focus({ preventScroll: true });
        return;
      }
    }
    tell(form.dataset.saysSafe, { level: "success" });
    window.setTimeout(() => window.location.assign(way), SAFE_SEEN_MS);
  };

  const answered = (xhr) => {
    const { status } = xhr;
    if ((status === 200 || status === 201) && xhr.getResponseHeader("X-Location")) {
      taken(xhr);
    } else if (status === 401 || /\/sign-in/.test(xhr.responseURL)) {
      tell(form.dataset.saysSignedOut, { level: "error", again: true });
    } else if (status === 409 || status === 413 || status === 422) {
      const [says] = parts(xhr.responseText, ".answer, [data-notice] p");
      tell(says ? document.adoptNode(says) : form.dataset.saysBroken, { level: "error" });
    } else {
      tell(form.dataset.saysBroken, { level: "error", again: true });
    }
  };

  const start = () => {
    if (!file || request) return;
    const data = new FormData(form);
    data.set("photos", file, file.name);
    request = new XMLHttpRequest();
    const alive = () => {
      clearTimeout(stalled);
      stalled = setTimeout(() => request?.abort(), STALLED_AFTER_MS);
    };
    const ended = (handle) => () => {
      const xhr = request;
      clearTimeout(stalled);
      request = null;
      handle(xhr);
    };
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      alive();
      const percent = total ? (100 * loaded) / total : 0;
      tell(percent < 100 ? form.dataset.saysSending : form.dataset.saysStoring, { percent });
    });
    request.addEventListener("load", ended(answered));
    for (const way of ["error", "abort"]) {
      request.addEventListener(way, ended(() => tell(form.dataset.saysLost, { level: "error", again: true })));
    }
    request.open("POST", form.action);
    request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
    tell(form.dataset.saysSending, { percent: 0 });
    alive();
    request.send(data);
  };

  document.addEventListener("click", (event) => {
    const pressed = event.target.closest("a[data-retake]");
    if (!pressed || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (request) return;
    link = pressed;
    form.action = pressed.href;
    input.value = "";
    input.click();
  });
  input.addEventListener("change", () => {
    [file] = input.files;
    start();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    start();
  });
  window.addEventListener("beforeunload", (event) => {
    if (file) event.preventDefault();
  });
})();
