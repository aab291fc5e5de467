// The dock: gathers photos (camera, picker, drop, paste), sends them as one request, and says for each file where it is:
// on this device, sending, safe. "Safe" is said only when the server has answered that it is stored.
(() => {
  const form = document.querySelector("form[data-upload]");
  if (!form) return;
  const find = (selector) => form.querySelector(selector);
  const says = (key) => form.dataset[`says${key}`];
  const shots = find("[data-shots]");
  const answer = find("[data-answer]");
  const added = find("[data-added]");
  const offline = find("[data-offline]");
  const offlineSays = find("[data-offline-says]");
  const offlineWord = offlineSays.textContent;
  const send = find("[data-send]");
  const sendWord = find("[data-send-word]");
  const photos = []; // {file, card, state, url}: state is here, sending, storing, safe, failed or refused
  const STALLED_AFTER_MS = 45000;
  const SAFE_SEEN_MS = 600; // long enough to read "Safe to put down" before the product opens
  let request = null;
  let stalled = 0;
  let waitsForNetwork = false;
  let again = false;
  let leaves = false;
  let stays = false; // a photo is worth taking again, or one is missing: the person decides when to go on
  let stored = null; // {page, photos, refused}: the product as soon as it is stored; whatever is taken from then on goes to it

  // --- what the person sees ---

  const setState = (photo, state, reason = "") => {
    photo.state = state;
    photo.card.dataset.state = state;
    const words = { here: "Here", sending: "Sending", storing: "Storing", safe: "Safe", failed: "Failed", refused: "Refused" };
    photo.card.querySelector("[data-state-word]").textContent = says(words[state]);
    photo.card.querySelector("[data-reason]").textContent = reason;
    photo.card.querySelector("[data-progress]").value = state === "safe" || state === "storing" ? 100 : 0;
  };

  const tally = () => {
    const counts = { here: 0, sending: 0, safe: 0 };
    for (const { state } of photos) {
      if (state === "safe") counts.safe += 1;
      else if (state === "sending" || state === "storing") counts.sending += 1;
      else if (state !== "refused") counts.here += 1;
    }
    for (const [state, count] of Object.entries(counts)) find(`[data-count="${state}"]`).textContent = count;
    form.dataset.filled = String(photos.length > 0);
    form.dataset.done = String(counts.safe > 0);
    form.dataset.stays = String(stays);
    form.dataset.asks = String(Boolean(asked()));
    const ready = toSend().length;
    form.dataset.idle = String(!request && ready === 0);
    send.disabled = Boolean(request) || ready === 0;
    sendWord.textContent = request
      ? says("Busy")
      : counts.safe && ready === 0
        ? says("Done")
        : again
          ? says("Again")
          : ready === 1
            ? says("SendOne")
            : says("SendMany").replace("#", ready);
  };

  const toSend = () => photos.filter(({ state }) => state === "here" || state === "failed");

  const asked = () => answer.querySelector("[data-duplicate]"); // is it the same item? Two buttons answer that

  // What is stored and how to go on stays in sight while more is sent to it.
  const place = () => (stored ? added : answer);

  const tell = (level, text) => {
    const box = document.createElement("div");
    box.className = "answer";
    box.dataset.level = level;
    const sentence = document.createElement("p");
    sentence.textContent = text;
    box.append(sentence);
    place().replaceChildren(box);
    place().scrollIntoView({ block: "nearest" });
  };

  const show = (html, selector) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const found = page.querySelector(selector);
    if (found) place().replaceChildren(document.adoptNode(found));
    place().scrollIntoView({ block: "nearest" });
    return Boolean(found);
  };

  // --- gathering ---

  const refusal = (file) => {
    const kept = photos.filter(({ state }) => state !== "refused");
    if (file.size === 0) return says("Empty");
    if (file.size > Number(form.dataset.maxBytes)) return says("TooLarge");
    if (file.type === "image/svg+xml" || (file.type && !file.type.startsWith("image/"))) return says("NoPhoto");
    if (kept.length >= Number(form.dataset.maxFiles)) return says("TooMany");
    const together = kept.reduce((sum, photo) => sum + photo.file.size, file.size);
    if (together > Number(form.dataset.maxTotalBytes || Infinity)) return says("TooMuch");
    const same = ({ file: other }) => other.name === file.name && other.size === file.size && other.lastModified === file.lastModified;
    return kept.some(same) ? says("Twice") : "";
  };

  // Also while others are on their way: those wait for the answer, and nothing that was taken is dropped.
  const add = (files) => {
    if (asked()) answer.replaceChildren(); // it asked about other photos than these
    for (const file of files) {
      const reason = refusal(file);
      const card = find("template[data-shot]").content.firstElementChild.cloneNode(true);
      const photo = { file, card, state: "here", url: "" };
      for (const name of card.querySelectorAll("[data-name]")) name.textContent = file.name;
      const preview = card.querySelector("[data-preview]");
      if (reason) preview.remove();
      else {
        photo.url = URL.createObjectURL(file);
        preview.addEventListener("error", () => preview.remove()); // HEIC in most browsers: the icon behind it shows
        preview.src = photo.url;
      }
      card.querySelector("[data-remove]").addEventListener("click", () => remove(photo));
      setState(photo, reason ? "refused" : "here", reason);
      photos.push(photo);
      shots.append(card);
    }
    tally();
    if (stored) start(false);
  };

  const remove = (photo) => {
    if (request) return;
    if (asked()) answer.replaceChildren();
    URL.revokeObjectURL(photo.url);
    photos.splice(photos.indexOf(photo), 1);
    photo.card.remove();
    if (!photos.length) answer.replaceChildren();
    tally();
  };

  // --- sending ---

  const showProgress = (loaded, total, sent) => {
    // The request is the files in order plus a little text; the text is spread over the files by their share.
    const bytes = sent.reduce((sum, { file }) => sum + file.size, 0);
    let left = total ? (loaded / total) * bytes : 0;
    for (const photo of sent) {
      const percent = Math.max(0, Math.min(100, (left / photo.file.size) * 100));
      left -= photo.file.size;
      if (percent >= 100 && photo.state === "sending") setState(photo, "storing");
      else if (photo.state === "sending") photo.card.querySelector("[data-progress]").value = percent;
    }
  };

  const failed = (sent, text) => {
    for (const photo of sent) setState(photo, "failed");
    again = true;
    tell("error", text);
  };

  const refused = (sent) => {
    for (const note of answer.querySelectorAll("[data-rejected]")) {
      const photo = sent.find(({ file, state }) => file.name === note.dataset.rejected && state !== "refused");
      if (photo) setState(photo, "refused", note.dataset.reason);
    }
  };

  const answered = (sent, xhr) => {
    const { status } = xhr;
    const way = xhr.getResponseHeader("X-Location");
    if ((status === 200 || status === 201) && way) {
      for (const photo of sent) setState(photo, "safe");
      show(xhr.responseText, ".answer");
      refused(sent);
      stays = Boolean(find("[data-stay]"));
      stored = { page: way, photos: find("[data-add]").dataset.add, refused: false };
      if (stays) find("[data-stay] a")?.focus({ preventScroll: true });
      if (toSend().length) start(false);
      else if (!stays) goOn();
    } else if (status === 409 || status === 422) {
      for (const photo of sent) setState(photo, "here");
      show(xhr.responseText, ".answer");
      refused(sent);
      find(".answer button, .answer a")?.focus({ preventScroll: true });
    } else if (status === 401 || /\/sign-in/.test(xhr.responseURL)) {
      failed(sent, says("SignedOut"));
    } else {
      failed(sent, says("Broken"));
      if (status !== 500) show(xhr.responseText, "[data-notice]");
    }
  };

  const goOn = () =>
    window.setTimeout(() => {
      if (!request && !toSend().length) window.location.assign(stored.page);
    }, SAFE_SEEN_MS);

  // One more photo of the stored product. Each is sent by itself, so that one that is refused holds no other back.
  const answeredMore = (sent, xhr) => {
    const { status } = xhr;
    const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
    if ((status === 200 || status === 201) && xhr.getResponseHeader("X-Location")) {
      for (const photo of sent) setState(photo, "safe");
      const list = answer.querySelector("[data-shots-again]");
      list?.querySelector("[data-no-barcode]")?.remove(); // the newer answer knows all photos
      if (list) list.append(...[...page.querySelectorAll("[data-shot-place]")].map((shot) => document.adoptNode(shot)));
      stays = stored.refused || (xhr.getResponseHeader("X-Stay") === "yes" && Boolean(list));
      if (toSend().length) start(false);
      else if (!stays) goOn();
    } else if (status === 409 || status === 413 || status === 422) {
      const reason = page.querySelector("[data-reason]")?.dataset.reason || page.querySelector("[data-notice] p")?.textContent.trim();
      for (const photo of sent) setState(photo, "refused", reason || says("Broken"));
      stays = stored.refused = true; // the reason stands on this page only
      if (toSend().length) start(false);
    } else if (status === 401 || /\/sign-in/.test(xhr.responseURL)) {
      failed(sent, says("SignedOut"));
    } else {
      failed(sent, says("Broken"));
    }
  };

  // After signing in again in another tab the page's own token is old: fetch a fresh one before the next try.
  const freshToken = async () => {
    try {
      const page = new DOMParser().parseFromString(await (await fetch(form.action, { signal: AbortSignal.timeout?.(5000) })).text(), "text/html");
      const token = page.querySelector('[data-upload] [name="csrf_token"]');
      if (token) find('[name="csrf_token"]').value = token.value;
    } catch {
      // Still no network: sending itself will say so.
    }
  };

  const start = async (keepDuplicates) => {
    const sent = stored ? toSend().slice(0, 1) : toSend();
    if (request || !sent.length) return;
    place().replaceChildren();
    if (!navigator.onLine) {
      waitsForNetwork = true;
      network();
      offline.scrollIntoView({ block: "nearest" });
      tally();
      return;
    }
    document.getElementById("flashes").replaceChildren(); // of the item before
    request = new XMLHttpRequest();
    for (const photo of sent) setState(photo, "sending");
    tally();
    if (again) await freshToken();
    const more = Boolean(stored);
    const data = new FormData(form);
    data.delete("photos");
    for (const { file } of sent) data.append("photos", file, file.name);
    if (keepDuplicates) data.set("keep_duplicates", "yes");
    const alive = () => {
      clearTimeout(stalled);
      stalled = setTimeout(() => request?.abort(), STALLED_AFTER_MS);
    };
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      alive();
      showProgress(loaded, total, sent);
    });
    const ended = (handle) => () => {
      const xhr = request;
      clearTimeout(stalled);
      request = null;
      handle(xhr);
      tally();
    };
    request.addEventListener("load", ended((xhr) => (more ? answeredMore : answered)(sent, xhr)));
    for (const way of ["error", "abort", "timeout"]) request.addEventListener(way, ended(() => failed(sent, says("Lost"))));
    request.open("POST", more ? stored.photos : form.action);
    request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
    alive();
    request.send(data);
  };

  // --- binding ---

  for (const input of form.querySelectorAll("[data-pick]")) {
    input.addEventListener("change", () => {
      add([...input.files]);
      input.value = "";
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    start(event.submitter?.name === "keep_duplicates");
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files || [])];
    if (!files.length) return;
    event.preventDefault();
    add(files);
  });
  let depth = 0;
  const overForm = (on) => {
    form.dataset.over = String(on);
  };
  document.addEventListener("dragenter", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    depth += 1;
    overForm(true);
  });
  document.addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (!depth) overForm(false);
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    overForm(false);
    add([...(event.dataTransfer?.files || [])]);
  });
  const network = () => {
    offline.hidden = navigator.onLine;
    offlineSays.textContent = waitsForNetwork ? says("Offline") : offlineWord;
    if (navigator.onLine && waitsForNetwork) {
      waitsForNetwork = false;
      start(false);
    }
  };
  window.addEventListener("online", network);
  window.addEventListener("offline", network);
  answer.addEventListener("click", (event) => {
    leaves = !stored && Boolean(event.target.closest("a")); // the person decided for the earlier product: nothing to warn of
  });
  window.addEventListener("beforeunload", (event) => {
    if (!leaves && photos.some(({ state }) => ["here", "sending", "storing", "failed"].includes(state))) event.preventDefault();
  });
  network();
  tally();
})();
