// What gradio's before/after slider lacks for those who cannot see it or use no mouse: texts, and the arrow keys. And
// on a phone, where results are further down, the way there.
(() => {
  const STEP = 0.05; // of the width, for each press
  const NARROW = 760; // px, as in page.css
  const TEXTS = ["The photo", "The painted picture"];

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

  let told = null;

  function show() {
    const now = document.querySelector("#status .notice.done, #status .notice.stopped");
    if (now === told) return;
    told = now;
    if (!now || window.innerWidth > NARROW) return;
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    document.querySelector("#told").scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "nearest" });
  }

  function mend() {
    show();
    document.querySelectorAll("#result img").forEach((image, i) => {
      if (image.alt !== TEXTS[i]) image.alt = TEXTS[i];
    });
    const handle = document.querySelector("#result [data-testid=slider]");
    if (!handle || handle.tabIndex === 0) return;
    handle.tabIndex = 0;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-label", "Before and after: the arrow keys move the line");
    handle.setAttribute("aria-valuetext", "between the photo and the painted picture");
    handle.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -STEP, ArrowRight: STEP, Home: -1, End: 1 }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      press(handle, by);
    });
  }

  new MutationObserver(mend).observe(document.documentElement, { childList: true, subtree: true });
})();
