// What gradio lacks for those who cannot see or use no mouse: texts, the arrow keys, and the place of the keyboard. And
// sentences for files that need not be sent, and for a server that has ended.
(() => {
  const STEP = 0.05; // of the width, for each press
  const NARROW = 760; // px, as in page.css
  const LOOK = 4000; // ms from one look at the server to the next
  const TEXTS = ["The photo", "The painted picture"];
  const FIELDS = { photo: "photo", style: "painting", second: "second painting" };

  const known = (name) => document.querySelector(`meta[name=tfstyle-${name}]`).content;
  const seen = (element) => element && element.offsetParent !== null;

  // A sentence of the browser's own in place of the server's, until that says something else.
  function tell(sentence) {
    const status = document.querySelector("#status");
    hush();
    if (!status || !sentence) return;
    const own = document.createElement("div");
    own.className = "notice fault own";
    own.setAttribute("role", "alert");
    own.textContent = sentence;
    status.classList.add("own");
    status.append(own);
  }

  function hush() {
    document.querySelector("#status")?.classList.remove("own");
    document.querySelector("#status .own")?.remove();
  }

  // Files that the server would refuse
  function refused(field, file) {
    if (!file) return false;
    hush();
    if (file.size > Number(known("upload"))) tell(known("too-large").replace("{}", FIELDS[field.id]));
    else if (file.type && !file.type.startsWith("image/")) tell(known("no-picture").replace("{}", FIELDS[field.id]));
    else return false;
    return true;
  }

  function onto(event) {
    return event.target.closest?.(Object.keys(FIELDS).map((name) => `#${name}`).join());
  }

  function chosen(event) {
    const field = event.target.type === "file" && onto(event);
    if (!field || !refused(field, event.target.files[0])) return;
    event.stopImmediatePropagation();
    event.target.value = "";
  }

  function dropped(event) {
    const field = onto(event);
    if (!field || !refused(field, event.dataTransfer.files[0])) return;
    event.preventDefault(); // otherwise the browser opens the file
    event.stopImmediatePropagation();
    event.target.dispatchEvent(new DragEvent("dragleave", { bubbles: true }));
  }

  // Whether the server is still there; at the second time that it is not, a sentence says so.
  let missed = 0;

  async function look() {
    try {
      await fetch("robots.txt", { cache: "no-store" });
      missed = 0;
    } catch {
      missed += 1;
      if (missed > 1 && !document.querySelector("#status .own")) tell(known("gone"));
    }
  }

  // The line across the result
  function value(handle) {
    const frame = handle.parentElement.getBoundingClientRect();
    const now = handle.getBoundingClientRect();
    const share = Math.round((100 * (now.left + now.width / 2 - frame.left)) / frame.width);
    handle.setAttribute("aria-valuenow", Math.min(100, Math.max(0, share)));
  }

  function press(handle, by) {
    const frame = handle.parentElement.getBoundingClientRect();
    const now = handle.getBoundingClientRect();
    const y = now.top + now.height / 2;
    const from = now.left + now.width / 2;
    const to = Math.min(frame.right, Math.max(frame.left, from + by * frame.width));
    const send = (target, type, clientX) => {
      const how = { view: window, bubbles: true, cancelable: true, clientX, clientY: y };
      target.dispatchEvent(new MouseEvent(type, how));
    };
    send(handle, "mousedown", from);
    send(window, "mousemove", to);
    send(window, "mouseup", to);
  }

  function line(handle) {
    handle.tabIndex = 0;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-label", "Before and after: the arrow keys move the line");
    handle.setAttribute("aria-valuemin", 0);
    handle.setAttribute("aria-valuemax", 100);
    value(handle);
    new MutationObserver(() => value(handle)).observe(handle, { attributeFilter: ["style"] });
    handle.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -STEP, ArrowRight: STEP, Home: -1, End: 1 }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      press(handle, by);
    });
  }

  // On a phone, the first preview and the result may be below what is seen.
  let told = null;

  function show() {
    const now = document.querySelector("#status .notice.done, #status .notice.stopped") ||
      (seen(document.querySelector("#sofar img")) ? "preview" : null);
    if (now === told) return;
    told = now;
    if (!now || window.innerWidth > NARROW) return;
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    document.querySelector("#told").scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "nearest" });
  }

  // Paint and Stop take each other's place, and so the keyboard's.
  let last = null;

  function follow() {
    if (document.activeElement !== document.body || !last) return;
    const other = document.querySelector(last === "paint" ? "#stop" : "#paint");
    if (seen(other) && !seen(document.getElementById(last))) other.focus({ preventScroll: true });
  }

  function name(element, text) {
    if (element && text && element.getAttribute("aria-label") !== text) element.setAttribute("aria-label", text);
  }

  let sentence = null;

  function mend() {
    const now = document.querySelector("#status .notice:not(.own)");
    if (now !== sentence) {
      sentence = now;
      hush();
    }
    show();
    follow();
    document.querySelectorAll("#result img").forEach((image, i) => {
      if (image.alt !== TEXTS[i]) image.alt = TEXTS[i];
    });
    for (const [field, called] of Object.entries(FIELDS)) {
      const text = called[0].toUpperCase() + called.slice(1);
      name(document.querySelector(`#${field} button.upload-container, #${field} button[aria-dropeffect]`),
        `${text}: drop or choose a file`);
      name(document.querySelector(`#${field} input[type=file]`), text);
    }
    document.querySelectorAll(".chooser .thumbnail-item").forEach((item) => name(item, item.querySelector("img")?.alt));
    const handle = document.querySelector("#result [data-testid=slider]");
    if (handle && handle.tabIndex !== 0) line(handle);
  }

  document.addEventListener("change", chosen, true);
  document.addEventListener("drop", dropped, true);
  document.addEventListener("focusin", (event) => {
    last = event.target.matches("#paint, #stop") ? event.target.id : null;
  });
  document.addEventListener("click", (event) => event.target.closest?.("#paint, .thumbnail-item") && hush(), true);
  window.setInterval(look, LOOK);
  new MutationObserver(mend).observe(document.documentElement, { childList: true, subtree: true });
})();
